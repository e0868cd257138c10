"""What a link stands on: listening sockets, and a stream that a stranger cannot fill."""

from __future__ import annotations

import math

import trio

from mesh.node.config import Address, ConfigError

PREAUTH_BYTES = 64 * 1024
"""What a stranger may send before it has proved itself; a handshake needs about 2 KiB."""


class GuardedStream(trio.abc.Stream):
    """A transport that gives up once a stranger has sent too much."""

    def __init__(self, inner: trio.abc.Stream) -> None:
        self._inner = inner
        self._left = float(PREAUTH_BYTES)

    @property
    def heard(self) -> bool:
        """Whether a byte came."""
        return self._left < PREAUTH_BYTES

    def trust(self) -> None:
        """The peer has proved itself: no limit from now on."""
        self._left = math.inf

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._inner.receive_some(max_bytes)
        self._left -= len(data)
        if self._left < 0:
            raise trio.BrokenResourceError(f"over {PREAUTH_BYTES} bytes before authentication")
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._inner.aclose()


async def open_listeners(bind: Address) -> list[trio.SocketListener]:
    """Listen where the operator said; ConfigError with one sentence when that cannot be."""
    try:
        if bind.host or bind.port:
            return await trio.open_tcp_listeners(bind.port, host=bind.host or None)
        # Left to itself each address family would take a free port of its own.
        listeners = await trio.open_tcp_listeners(0, host="0.0.0.0")
        port = listeners[0].socket.getsockname()[1]
        try:
            return listeners + await trio.open_tcp_listeners(port, host="::")
        except OSError:
            return listeners
    except OSError as error:
        raise ConfigError(
            f"Mesh address {bind} cannot be used: {_reason(error)}; name another with --bind, "
            "or :0 for a free port."
        ) from error


def is_refusal(error: BaseException) -> bool:
    """True when a host answered that nobody listens there: its process is gone, the host is not."""
    return _is_always(error, ConnectionRefusedError)


def is_reset(error: BaseException) -> bool:
    """True when a host broke the connection off, as it does for a process that is gone."""
    return _is_always(error, ConnectionResetError)


def _is_always(error: BaseException, kind: type[OSError]) -> bool:
    if isinstance(error, kind):
        return True
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):
        return all(_is_always(one, kind) for one in cause.exceptions)
    return cause is not None and _is_always(cause, kind)


def _reason(error: OSError) -> str:
    text = (error.strerror or str(error)).lower()
    return "the port is taken by another process" if "in use" in text else text
