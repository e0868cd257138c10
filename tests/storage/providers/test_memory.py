"""The fake's faults, and its limit."""

from __future__ import annotations

import pytest

from scheduler.jobs import Source
from storage.errors import Corrupt, TooLarge
from storage.ports import FetchRequest
from storage.providers.memory import MemoryProvider

SOURCE = Source("memory", {"Key": "x"})


async def test_a_scripted_fault(tmp_path):
    provider = MemoryProvider({"x": b"1"}, faults={"x": Corrupt("It is damaged.")})
    with pytest.raises(Corrupt, match="damaged"):
        await provider.fetch(FetchRequest(SOURCE, tmp_path))
    with pytest.raises(Corrupt):
        await provider.stat(SOURCE)


async def test_limit(tmp_path):
    with pytest.raises(TooLarge):
        await MemoryProvider({"x": b"12"}).fetch(FetchRequest(SOURCE, tmp_path, limit_bytes=1))
