"""Hosts of their own on one machine: network namespaces joined by a virtual cable."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Self


def absence() -> str | None:
    """Why no namespaces can be made here; None when they can."""
    if shutil.which("ip") is None:
        return "no ip command on PATH (package iproute2)"
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"mesh-{secrets.token_hex(4)}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode:
        return f"this process may not make network namespaces: {made.stderr.strip()}"
    _ip("netns", "del", name)
    return None


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


class _Hosts:
    """Namespaces by number, made on entry and gone at the end."""

    names: Sequence[str]

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def inside(self, host: int) -> Sequence[str]:
        """What a command begins with to run on a host."""
        return ("ip", "netns", "exec", self.names[host])

    def _build(self) -> None:
        raise NotImplementedError

    def _add(self, name: str) -> None:
        _ip("netns", "add", name)
        self._stack.callback(_ip, "netns", "del", name)
        _ip("-n", name, "link", "set", "lo", "up")


class TwoHosts(_Hosts):
    """Two hosts, 10.77.0.1 and 10.77.0.2, on one cable. It is not plugged in at first."""

    def __init__(self) -> None:
        super().__init__()
        token = secrets.token_hex(3)
        self.names = (f"mesh-a-{token}", f"mesh-b-{token}")
        self._ends = (f"va{token}", f"vb{token}")

    def _build(self) -> None:
        for name in self.names:
            self._add(name)
        first, second = self._ends
        _ip("link", "add", first, "type", "veth", "peer", "name", second)
        for end, name in zip(self._ends, self.names, strict=True):
            _ip("link", "set", end, "netns", name)

    def plug_in(self) -> None:
        """Give both hosts their address and the cable."""
        for number, (end, name) in enumerate(zip(self._ends, self.names, strict=True), 1):
            _ip("-n", name, "address", "add", f"10.77.0.{number}/24", "dev", end)
            _ip("-n", name, "link", "set", end, "up")

    def cut(self) -> None:
        """Both ends see the cable go dead; their addresses stay."""
        _ip("-n", self.names[0], "link", "set", self._ends[0], "down")

    def mend(self) -> None:
        """The cable carries again."""
        _ip("-n", self.names[0], "link", "set", self._ends[0], "up")


class SwitchedHosts(_Hosts):
    """Hosts 10.78.0.1 and up, on one switch from the start; each can be made to fall silent."""

    def __init__(self, count: int) -> None:
        super().__init__()
        token = secrets.token_hex(3)
        self._switch = f"mesh-s-{token}"
        self.names = [f"mesh-{number}-{token}" for number in range(count)]
        self._token = token

    def _build(self) -> None:
        for name in (self._switch, *self.names):
            self._add(name)
        # Without a querier a switch that listens to joins drops mDNS after a while.
        bridge = ("add", "switch", "type", "bridge", "mcast_snooping", "0")
        _ip("-n", self._switch, "link", *bridge)
        _ip("-n", self._switch, "link", "set", "switch", "up")
        for number, name in enumerate(self.names):
            self._plug_in(number, name)

    def silence(self, host: int) -> None:
        """Nothing comes in or goes out, nobody is told, and all that runs there runs on."""
        for chain, link in (("INPUT", "-i"), ("OUTPUT", "-o")):
            rule = ("iptables", "-w", "-I", chain, "!", link, "lo", "-j", "DROP")
            done = subprocess.run([*self.inside(host), *rule], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr

    def _plug_in(self, number: int, name: str) -> None:
        here, there = f"h{number}{self._token}", f"p{number}{self._token}"
        _ip("link", "add", here, "type", "veth", "peer", "name", there)
        _ip("link", "set", here, "netns", name)
        _ip("link", "set", there, "netns", self._switch)
        _ip("-n", self._switch, "link", "set", there, "master", "switch", "up")
        _ip("-n", name, "address", "add", f"10.78.0.{number + 1}/24", "dev", here)
        _ip("-n", name, "link", "set", here, "up")
