"""The node's HTTP server: where it listens, who connects, and how it stops."""

from __future__ import annotations

import errno
import logging
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import trio
from starlette.types import ASGIApp

from mesh.edge.http.app import make_app
from mesh.edge.http.connection import Address, Connection
from mesh.edge.http.wire import Wire
from mesh.edge.page_token import PageToken
from mesh.node.config import Address as HostPort
from mesh.node.config import NodeConfig
from mesh.node.doors import Doors

GRACE_S = 1.0
"""Open feeds are cut so long after a stop is asked: a node ends within 3 s in all."""
IDLE_S = 600.0
"""Clients that poll keep one connection, also through a pause of minutes."""
IDLE_LOOK_S = 60.0
"""Between two looks for idle ones: a deadline of its own for each request costs a tenth of it."""
BACKLOG = 1024
"""Connections that wait to be taken, as far as the system's own limit lets them."""
TAKE_AGAIN_S = 0.1
"""Out of descriptors: others have to close theirs first."""
OUT_OF_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
SOCKET_MODE = 0o600
"""The Unix socket is its owner's alone."""
MAX_SOCKET_PATH_BYTES = 107
"""What the address of a Unix socket can hold on Linux."""
UNIX = "unix:"

log = logging.getLogger("mesh.edge.http.server")


class AddressUnusable(Exception):
    """The API cannot listen where it was told to; one sentence with what to do."""


async def serve_doors(
    doors: Doors,
    config: NodeConfig,
    *,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """The API of one node, on its address and on its Unix socket, until cancelled."""
    bind = [str(config.api)]
    if len(os.fsencode(config.socket_path)) <= MAX_SOCKET_PATH_BYTES:
        bind.append(f"{UNIX}{config.socket_path}")
    else:
        log.warning("%s is too long a path for a socket: use %s", config.socket_path, config.api)
    if config.page is None:
        await serve(doors, bind=bind, task_status=task_status)
        return
    async with trio.open_nursery() as nursery:
        urls = await nursery.start(partial(_serve_page, doors, config.page, config.data_dir))
        doors.status = replace(doors.status, page_address=urls[0].partition("://")[2])
        await serve(doors, bind=bind, task_status=task_status)


async def _serve_page(
    doors: Doors, address: HostPort, data_dir: Path, *, task_status: trio.TaskStatus[list[str]]
) -> None:
    """The page alone, on an address of its own."""
    from mesh.edge.http.page_door import PageDoor

    token = PageToken(data_dir)
    try:
        await trio.to_thread.run_sync(token.made)
    except OSError as error:
        raise AddressUnusable(
            f"the page's token cannot be kept in {data_dir} ({error.strerror}): "
            "make room or rights there, or start without --page"
        ) from None
    app = PageDoor(doors, make_app(doors).routes, host=address.host, token=token)
    await serve(doors, app=app, flag="--page", bind=[str(address)], task_status=task_status)


async def serve(
    doors: Doors,
    *,
    bind: Sequence[str],
    app: ASGIApp | None = None,
    flag: str = "--api",
    shutdown: Callable[[], Awaitable[object]] = trio.sleep_forever,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the API, or another `app`, on HOST:PORT and `unix:PATH` until `shutdown` returns.

    `flag` is what named the address, for the sentence about one that cannot be used.
    Started with the URLs that are bound, in the order of `bind`, the taken port for a port 0.
    AddressUnusable when one cannot be bound.
    """
    with ExitStack() as stack:
        try:
            listeners = [stack.enter_context(_listen(address)) for address in bind]
        except OSError as error:
            raise AddressUnusable(_sentence(error, bind, flag)) from None
        server = _Server(app or make_app(doors))
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as acceptors:
                acceptors.start_soon(server.end_idle)
                for listener in listeners:
                    acceptors.start_soon(server.accept, listener, connections)
                task_status.started([_url(listener) for listener in listeners])
                await shutdown()
                acceptors.cancel_scope.cancel()
            server.stop()
            connections.cancel_scope.deadline = trio.current_time() + GRACE_S


class _Server:
    """The connections that are open."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open: set[Connection] = set()
        self._stopping = False

    async def accept(self, listener: socket.socket, nursery: trio.Nursery) -> NoReturn:
        """Take whoever connects."""
        while True:
            try:
                taken, address = listener.accept()
            except BlockingIOError:
                await trio.lowlevel.wait_readable(listener)
            except OSError as error:
                # Who gave up while it waited is no trouble of ours.
                if error.errno in OUT_OF_ROOM:
                    log.warning("the API cannot take a connection: %s", error.strerror)
                    await trio.sleep(TAKE_AGAIN_S)
            else:
                nursery.start_soon(self._serve, taken, address)
                # Those who are here already have their turn between two who come.
                await trio.lowlevel.checkpoint()

    async def _serve(self, taken: socket.socket, address: object) -> None:
        client = server = None
        if taken.family != socket.AF_UNIX:
            client, server = _pair(address), _pair(taken.getsockname())
        connection = Connection(
            self._app, Wire(taken), client=client, server=server, stopping=lambda: self._stopping
        )
        self._open.add(connection)
        try:
            await connection.run()
        except* OSError as errors:
            log.info("a connection ended: %s", errors.exceptions[0])
        except* Exception:
            # One client's trouble does not end the node for all others.
            log.exception("a connection broke off")
        finally:
            self._open.discard(connection)

    async def end_idle(self) -> NoReturn:
        """End connections on which nothing was asked for a long time."""
        while True:
            await trio.sleep(IDLE_LOOK_S)
            self._end_idle_since(trio.current_time() - IDLE_S)

    def stop(self) -> None:
        """Open connections end: idle ones now, the others with the answer that they wait for."""
        self._stopping = True
        self._end_idle_since(trio.current_time())

    def _end_idle_since(self, time_s: float) -> None:
        for connection in self._open:
            if connection.idle_since_s <= time_s:
                connection.wire.patience.cancel()


# --- addresses ------------------------------------------------------------------------------------


def _listen(address: str) -> socket.socket:
    """A listening socket on HOST:PORT or `unix:PATH`. OSError where that is not possible."""
    path = address.removeprefix(UNIX)
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(socket.AF_UNIX if path != address else family)
    try:
        listener.setblocking(False)
        if path != address:
            _remove_old_socket(path)
            listener.bind(path)
            # Nobody can connect before `listen`.
            os.chmod(path, SOCKET_MODE)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, int(port)))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _remove_old_socket(path: str) -> None:
    """The file outlives a process that was killed; one process has the folder, by its lock."""
    try:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.remove(path)
    except FileNotFoundError:
        pass


def _url(listener: socket.socket) -> str:
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"http://{UNIX}{name}"
    host = f"[{name[0]}]" if listener.family == socket.AF_INET6 else name[0]
    return f"http://{host}:{name[1]}"


def _pair(name: object) -> Address:
    assert isinstance(name, tuple)
    return str(name[0]), int(name[1])


def _sentence(error: OSError, bind: Sequence[str], flag: str) -> str:
    what = flag.removeprefix("--").replace("api", "API")
    where = " or ".join(bind)
    if error.errno == errno.EADDRINUSE:
        # A socket's file that is in the way is replaced: only a port can be taken.
        where = " or ".join(one for one in bind if not one.startswith(UNIX))
        return (
            f"the {what} address {where} is in use by another process: choose another with {flag}"
        )
    return f"the {what} cannot listen on {where} ({error.strerror}): choose another with {flag}"
