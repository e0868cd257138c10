"""The node's HTTP server: hypercorn on trio over the API application."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Awaitable, Callable, Sequence

import trio
from hypercorn.config import Config
from hypercorn.trio import serve as hypercorn_serve
from hypercorn.typing import Framework

from mesh.edge.http.app import make_app
from mesh.node.config import NodeConfig
from mesh.node.doors import Doors

KEEP_ALIVE_S = 600.0
"""Clients that poll keep one connection; hypercorn's own 5 s cuts them off between two commands."""
MANY_REQUESTS = 1 << 40
"""No limit of requests to a connection: hypercorn's own 1,000 cuts busy clients off."""
GRACE_S = 1.0
"""Open feeds are cut so long after a stop is asked: a node ends within 3 s in all."""
SOCKET_UMASK = 0o177
"""The Unix socket is its owner's alone."""
MAX_SOCKET_PATH_BYTES = 107
"""What the address of a Unix socket can hold on Linux."""

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
        bind.append(f"unix:{config.socket_path}")
    else:
        log.warning("%s is too long a path for a socket: use %s", config.socket_path, config.api)
    await serve(doors, bind=bind, task_status=task_status)


async def serve(
    doors: Doors,
    *,
    bind: Sequence[str],
    shutdown: Callable[[], Awaitable[object]] = trio.sleep_forever,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the API on HOST:PORT and `unix:PATH` addresses until `shutdown` returns.

    Started with the URLs that are bound, in the order of `bind`, the taken port for a port 0.
    AddressUnusable when one cannot be bound.
    """
    config = Config()
    config.bind = list(bind)
    config.umask = SOCKET_UMASK
    config.accesslog = None
    config.errorlog = log
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.keep_alive_max_requests = MANY_REQUESTS
    config.graceful_timeout = GRACE_S
    config.include_server_header = False
    app: Framework = make_app(doors)  # type: ignore[assignment]
    try:
        await hypercorn_serve(
            app, config, shutdown_trigger=_awaiting(shutdown), task_status=task_status
        )
    except* OSError as group:
        raise AddressUnusable(_sentence(group, bind)) from None


def _awaiting(shutdown: Callable[[], Awaitable[object]]) -> Callable[..., Awaitable[None]]:
    async def trigger(*_: object) -> None:
        await shutdown()

    return trigger


def _sentence(group: ExceptionGroup[OSError], bind: Sequence[str]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, OSError)
    where = " or ".join(bind)
    if error.errno == errno.EADDRINUSE:
        # A socket's file that is in the way is replaced: only a port can be taken.
        where = " or ".join(one for one in bind if not one.startswith("unix:"))
        return f"the API address {where} is in use by another process: choose another with --api"
    return f"the API cannot listen on {where} ({error.strerror}): choose another with --api"
