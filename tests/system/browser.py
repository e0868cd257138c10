"""A real browser without a window, driven over its DevTools protocol."""

from __future__ import annotations

import json
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.system.mesh_processes import PATIENCE_S, until

COMPLAINTS = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")


class Browser:
    """One tab. What it complained about and what it asked for is kept."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self._events: list[Any] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """One command, and its answer."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]
            self._events.append(message)

    def open(self, url: str) -> None:
        """Go to a page; not waited for."""
        self.call("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript gives."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def text(self, selector: str) -> str:
        """The text that is shown there, "" where nothing is."""
        found = f"document.querySelector({json.dumps(selector)})"
        return str(self.value(f"{found}?.innerText ?? ''"))

    def shows(self, selector: str, *words: str) -> str:
        """The text there, once it has all of these words."""

        def look() -> str:
            text = self.text(selector)
            return text if all(word in text for word in words) else ""

        return until(look, f"{selector} shows {words}", told=lambda: self.text("body"))

    def click(self, selector: str) -> None:
        """Click what is there."""
        self.value(f"document.querySelector({json.dumps(selector)}).click()")

    @property
    def complaints(self) -> list[Any]:
        """What its console has."""
        return [one["params"] for one in self._events if one["method"] in COMPLAINTS]

    @property
    def asked(self) -> set[str]:
        """Every address that the page asked for."""
        sent = [one for one in self._events if one["method"] == "Network.requestWillBeSent"]
        return {one["params"]["request"]["url"] for one in sent}


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own, ended at the end."""
    profile = Path(tempfile.mkdtemp(prefix="browser-", dir=folder))
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-dev-shm-usage"]
    command += ["--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
    with open(profile / "log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        port_file = profile / "DevToolsActivePort"
        until(lambda: port_file.exists() and port_file.read_text(), "the browser is ready")
        port = port_file.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=PATIENCE_S) as answer:
            tabs = [one for one in json.load(answer) if one["type"] == "page"]
        with connect(tabs[0]["webSocketDebuggerUrl"], max_size=None) as socket:
            yield Browser(socket)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
