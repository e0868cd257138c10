"""The shipped fake: files that stand in a dictionary, and faults by script."""

from __future__ import annotations

from collections.abc import Mapping

from scheduler.jobs import Source
from storage.errors import InputMissing, StorageError, TooLarge
from storage.ports import Fetched, FetchRequest, text_param


class MemoryProvider:
    """Serves `memory` sources: `Key` names one of `files`; a key in `faults` raises that error."""

    name = "memory"

    def __init__(
        self, files: Mapping[str, bytes], *, faults: Mapping[str, StorageError] | None = None
    ) -> None:
        self.files = dict(files)
        self.faults = dict(faults or {})

    async def stat(self, source: Source) -> int:
        """Bytes of the entry."""
        return len(self._data(source))

    async def fetch(self, request: FetchRequest) -> Fetched:
        """Write the entry below the folder."""
        data = self._data(request.source)
        if len(data) > request.limit_bytes:
            raise TooLarge(f"The entry has {len(data)} bytes; {request.limit_bytes} are allowed.")
        path = request.folder / "memory"
        path.write_bytes(data)
        return Fetched(path, read_only=True, size_bytes=len(data))

    def _data(self, source: Source) -> bytes:
        key = text_param(source, "Key")
        if key in self.faults:
            raise self.faults[key]
        if key not in self.files:
            raise InputMissing(f"There is no entry {key!r} here.")
        return self.files[key]
