"""When a database is opened again after its disk failed."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import trio

from mesh.node import reopen
from mesh.node.reopen import MAX_REOPEN_S, REOPEN_S, ROOM_BYTES, open_again
from mesh.node.store import StoreError

SLACK_S = 0.01


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the database was opened, or tried to be."""
    times: list[float] = []
    monkeypatch.setattr(reopen, "Store", lambda path: times.append(trio.current_time()))
    return times


async def test_a_glitch_is_over_in_a_second(
    tmp_path: Path, opened: list[float], autojump_clock: object
) -> None:
    begun_s = trio.current_time()
    await open_again(tmp_path / "db", print, full=False)
    assert opened == [pytest.approx(begun_s + REOPEN_S, abs=SLACK_S)]


async def test_a_full_disk_is_opened_once_there_is_room(
    tmp_path: Path, opened: list[float], autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([0, ROOM_BYTES - 1, 0, ROOM_BYTES])
    monkeypatch.setattr(reopen, "free_bytes", lambda folder: next(free))
    begun_s = trio.current_time()
    await open_again(tmp_path / "db", print, full=True)
    assert opened == [pytest.approx(begun_s + 4 * REOPEN_S, abs=SLACK_S)]


async def test_a_quota_that_was_used_up_does_not_keep_a_node_from_trying(
    tmp_path: Path, opened: list[float], autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reopen, "free_bytes", lambda folder: 0)
    begun_s = trio.current_time()
    await open_again(tmp_path / "db", print, full=True)
    assert opened == [pytest.approx(begun_s + REOPEN_S + MAX_REOPEN_S, abs=SLACK_S)]


async def test_what_cannot_be_opened_is_said_and_tried_again_ever_less_often(
    tmp_path: Path, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    times: list[float] = []

    def fails_thrice(path: Path) -> Any:
        times.append(trio.current_time())
        if len(times) <= 3:
            raise StoreError(f"{path} cannot be used.")
        return path

    monkeypatch.setattr(reopen, "Store", fails_thrice)
    said: list[str] = []
    opened: Any = await open_again(tmp_path / "db", said.append, full=False)
    assert opened == tmp_path / "db"
    assert said == [f"{tmp_path}/db cannot be used."] * 3
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert gaps == pytest.approx([2 * REOPEN_S, 4 * REOPEN_S, 8 * REOPEN_S], abs=SLACK_S)
