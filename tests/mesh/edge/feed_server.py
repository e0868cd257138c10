"""A small server that plays the part of a node: a feed of given frames, and answers by path."""

from __future__ import annotations

import http.server
import json
import queue
import socketserver
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mesh.edge.feed_reader import Picture

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "feed"
Frame = Mapping[str, Any]


def fixture_frames(name: str) -> list[Frame]:
    """The frames of `calm`, `split` or `healed`."""
    return list(json.loads((FIXTURES / f"{name}.json").read_text()))


def whole_snapshot(name: str) -> Frame:
    """What all frames of a fixture make out, as a node would tell it to a reader who comes now."""
    picture = Picture()
    for one in fixture_frames(name):
        picture.apply(one["event"], one["data"])
    rows = {
        "Mesh": picture.mesh,
        "Nodes": list(picture.nodes.values()),
        "Jobs": list(picture.jobs.values()),
        "Executions": list(picture.executions.values()),
        "Events": list(picture.events),
    }
    return {"event": "snapshot", "data": {"Piece": 1, "More": False, **rows}}


class FeedServer:
    """Sends `frames` to each reader of the feed, then those that `tell` brings."""

    def __init__(self, frames: Iterable[Frame], port: int = 0) -> None:
        self.frames = [_encoded(number, one) for number, one in enumerate(frames, 1)]
        self.answers: dict[tuple[str, str], Any] = {}
        """(method, path) -> the document of the answer, or the frames of a feed in a list of
        bytes; a tuple of status and document for a refusal."""
        self.files: dict[str, tuple[Mapping[str, str], bytes]] = {}
        """Path -> headers and bytes of a file."""
        self.of_job: dict[str, Any] = {}
        """Job -> the snapshot of a feed of that job alone."""
        self.asked: list[tuple[str, str, Any]] = []
        self.last_ids: list[str] = []
        self._readers: list[queue.SimpleQueue[bytes | None]] = []
        self._server = _Server(self, port)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def __enter__(self) -> FeedServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def last_id(self) -> str:
        """Of the last frame that a reader gets until something is told."""
        return _id(len(self.frames))

    def tell(self, event: str, data: Any) -> None:
        """One more frame, to all who read now and all who come."""
        encoded = _encoded(len(self.frames) + 1, {"event": event, "data": data})
        self.frames.append(encoded)
        for reader in self._readers:
            reader.put(encoded)

    def stop(self) -> None:
        """End every connection, and listen no more."""
        for reader in self._readers:
            reader.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def _read(self) -> queue.SimpleQueue[bytes | None]:
        reader: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        for one in self.frames:
            reader.put(one)
        self._readers.append(reader)
        return reader


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, feed: FeedServer, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.feed = feed


def _id(number: int) -> str:
    return f"1-{number}"


def _encoded(number: int, frame: Frame) -> bytes:
    text = json.dumps(frame["data"], separators=(",", ":"))
    return f"id: {_id(number)}\nevent: {frame['event']}\ndata: {text}\n\n".encode()


def _snapshot(data: Any) -> Frame:
    return {"event": "snapshot", "data": data}


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/api/v1/mesh/watch" and "job" in query:
            self._feed_of(query["job"][0])
        elif path == "/api/v1/mesh/watch":
            self._feed()
        elif path in self.server.feed.files:
            self._file(*self.server.feed.files[path])
        else:
            self._answer("GET", path)

    def do_PUT(self) -> None:
        self._answer("PUT", urlsplit(self.path).path)

    def do_DELETE(self) -> None:
        self._answer("DELETE", urlsplit(self.path).path)

    def _feed(self) -> None:
        self.server.feed.last_ids.append(self.headers.get("Last-Event-ID", ""))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        reader = self.server.feed._read()
        try:
            while (encoded := reader.get()) is not None:
                self.wfile.write(encoded)
        except OSError:
            pass

    def _feed_of(self, job: str) -> None:
        missing = (404, {"Message": f"no job {job}"})
        known = self.server.feed.of_job.get(job)
        frames = missing if known is None else [_encoded(1, _snapshot(known))]
        self.server.feed.answers["GET", self.path] = frames
        self._answer("GET", self.path)

    def _file(self, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _answer(self, method: str, path: str) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.feed.asked.append((method, path, body))
        missing = (404, {"Message": f"nothing at {path}"})
        status, document = 200, self.server.feed.answers.get((method, path), missing)
        if isinstance(document, tuple):
            status, document = document
        self.send_response(status)
        stream = isinstance(document, list)
        kind = "text/event-stream" if stream else "application/json"
        self.send_header("Content-Type", kind)
        self.end_headers()
        try:
            for piece in document if stream else [json.dumps(document).encode()]:
                self.wfile.write(piece)
        except OSError:
            pass
