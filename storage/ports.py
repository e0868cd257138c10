"""The port of storage providers, and what every provider is asked and answers with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from scheduler.jobs import Source

DEFAULT_INPUT_LIMIT_BYTES = 64 << 30
"""One input may bring this much: more than the disk budget of the machines this is for, a stop for
mistakes only."""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """One input of one attempt. The provider writes below `folder` (empty, the attempt's own)
    only."""

    source: Source
    folder: Path
    holders: tuple[str, ...] = ()
    """Nodes known to hold the blob, for sources that name one by digest."""
    limit_bytes: int = DEFAULT_INPUT_LIMIT_BYTES


def _nothing() -> None:
    """Most sources hold nothing open."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file or a folder to be shown to the program. Call `close` once the program has ended."""

    path: Path
    read_only: bool
    size_bytes: int
    close: Callable[[], None] = field(default=_nothing)


class Provider(Protocol):
    """One kind of source. Errors are StorageError and its kinds, nothing else."""

    name: str
    """The source type it serves, in lower case."""

    async def stat(self, source: Source) -> int:
        """Bytes that `fetch` would bring; 0 when that cannot be told beforehand."""
        ...

    async def fetch(self, request: FetchRequest) -> Fetched:
        """Bring the data here, all of it or an error: a partial input is never seen."""
        ...


def text_param(source: Source, name: str, default: str = "") -> str:
    """A text parameter by name, in any case, as Bacalhau's consumers read them."""
    for key, value in source.params.items():
        if key.lower() == name.lower() and isinstance(value, str):
            return value
    return default


def flag_param(source: Source, name: str) -> bool:
    """A yes/no parameter by name, in any case; no when it is absent."""
    return any(
        key.lower() == name.lower() and value is True for key, value in source.params.items()
    )
