"""A real browser without a window, driven over its DevTools protocol."""

from __future__ import annotations

import base64
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

KEYS = {
    "Tab": 9, "Enter": 13, "Escape": 27, "End": 35, "Home": 36, "ArrowUp": 38, "ArrowDown": 40,
    "/": 191,
}  # fmt: skip
"""Names of keys as browsers tell them, and their numbers."""
TEXT_OF = {"Enter": "\r", "/": "/"}
GOING = ("navigated or closed", "context was destroyed", "find context", "find default execution")
"""How the protocol says so of a page that goes."""
COMPLAINTS = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")


class PageGoing(AssertionError):
    """The page made room for another while it was asked."""


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
                if (error := message.get("error")) is not None:
                    going = any(word in error["message"] for word in GOING)
                    raise (PageGoing if going else AssertionError)(message)
                return message["result"]
            self._events.append(message)

    def open(self, url: str) -> None:
        """Go to a page; not waited for."""
        self.call("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript gives, a promise once it is kept."""
        told = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def seen(self, expression: str) -> Any:
        """The same, to be asked again: None of a page that makes room for another just then."""
        try:
            return self.value(expression)
        except PageGoing:
            return None

    def text(self, selector: str) -> str:
        """The text that is shown there, "" where nothing is."""
        found = f"document.querySelector({json.dumps(selector)})"
        return str(self.seen(f"{found}?.innerText") or "")

    def shows(self, selector: str, *words: str) -> str:
        """The text there, once it has all of these words."""

        def look() -> str:
            text = self.text(selector)
            return text if all(word in text for word in words) else ""

        return until(look, f"{selector} shows {words}", told=lambda: self.text("body"))

    def comes(self, expression: str) -> Any:
        """The first true value of an expression."""
        return until(lambda: self.seen(expression), expression, told=lambda: self.text("body"))

    def click(self, selector: str) -> None:
        """Click what is there."""
        self.value(f"document.querySelector({json.dumps(selector)}).click()")

    def press(self, *keys: str, shift: bool = False) -> None:
        """Press keys, one after another; those not in KEYS are typed as text."""
        for key in keys:
            if key not in KEYS:
                self.call("Input.insertText", text=key)
                continue
            known = {"key": key, "windowsVirtualKeyCode": KEYS[key], "modifiers": 8 * shift}
            text = {"text": TEXT_OF[key]} if key in TEXT_OF else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", **known, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", **known)

    def view(self, width: int, height: int, *, dark: bool = False, still: bool = False) -> None:
        """Show it in a window of this size, in the dark, to somebody who wants nothing to move."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        wishes = {
            "prefers-color-scheme": "dark" if dark else "light",
            "prefers-reduced-motion": "reduce" if still else "no-preference",
        }
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.call("Emulation.setEmulatedMedia", features=features)

    def tree(self) -> list[Any]:
        """What a screen reader is given, with the nodes that it passes over."""
        return list(self.call("Accessibility.getFullAXTree")["nodes"])

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Write what is seen, or the whole page, as PNG."""
        taken = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(taken["data"]))

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
