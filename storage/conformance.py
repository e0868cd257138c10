"""The suite that every provider passes, plug-ins included; run from a test.

@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_conforms(case, tmp_path):
    await case(Subject(provider, good, content, missing), tmp_path)
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import trio

from scheduler.jobs import Source
from storage.errors import StorageError
from storage.ports import FetchRequest, Provider


@dataclass(frozen=True, slots=True)
class Subject:
    """A provider with sources to try: one that brings a file of `content`, one that is not there,
    and one that makes no sense."""

    provider: Provider
    good: Source
    content: bytes
    missing: Source
    nonsense: Source


async def brings_the_bytes(subject: Subject, folder: Path) -> None:
    """The file has the content, and closing twice does no harm."""
    fetched = await subject.provider.fetch(FetchRequest(subject.good, folder))
    assert fetched.path.read_bytes() == subject.content
    fetched.close()
    fetched.close()


async def tells_the_size(subject: Subject, folder: Path) -> None:
    """`stat` tells the bytes, or 0 where that needs the fetch."""
    assert await subject.provider.stat(subject.good) in (0, len(subject.content))


async def is_read_only_by_default(subject: Subject, folder: Path) -> None:
    """Nobody may write an input who did not ask to."""
    fetched = await subject.provider.fetch(FetchRequest(subject.good, folder))
    assert fetched.read_only
    fetched.close()


async def says_what_is_missing(subject: Subject, folder: Path) -> None:
    """What is not there is one sentence, and nothing is left in the folder."""
    await _refused(subject, subject.missing, folder)


async def says_what_makes_no_sense(subject: Subject, folder: Path) -> None:
    """A nonsensical source is one sentence too."""
    await _refused(subject, subject.nonsense, folder)


async def serves_twice(subject: Subject, folder: Path) -> None:
    """Two attempts may use one source at once; the first to end takes nothing from the second."""
    for name in ("one", "two"):
        (folder / name).mkdir()
    first = await subject.provider.fetch(FetchRequest(subject.good, folder / "one"))
    second = await subject.provider.fetch(FetchRequest(subject.good, folder / "two"))
    first.close()
    assert second.path.read_bytes() == subject.content
    second.close()


async def _refused(subject: Subject, source: Source, folder: Path) -> None:
    try:
        await subject.provider.fetch(FetchRequest(source, folder))
    except StorageError as error:
        sentence = str(error)
        assert sentence.endswith("."), sentence
        assert "\n" not in sentence, sentence
    else:
        raise AssertionError(f"{source} was served")
    left = await trio.to_thread.run_sync(os.listdir, folder)
    assert not left, f"{left} was left behind"


Case = Callable[[Subject, Path], Awaitable[None]]
CASES: tuple[Case, ...] = (
    brings_the_bytes,
    tells_the_size,
    is_read_only_by_default,
    says_what_is_missing,
    says_what_makes_no_sense,
    serves_twice,
)
