"""What can go wrong with data, each as one sentence for people."""

from __future__ import annotations

import errno
from pathlib import Path


class StorageError(Exception):
    """The parent of all: `str(error)` is one clear sentence."""


class InputMissing(StorageError):
    """This node does not have the data; another one may."""


class NotAllowed(StorageError):
    """The operator of this node has not allowed this path, or not for writing."""


class BadSource(StorageError):
    """The description of the source makes no sense: the same on every node."""


class TooLarge(StorageError):
    """More bytes or files than the limit."""


class Corrupt(StorageError):
    """Bytes that are not what their digest, checksum or format says."""


class Unavailable(StorageError):
    """No holder of the data could be reached just now."""


def is_disk_full(error: OSError) -> bool:
    """Whether it says that there is no room, on the disk or within a quota."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def disk_full_words(folder: Path) -> str:
    """Which disk is full and what to do, to follow a colon."""
    return (
        f"the disk that holds {folder} on this node is full. Free some space there or write less, "
        "and run the job again."
    )
