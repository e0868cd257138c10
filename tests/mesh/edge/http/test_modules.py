from __future__ import annotations

from pathlib import Path

import pytest

from mesh.edge.http.modules import KEPT_BYTES, PUSHED_BYTES, Modules
from scheduler.ids import Digest, blob_digest
from tests.mesh.edge.fake_doors import FakeDoors


@pytest.fixture
def looked(doors: FakeDoors, monkeypatch: pytest.MonkeyPatch) -> list[Digest]:
    """What was looked for on disk."""
    asked: list[Digest] = []
    find = doors.blob_path

    def look(digest: Digest) -> Path | None:
        asked.append(digest)
        return find(digest)

    monkeypatch.setattr(doors, "blob_path", look)
    return asked


async def test_a_module_is_read_once(doors: FakeDoors, looked: list[Digest]) -> None:
    modules, digest = Modules(), doors.keep(b"module")
    for _ in range(3):
        assert await modules.small_ones(doors, [digest]) == (b"module",)
    assert looked == [digest]


async def test_one_that_comes_later_is_found(doors: FakeDoors) -> None:
    modules = Modules()
    digest = blob_digest(b"later")
    assert await modules.small_ones(doors, [digest]) == ()
    assert doors.keep(b"later") == digest
    assert await modules.small_ones(doors, [digest]) == (b"later",)


async def test_too_large_alone_or_together_is_none(doors: FakeDoors) -> None:
    half, other = doors.keep(b"a" * (PUSHED_BYTES // 2)), doors.keep(b"b" * (PUSHED_BYTES // 2))
    one, large = doors.keep(b"c"), doors.keep(bytes(PUSHED_BYTES + 1))
    modules = Modules()
    assert len(await modules.small_ones(doors, [half, other])) == 2
    assert await modules.small_ones(doors, [half, other, one]) == ()
    assert await modules.small_ones(doors, [one, large]) == ()


async def test_what_was_not_named_for_long_is_let_go(
    doors: FakeDoors, looked: list[Digest]
) -> None:
    modules = Modules()
    first = doors.keep(b"first")
    await modules.small_ones(doors, [first])
    for number in range(KEPT_BYTES // PUSHED_BYTES):
        await modules.small_ones(doors, [doors.keep(bytes([number]) * PUSHED_BYTES)])
    await modules.small_ones(doors, [first])
    assert looked.count(first) == 2
