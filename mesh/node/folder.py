"""The data folder: one process at a time, nobody else's eyes, and the page that says who runs."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mesh.node.errors import NodeError

NODE_PAGE = "node.json"


@contextmanager
def data_folder(path: Path) -> Iterator[None]:
    """The folder, made if need be, mode 0700 and locked by us. Raises NodeError."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.chmod(0o700)
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise NodeError(
            f"The data folder {path} cannot be used: {error.strerror}; give another --data-dir."
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "?"
            raise NodeError(
                f"The data folder {path} is in use by the node with process id {holder}; stop "
                "that one, or give another --data-dir."
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def node_page(path: Path, facts: Mapping[str, Any]) -> Iterator[None]:
    """`node.json` while the node runs: whole or absent."""
    page = path / NODE_PAGE
    partial = page.with_suffix(".new")
    partial.write_text(json.dumps(facts, indent=2) + "\n")
    partial.rename(page)
    try:
        yield
    finally:
        page.unlink(missing_ok=True)
