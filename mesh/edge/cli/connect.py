"""The way from a command to a node: plain HTTP over TCP or the node's Unix socket."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from mesh.edge.cli.errors import CommandFailed, Exit

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 1234
"""Bacalhau's."""
CONNECT_S = 5.0
"""A node on this machine or this network answers in milliseconds, or not at all."""
ANSWER_S = 60.0
"""Bacalhau's servers give up after 30 s; a fetch between nodes may take longer."""
QUIET_S = 45.0
"""A feed says something every 15 s: three silences mean that nobody is there."""
CHUNK_BYTES = 1 << 20
FIRST_ERROR_STATUS = 400
PARTIAL, BEYOND_THE_END = 206, 416

Query = Mapping[str, str | int | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a node's API is: a Unix socket, or a host and port."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    socket_path: str = ""

    def __str__(self) -> str:
        if self.socket_path:
            return self.socket_path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def choose_endpoint(
    *,
    api_host: str,
    api_port: int | None,
    data_dir: str,
    environment: Mapping[str, str] = os.environ,
) -> Endpoint:
    """The first named: flags, Bacalhau's variables, ours, the node's socket, 127.0.0.1:1234."""
    host, port_text = api_host, str(api_port or "")
    if not data_dir or host or port_text:
        host = host or environment.get("BACALHAU_API_HOST", "")
        port_text = port_text or environment.get("BACALHAU_API_PORT", "")
    if host or port_text:
        return _address(host, port_text)
    named = environment.get("BACALHAU_MESH_API", "")
    if named and not data_dir:
        return _address(named.split(",")[0].strip(), "")
    folder = data_dir or environment.get("BACALHAU_MESH_DATA_DIR", "")
    socket_path = _socket_of(Path(folder or "~/.bacalhau-mesh").expanduser())
    if socket_path:
        return Endpoint(socket_path=socket_path)
    if data_dir:
        raise CommandFailed(
            f"no node runs on the data folder {data_dir}",
            Exit.NO_NODE,
            f"Start one with: bacalhau-mesh join --data-dir {data_dir}",
        )
    return Endpoint()


def other_endpoints(environment: Mapping[str, str] = os.environ) -> list[Endpoint]:
    """Where else to ask: BACALHAU_MESH_API may name several nodes, with commas between.

    A node's API is on its own loopback, so the mesh itself does not tell where the others' are.
    """
    named = environment.get("BACALHAU_MESH_API", "").split(",")
    return [_address(one.strip(), "") for one in named if one.strip()]


def _address(host: str, port_text: str) -> Endpoint:
    """HOST, HOST:PORT, `[V6]:PORT`, a URL with a scheme, or `unix:PATH`."""
    if host.startswith("unix:"):
        return Endpoint(socket_path=host.removeprefix("unix:"))
    url = host if "://" in host else f"http://{_bracketed(host or DEFAULT_HOST)}"
    try:
        parts = urlsplit(url)
        port = int(port_text) if port_text else parts.port or DEFAULT_PORT
        usable = parts.scheme == "http" and bool(parts.hostname) and 0 < port <= 65535
    except ValueError:
        usable = False
    if not usable:
        raise CommandFailed(
            f"{host or port_text!r} is not an address of an API",
            Exit.BAD_INPUT,
            "Write --api-host HOST --api-port PORT",
        )
    return Endpoint(str(parts.hostname), port)


def _bracketed(host: str) -> str:
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host


def _socket_of(data_dir: Path) -> str:
    """The socket of the node that runs on this folder, "" when none does."""
    named = ""
    try:
        named = str(json.loads((data_dir / "node.json").read_text()).get("api_socket", ""))
    except (OSError, ValueError, AttributeError):
        pass
    path = Path(named) if named else data_dir / "api.sock"
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with probe:
        try:
            # The file stays when a node is killed: only a connection tells whether one listens.
            probe.connect(str(path))
        except OSError:
            return ""
    return str(path)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class WaitedTooLong(Exception):
    """The deadline of a wait passed."""


class Frame(NamedTuple):
    """One server-sent event."""

    id: str
    """The latest that the feed named; "" if it has none."""
    event: str
    data: Any


class NodeApi:
    """Calls to one node. Every method raises CommandFailed with a sentence when it cannot."""

    def __init__(self, endpoint: Endpoint, *, patience_s: float = ANSWER_S) -> None:
        self.endpoint = endpoint
        self._patience_s = patience_s
        """How long the answer to one call may take to begin."""
        self._socket: socket.socket | None = None
        """Of the latest request: other answers may still be read."""

    def get(self, path: str, query: Query | None = None) -> Any:
        """The JSON answer of a GET."""
        return self._json("GET", path, query)

    def send(self, method: str, path: str, document: Any) -> Any:
        """The JSON answer to a JSON body."""
        headers = {"Content-Type": "application/json"}
        return self._json(method, path, None, json.dumps(document).encode(), headers)

    def send_again(self, method: str, path: str, document: Any) -> Any:
        """As `send`, and once more when the connection broke: the body has an idempotency key."""
        try:
            return self.send(method, path, document)
        except CommandFailed as failure:
            if failure.code is not Exit.NO_NODE:
                raise
        return self.send(method, path, document)

    def put_file(self, path: str, content: bytes) -> Any:
        """Bytes as they are."""
        headers = {"Content-Type": "application/octet-stream"}
        return self._json("PUT", path, None, content, headers)

    def download(self, path: str, *, begin: int = 0) -> tuple[int, Iterator[bytes]]:
        """A body in pieces, from a place on: where the answer begins, and what comes."""
        headers = {"Range": f"bytes={begin}-"} if begin else {}
        response = self._opened("GET", path, headers=headers)
        if response.status == BEYOND_THE_END:
            return self.download(path)
        return (begin if response.status == PARTIAL else 0), self._pieces(response)

    def _pieces(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        with response:
            while chunk := self._read(response, CHUNK_BYTES):
                yield chunk
            if response.length:
                raise self._broken(http.client.IncompleteRead(b"", response.length))

    def events(self, path: str, query: Query | None = None, *, deadline_s: float) -> Iterator[Any]:
        """The documents of a feed of server-sent events, until it ends.

        `deadline_s` is of `time.monotonic`; WaitedTooLong when it passes first.
        """
        for frame in self.frames(path, query, deadline_s=deadline_s):
            yield frame.data

    def frames(
        self,
        path: str,
        query: Query | None = None,
        *,
        last_id: str = "",
        deadline_s: float,
        opened: Callable[[], None] = lambda: None,
        quiet_s: float = QUIET_S,
    ) -> Iterator[Frame]:
        """As `events`, with the name and the id of each; after the one with `last_id` where the
        node still has what came then. `opened` is called once the node has agreed; one that says
        nothing for `quiet_s` is not there any more."""
        headers = {"Last-Event-ID": last_id} if last_id else {}
        name, number = "", last_id
        with self._opened("GET", path, query, headers=headers) as response:
            opened()
            connection = self._socket
            assert connection is not None
            while line := self._readline(response, connection, deadline_s, quiet_s):
                key, _, value = line.rstrip(b"\r\n").partition(b": ")
                if key == b"data":
                    yield Frame(number, name, json.loads(value))
                    name = ""
                elif key == b"event":
                    name = value.decode()
                elif key == b"id":
                    number = value.decode()

    def _json(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        with self._opened(method, path, query, body, headers) as response:
            raw = self._read(response, None)
        try:
            return json.loads(raw)
        except ValueError:
            raise CommandFailed(
                f"{self.endpoint} does not speak the API of a mesh node", Exit.NO_NODE
            ) from None

    def _opened(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        target = path + (f"?{urlencode(query, doseq=True)}" if query else "")
        connection = self._connected()
        try:
            connection.request(method, target, body, {"Connection": "close", **(headers or {})})
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error) from None
        if response.status >= FIRST_ERROR_STATUS and response.status != BEYOND_THE_END:
            raise _refusal(response.status, self._read(response, None), self.endpoint)
        return response

    def _connected(self) -> http.client.HTTPConnection:
        endpoint, connect_s = self.endpoint, min(CONNECT_S, self._patience_s)
        connection: http.client.HTTPConnection
        if endpoint.socket_path:
            connection = _UnixConnection(endpoint.socket_path, connect_s)
        else:
            connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=connect_s)
        try:
            connection.connect()
        except OSError as error:
            raise CommandFailed(
                f"no node answers at {endpoint} ({error.strerror or error})",
                Exit.NO_NODE,
                "Start one with `bacalhau-mesh join`, or name one with --api-host and --api-port",
            ) from None
        connection.sock.settimeout(self._patience_s)
        self._socket = connection.sock
        return connection

    def _read(self, response: http.client.HTTPResponse, size: int | None) -> bytes:
        try:
            return response.read(size)
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error) from None

    def _readline(
        self,
        response: http.client.HTTPResponse,
        connection: socket.socket,
        deadline_s: float,
        quiet_s: float,
    ) -> bytes:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise WaitedTooLong
        connection.settimeout(min(left_s, quiet_s))
        try:
            return response.readline()
        except TimeoutError as error:
            if time.monotonic() >= deadline_s:
                raise WaitedTooLong from None
            raise self._broken(error) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error) from None

    def _broken(self, error: Exception) -> CommandFailed:
        why = str(error) or type(error).__name__
        return CommandFailed(
            f"the connection to the node at {self.endpoint} broke ({why})",
            Exit.NO_NODE,
            "What the node had acknowledged is kept: ask again, also at another node",
        )


def _refusal(status: int, raw: bytes, endpoint: Endpoint) -> CommandFailed:
    """The node's own sentence; a mistake in what was sent counts as the user's input."""
    try:
        document = json.loads(raw)
        message, hint = str(document["Message"]), str(document.get("Hint", ""))
    except (ValueError, KeyError, TypeError):
        return CommandFailed(f"{endpoint} answered {status} without a reason", Exit.NO_NODE)
    bad = status in (400, 413, 415, 422)
    return CommandFailed(message, Exit.BAD_INPUT if bad else Exit.JOB_FAILED, hint)
