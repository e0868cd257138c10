"""One connection as bytes: a socket that does not block, and how patient we are with it."""

from __future__ import annotations

import contextlib
import math
import socket

import trio

READ_BYTES = 1 << 16
SEND_S = 120.0
"""A reader that takes nothing for so long is gone; less would cut off who pauses a terminal."""
LINGER_S = 2.0
"""How long bytes that nobody wants are still read, so that the answer to them arrives."""


class Wire:
    """Reads and writes of one connection; all of it ends when `patience` is cancelled.

    A socket is used directly: most answers fit into its buffer, and then nothing needs to wait.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        if connection.family != socket.AF_UNIX:
            # Who has gone already is noticed by the first read.
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connection
        self.patience = trio.CancelScope()
        """The life of the connection; its deadline is moved with what is waited for."""
        self.ended = False
        """The other side sends nothing any more: it has closed its half, or all."""
        self.broken = False
        """Nothing can be sent any more."""

    def wait_for(self, seconds: float) -> None:
        """From now on the connection ends after so long, until told otherwise."""
        self.patience.deadline = trio.current_time() + seconds if seconds < math.inf else math.inf

    async def receive(self) -> bytes:
        """Some bytes; none at the end."""
        while True:
            # Most clients have nothing to say yet, and who always has must not keep others waiting.
            await trio.lowlevel.wait_readable(self._socket)
            try:
                data = self._socket.recv(READ_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                data, self.broken = b"", True
            self.ended = not data
            return data

    async def send(self, data: bytes) -> None:
        """Send all of it, while its reader takes some at least every `SEND_S`.

        Bytes for a reader that has gone are dropped: `broken` tells.
        """
        rest = self._send_some(memoryview(data))
        if not rest:
            return
        try:
            while rest:
                self.wait_for(SEND_S)
                await trio.lowlevel.wait_writable(self._socket)
                rest = self._send_some(rest)
        except trio.Cancelled:
            # Whatever followed would be read as the rest of this.
            self.broken = True
            raise
        self.wait_for(math.inf)

    def _send_some(self, data: memoryview) -> memoryview:
        """What is left to send."""
        if self.broken:
            return data[:0]
        try:
            return data[self._socket.send(data) :]
        except BlockingIOError:
            return data
        except OSError:
            self.broken = True
            return data[:0]

    async def linger(self) -> None:
        """Say that nothing more comes, and read on for a while.

        Closing while bytes are on their way here resets the connection, and the other side may lose
        an answer that it has not read.
        """
        self.wait_for(LINGER_S)
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return
        while not self.ended:
            await self.receive()

    def close(self) -> None:
        """End it, whatever is on its way."""
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()
