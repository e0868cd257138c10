"""The secret that a link to the page carries: made once, kept for its owner alone.

Whoever runs commands on the node's machine may make a new one at any time. The node looks at the
file again whenever it changed, so the old link ends at once.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
from pathlib import Path

from mesh.node.identity import write_file

TOKEN_FILE = "page.token"
TOKEN_BYTES = 16
"""128 bits: nobody guesses that over a network; 26 characters, short enough to type."""
_TOKEN = re.compile(r"[a-z2-7]{26}")


class PageToken:
    """The token of one data folder. OSError where its file cannot be written."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / TOKEN_FILE
        self._seen: tuple[int, int] = (0, 0)
        self._token = ""

    def current(self) -> str:
        """The token that opens the page now, "" while there is none."""
        try:
            facts = self._path.stat()
            seen = (facts.st_mtime_ns, facts.st_ino)
            if seen != self._seen:
                text = self._path.read_text("ascii", "replace").strip()
                self._token = text if _TOKEN.fullmatch(text) else ""
                self._seen = seen
        except OSError:
            # Without a file, or with one that cannot be read, nobody comes in.
            self._seen, self._token = (0, 0), ""
        return self._token

    def made(self) -> str:
        """The token, made now if there is none that can be used."""
        return self.current() or self.renew()

    def renew(self) -> str:
        """A new token; the old one opens nothing any more."""
        token = base64.b32encode(os.urandom(TOKEN_BYTES)).decode("ascii").rstrip("=").lower()
        write_file(self._path, token.encode() + b"\n", mode=0o600)
        return self.current()

    def opens(self, given: str) -> bool:
        """Whether this token, from a stranger, is the current one; in constant time."""
        current = self.current()
        return bool(current) and hmac.compare_digest(current.encode(), given.encode())
