"""A real terminal: tmux with a server of its own, its keys and its screen."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.system.mesh_processes import clean_environment, until


def absence() -> str | None:
    """Why there is no terminal; None when there is one."""
    return None if shutil.which("tmux") else "no tmux on PATH"


class Terminal:
    """One window in which a shell runs a command of ours. Leaving it ends the server."""

    def __init__(self, folder: Path, columns: int, lines: int) -> None:
        self._socket = folder / "tmux.sock"
        self.columns, self.lines = columns, lines

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server", check=False)

    def run(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = ("-m", "mesh"),
    ) -> None:
        """`bacalhau-mesh` with these arguments, or another Python program; its exit code is printed
        when it has ended."""
        words = shlex.join([sys.executable, *program, *arguments])
        command = f"{words}; echo ended with $?; exec cat"
        given = {**clean_environment(), **(environment or {}), "TERM": "xterm-256color"}
        subprocess.run(
            ["tmux", "-S", str(self._socket), "-f", "/dev/null", "new-session", "-d",
             "-x", str(self.columns), "-y", str(self.lines),
             command],
            env=given,
            check=True,
        )  # fmt: skip

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        command = ["tmux", "-S", str(self._socket), *arguments]
        return subprocess.run(command, check=check, capture_output=True, text=True).stdout

    def keys(self, *keys: str) -> None:
        """Press them, by tmux's names."""
        self._tmux("send-keys", *keys)

    def resize(self, columns: int, lines: int) -> None:
        """As a person does with a window."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def screen(self) -> str:
        """What stands there now."""
        return self._tmux("capture-pane", "-p")

    def coloured(self) -> str:
        """The same with its escapes."""
        return self._tmux("capture-pane", "-p", "-e")

    def pid(self) -> int:
        """The process of the shell in the window."""
        return int(self._tmux("display-message", "-p", "#{pane_pid}"))

    def in_full_screen(self) -> bool:
        """Whether the alternate screen is shown, and the mouse is asked for."""
        flags = self._tmux("display-message", "-p", "#{alternate_on}#{mouse_any_flag}")
        return "1" in flags

    def shows(self, *wanted: str, without: str = "") -> str:
        """Once all of these are on the screen, and `without` is not."""

        def look() -> str:
            text = self.screen()
            there = all(one in text for one in wanted)
            return text if there and not (without and without in text) else ""

        return until(look, f"{wanted} without {without!r}", told=lambda: f"\n{self.screen()}")
