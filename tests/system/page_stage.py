"""The page without a node: its real files, on a feed of given frames."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mesh.edge.http import page
from tests.mesh.edge.feed_server import FeedServer, Frame


def page_server(frames: Iterable[Frame], port: int = 0) -> FeedServer:
    """A server of the page and of these frames."""
    server = FeedServer(frames, port)
    for name, content in page.files().items():
        headers = {**page.HEADERS, "Content-Type": page.KINDS[Path(name).suffix]}
        server.files[f"/page/{name}"] = headers, content
    server.files["/"] = server.files[f"/page/{page.PAGE}"]
    server.files["/entry"] = server.files["/"][0], bytes(page.entry_response(403).body)
    return server
