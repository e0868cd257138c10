"""A registry with one image, as a program: it runs where the engine can reach it.

`python fake_registry.py FOLDER` serves `FOLDER/manifest.json` and `FOLDER/blobs/DIGEST`, writes its
port to `FOLDER/port`, and stops in the middle of a large blob until `FOLDER/go` is there; when
`FOLDER/die` is, it ends there and then.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LARGE_BYTES = 1 << 20
PATIENCE_S = 60.0
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
HERE = "amd64" if os.uname().machine == "x86_64" else "arm64"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class Handler(BaseHTTPRequestHandler):
    folder: Path

    def do_GET(self) -> None:
        manifest = (self.folder / "manifest.json").read_bytes()
        kind, _, name = self.path.removeprefix("/v2/tiny/").partition("/")
        if self.path == "/v2/":
            self._answer(200, "application/json", b"{}")
        elif kind == "manifests" and name in ("1", f"sha256:{sha256(manifest).hexdigest()}"):
            self._answer(200, MANIFEST, manifest)
        elif kind == "blobs" and (self.folder / "blobs" / name).exists():
            data = (self.folder / "blobs" / name).read_bytes()
            self._answer(200, "application/octet-stream", data)
        else:
            errors = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
            self._answer(404, "application/json", json.dumps(errors).encode())

    do_HEAD = do_GET  # noqa: N815 (the name that the library calls)

    def _answer(self, status: int, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Docker-Content-Digest", f"sha256:{sha256(data).hexdigest()}")
        self.end_headers()
        if self.command == "HEAD":
            return
        half = len(data) // 2 if len(data) > LARGE_BYTES else len(data)
        self.wfile.write(data[:half])
        self.wfile.flush()
        give_up_s = time.monotonic() + PATIENCE_S
        while half < len(data) and not (self.folder / "go").exists():
            if (self.folder / "die").exists() or time.monotonic() > give_up_s:
                os._exit(0)
            time.sleep(0.02)
        self.wfile.write(data[half:])

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


def write_image(folder: Path, layer: bytes, architecture: str) -> None:
    """The files of an image with this one layer, a tar file."""
    packed = gzip.compress(layer, 1)
    config = {
        "os": "linux",
        "architecture": architecture or HERE,
        "config": {"Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(layer).hexdigest()}"]},
    }
    raw = json.dumps(config).encode()
    (folder / "blobs").mkdir()
    for data in (packed, raw):
        (folder / "blobs" / f"sha256:{sha256(data).hexdigest()}").write_bytes(data)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _described(CONFIG, raw),
        "layers": [_described(LAYER, packed)],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _described(kind: str, data: bytes) -> dict[str, object]:
    digest = f"sha256:{sha256(data).hexdigest()}"
    return {"mediaType": kind, "size": len(data), "digest": digest}


@contextmanager
def serving_image(
    folder: Path, layer: bytes, inside: list[str], *, architecture: str = ""
) -> Iterator[str]:
    """The name of the image while it is served; `inside` is a command that runs another one where
    the engine is. It says that it is for this machine's `architecture` unless one is given."""
    write_image(folder, layer, architecture)
    process = subprocess.Popen([*inside, sys.executable, __file__, str(folder)])
    try:
        give_up_s = time.monotonic() + PATIENCE_S
        while not (folder / "port").exists():
            assert process.poll() is None, "the registry did not start"
            assert time.monotonic() < give_up_s, "the registry does not start"
            time.sleep(0.02)
        yield f"127.0.0.1:{(folder / 'port').read_text()}/tiny:1"
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    Handler.folder = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    (Handler.folder / "port.new").write_text(str(server.server_port))
    (Handler.folder / "port.new").rename(Handler.folder / "port")
    server.serve_forever()
