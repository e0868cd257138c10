"""Which real parts this machine has: tests marked `real("docker")` need one and say so.

A developer without a part sees the test skipped with the reason. Continuous integration names in
MESH_EXPECT_REAL (a comma list) the parts it has installed: there, an absent one is a failure, so
that a broken set-up cannot pass for a green run.
"""

from __future__ import annotations

import functools
import shutil
import socket
from collections.abc import Callable, Collection

from tests.system import docker_engine, namespaces, terminals

MULTICAST_GROUP = "224.0.0.251"
ANSWER_WAIT_S = 2.0


def _wasm() -> str | None:
    try:
        import wasmtime

        wasmtime.wat2wasm("(module)")
    except Exception as error:
        return f"wasmtime does not work here: {error}"
    return None


def _loopback() -> str | None:
    """Multicast on the loopback interface, as mDNS uses it between nodes of one machine."""
    packet = b"bacalhau-mesh test"
    loopback = socket.inet_aton("127.0.0.1")
    try:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        ):
            receiver.bind(("", 0))
            receiver.settimeout(ANSWER_WAIT_S)
            membership = socket.inet_aton(MULTICAST_GROUP) + loopback
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
            sender.sendto(packet, (MULTICAST_GROUP, receiver.getsockname()[1]))
            if receiver.recv(100) != packet:
                return "another packet came back from multicast on loopback"
    except OSError as error:
        return f"no multicast on the loopback interface: {error}"
    return None


def _nats() -> str | None:
    return None if shutil.which("nats-server") else "no nats-server on PATH"


def _chromium() -> str | None:
    return None if shutil.which("chromium") else "no chromium on PATH"


PARTS: dict[str, Callable[[], str | None]] = {
    "wasm": functools.cache(_wasm),
    "loopback": functools.cache(_loopback),
    "docker": functools.cache(docker_engine.absence),
    "nats": functools.cache(_nats),
    "chromium": functools.cache(_chromium),
    "netns": functools.cache(namespaces.absence),
    "tmux": functools.cache(terminals.absence),
}
"""Name of each part, and what tells why it is absent (None when it is there)."""


def expected_parts(text: str) -> frozenset[str]:
    """The parts that MESH_EXPECT_REAL names; ValueError for one that nobody knows."""
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    if unknown := sorted(names - set(PARTS)):
        raise ValueError(
            f"MESH_EXPECT_REAL names {', '.join(unknown)}: the real parts are {', '.join(PARTS)}"
        )
    return names


def verdict(part: str, absent: str | None, expected: Collection[str]) -> tuple[str, str]:
    """What becomes of a test that needs `part`: ("run" | "skip" | "fail", the reason)."""
    if absent is None:
        return "run", ""
    if part in expected:
        return "fail", f"{part} was expected on this machine (MESH_EXPECT_REAL), but: {absent}"
    return "skip", f"{part}: {absent}"
