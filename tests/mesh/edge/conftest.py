from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from mesh.edge.http.app import make_app
from tests.mesh.edge.fake_doors import FakeDoors


@pytest.fixture
def doors(tmp_path: Path) -> FakeDoors:
    return FakeDoors(tmp_path)


@pytest.fixture
async def client(doors: FakeDoors) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(make_app(doors))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1234") as client:
        yield client
