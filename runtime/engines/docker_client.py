"""Where an engine listens, what it is, and the SDK's calls in threads of their own.

The SDK is loaded by the first call: a node without containers does not pay for it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from runtime.engines.docker_wire import EngineAway, EngineRefused, ask

if TYPE_CHECKING:
    from docker import APIClient

CALLS_AT_ONCE = 16
"""Questions and signals, which cost an engine next to nothing."""
WORKS_PER_CORE = 2
"""Of what makes an engine work (create, start, remove). More only wait inside it: 50 containers on
three nodes of one machine took 1.04 times a bare loop's time, with eight per core 1.10 times (means
of eight runs each, which differ by more than that among themselves)."""
WORKS_AT_ONCE = 4
"""At the least: some wait for the disk."""
CALL_WAIT_S = 60
"""The SDK's own default: a start on a busy machine takes seconds."""
UNIX = "unix://"


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """An engine that answers."""

    socket: str
    version: str
    os: str
    architecture: str
    """As images spell it: amd64, arm64."""
    podman: bool
    root: bool
    """Whether it runs as root: then a container's root is the machine's."""


def socket_candidates(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Places to look at, in order. EngineAway where DOCKER_HOST names no socket of this machine."""
    host = environment.get("DOCKER_HOST", "")
    if host.startswith(UNIX):
        return (host.removeprefix(UNIX),)
    if host:
        raise EngineAway(
            f"DOCKER_HOST is {host}, but jobs' folders are on this machine: only a unix:// socket "
            "serves"
        )
    own = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return (
        "/var/run/docker.sock",
        f"{own}/docker.sock",
        "/run/podman/podman.sock",
        f"{own}/podman/podman.sock",
    )


async def find_engine(environment: Mapping[str, str]) -> EngineFacts:
    """The first engine that answers. EngineAway with a sentence's middle where none does."""
    candidates = socket_candidates(environment)
    reason = f"no socket is at {' or '.join(candidates[:1] + candidates[2:3])}"
    for socket in filter(os.path.exists, candidates):
        try:
            version = await ask(socket, "/version")
            names = [part.get("Name") for part in version.get("Components") or ()]
            return EngineFacts(
                socket,
                version["Version"],
                version["Os"],
                version["Arch"],
                podman="Podman Engine" in names,
                root=os.stat(socket).st_uid == 0,
            )
        except EngineAway as error:
            reason = f"the engine at {socket}: {error}"
        except EngineRefused as error:
            reason = f"the engine at {socket} answers {error.status} to a plain question"
        except (KeyError, AttributeError, TypeError, OSError):
            reason = f"what answers at {socket} is no Docker engine"
    raise EngineAway(reason)


class DockerCalls:
    """The SDK's calls to one engine. Each raises EngineAway or EngineRefused."""

    def __init__(self, socket: str) -> None:
        self.socket = socket
        self._asks = trio.CapacityLimiter(CALLS_AT_ONCE)
        self._works = trio.CapacityLimiter(
            max(WORKS_AT_ONCE, WORKS_PER_CORE * (os.cpu_count() or 1))
        )
        self._lock = threading.Lock()
        self._made: APIClient | None = None

    async def create(self, name: str, options: Mapping[str, Any]) -> None:
        """Make a container, not running yet. Waits for the end also when cancelled: else it might
        come into being behind the back of whoever cleans up."""
        await self._work(
            lambda api: api.create_container_from_config(dict(options), name), abandon=False
        )

    async def start(self, name: str) -> None:
        """Start what was created."""
        await self._work(lambda api: api.start(name))

    async def kill(self, name: str, signal: str) -> None:
        """Send a signal to its first process."""
        await self._ask(lambda api: api.kill(name, signal))

    async def remove(self, name: str) -> None:
        """Remove it, running or not, with the volumes that came with it."""
        await self._work(lambda api: api.remove_container(name, v=True, force=True))

    async def inspect(self, name: str) -> Mapping[str, Any]:
        """All that the engine knows of a container."""
        found: Mapping[str, Any] = await self._ask(lambda api: api.inspect_container(name))
        return found

    async def inspect_image(self, name: str) -> Mapping[str, Any]:
        """All that the engine knows of an image."""
        found: Mapping[str, Any] = await self._ask(lambda api: api.inspect_image(name))
        return found

    async def registry_login(self, image: str) -> Mapping[str, str]:
        """Headers with what this user's Docker configuration has for the image's registry."""
        headers: Mapping[str, str] = await self._ask(lambda api: _login_header(image))
        return headers

    async def _ask(self, do: Callable[[Any], Any]) -> Any:
        return await self._call(do, self._asks)

    async def _work(self, do: Callable[[Any], Any], *, abandon: bool = True) -> Any:
        return await self._call(do, self._works, abandon=abandon)

    async def _call(
        self, do: Callable[[Any], Any], limiter: trio.CapacityLimiter, *, abandon: bool = True
    ) -> Any:
        return await trio.to_thread.run_sync(
            partial(self._blocking, do), limiter=limiter, abandon_on_cancel=abandon
        )

    def _blocking(self, do: Callable[[Any], Any]) -> Any:
        import docker.errors
        import requests.exceptions

        try:
            return do(self._client())
        except docker.errors.APIError as error:
            status = error.status_code or 500
            raise EngineRefused(int(status), str(error.explanation or error)) from None
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise EngineAway(f"a call to it failed ({type(error).__name__})") from error

    def _client(self) -> APIClient:
        import docker

        with self._lock:
            if self._made is None:
                self._made = docker.APIClient(
                    base_url=UNIX + self.socket,
                    version="auto",
                    timeout=CALL_WAIT_S,
                    max_pool_size=CALLS_AT_ONCE + int(self._works.total_tokens),
                )
            return self._made


def _login_header(image: str) -> Mapping[str, str]:
    from docker import auth

    registry, _ = auth.resolve_repository_name(image)
    login = auth.resolve_authconfig(auth.load_config(), registry)
    return {"X-Registry-Auth": auth.encode_header(login).decode()} if login else {}


def real_path(path: Path) -> Path:
    """The path of what this process holds open as /proc/PID/fd/N: the engine has a view of mounts
    of its own, in which such a path leads nowhere. OSError where it no longer leads to the same
    file: somebody has put another in its place."""
    if path.parent != Path(f"/proc/{os.getpid()}/fd"):
        return path
    found = Path(os.readlink(path))
    held, there = os.stat(path), os.stat(found, follow_symlinks=False)
    if (held.st_dev, held.st_ino) != (there.st_dev, there.st_ino):
        raise OSError(0, f"{found} was replaced while the job was prepared")
    return found
