"""Inputs that lie on this machine, below paths that its operator has allowed. Nothing is copied.

The allowed root is opened once and every part below it from the handle of the part before, links
not followed: whatever somebody renames meanwhile, what the program is shown is what was checked.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import trio

from scheduler.jobs import Source
from storage.allow import AllowedPath, allowed_root
from storage.errors import BadSource, InputMissing, NotAllowed
from storage.ports import Fetched, FetchRequest, flag_param, text_param

CREATE_NOTHING, CREATE_FOLDER, CREATE_FILE = "nocreate", "dir", "file"


class LocalProvider:
    """Serves `local` sources: `SourcePath`, `ReadWrite`, `CreateAs` (`noCreate`, `dir`, `file`)."""

    name = "local"

    def __init__(self, allowed: Sequence[AllowedPath]) -> None:
        self._allowed = tuple(allowed)

    async def stat(self, source: Source) -> int:
        """Bytes of a file; a folder is shown, not brought: 0."""
        return await trio.to_thread.run_sync(self._size, source)

    async def fetch(self, request: FetchRequest) -> Fetched:
        """A path to the open file or folder, good until `close`."""
        return await trio.to_thread.run_sync(self._open, request.source)

    def _size(self, source: Source) -> int:
        fetched = self._open(source)
        fetched.close()
        return fetched.size_bytes

    def _open(self, source: Source) -> Fetched:
        path, write = text_param(source, "SourcePath"), flag_param(source, "ReadWrite")
        create_as = text_param(source, "CreateAs", CREATE_NOTHING).lower()
        if create_as not in (CREATE_NOTHING, CREATE_FOLDER, CREATE_FILE):
            raise BadSource(f"CreateAs is noCreate, dir or file, not {create_as!r}.")
        root = allowed_root(path, self._allowed, write=write)
        below = Path(os.path.normpath(path)).relative_to(root).parts
        try:
            handle = _open_below(root, below, write=write, create_as=create_as if write else "")
        except FileNotFoundError as error:
            raise InputMissing(f"{path} does not exist on this node.") from error
        except (NotADirectoryError, OSError) as error:
            raise NotAllowed(
                f"{path} cannot be opened on this node: {error.strerror} (links below an allowed "
                "path are not followed)."
            ) from error
        status = os.fstat(handle)
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            os.close(handle)
            raise NotAllowed(f"{path} is neither a file nor a folder.")
        return Fetched(
            path=Path(f"/proc/{os.getpid()}/fd/{handle}"),
            read_only=not write,
            size_bytes=status.st_size if stat.S_ISREG(status.st_mode) else 0,
            close=_closer(handle),
        )


def _open_below(root: Path, below: Sequence[str], *, write: bool, create_as: str) -> int:
    """A handle of the last part. The root itself may be a link: the operator wrote it."""
    handle = _open_part(str(root), None, last=not below, write=write, create_as=create_as)
    for number, part in enumerate(below, start=1):
        try:
            deeper = _open_part(
                part, handle, last=number == len(below), write=write, create_as=create_as
            )
        finally:
            os.close(handle)
        handle = deeper
    return handle


def _open_part(part: str, parent: int | None, *, last: bool, write: bool, create_as: str) -> int:
    # O_NONBLOCK: opening a FIFO must not hang this thread until somebody writes to it.
    links = 0 if parent is None else os.O_NOFOLLOW
    plain = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | links
    if not last:
        return os.open(part, plain | os.O_DIRECTORY, dir_fd=parent)
    if create_as == CREATE_FOLDER:
        try:
            os.mkdir(part, 0o755, dir_fd=parent)
        except FileExistsError:
            pass
    if create_as == CREATE_FILE:
        return os.open(part, plain | os.O_RDWR | os.O_CREAT, 0o644, dir_fd=parent)
    try:
        return os.open(part, plain | (os.O_RDWR if write else 0), dir_fd=parent)
    except IsADirectoryError:
        return os.open(part, plain | os.O_DIRECTORY, dir_fd=parent)


def _closer(handle: int) -> Callable[[], None]:
    """Closes the handle once: a second call must not close another file of the same number."""
    handles = [handle]

    def close() -> None:
        if handles:
            os.close(handles.pop())

    return close
