"""An engine that answers with bytes from a table: for what no real one does when asked."""

from __future__ import annotations

import contextlib
import json
import os

import trio

GONE = b""
SILENT = None
VERSION = {"Version": "20.10", "Os": "linux", "Arch": "amd64", "Components": [{"Name": "Engine"}]}


def reply(document, status=200) -> bytes:
    return f"HTTP/1.0 {status} x\r\nServer: fake\r\n\r\n{json.dumps(document)}".encode()


@contextlib.asynccontextmanager
async def fake_docker(folder, answers):
    """A socket that answers a path (without its query) with these bytes and hangs up, or stays
    silent after them where a second element says so."""
    path = str(folder / "docker.sock")
    asked = []

    async def serve(stream):
        async with stream:
            request = await stream.receive_some()
            target = request.split(b" ")[1].decode()
            asked.append(target)
            answer = answers.get(target.partition("?")[0], reply({"message": "no such page"}, 404))
            if answer is SILENT:
                await trio.sleep_forever()
            data, then = answer if isinstance(answer, tuple) else (answer, GONE)
            await stream.send_all(data)
            if then is SILENT:
                await trio.sleep_forever()

    socket = trio.socket.socket(trio.socket.AF_UNIX)
    await socket.bind(path)
    socket.listen(10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [trio.SocketListener(socket)])
        try:
            yield path, asked
        finally:
            nursery.cancel_scope.cancel()
            os.unlink(path)
