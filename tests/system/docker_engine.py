"""A Docker engine of the tests' own: below one folder, in a network namespace of its own.

Its image holds busybox alone and is made on the spot: nothing is pulled.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from tests.system.guard import guard

IMAGE = "bmesh-test/busybox:local"
TOOLS = ("dockerd", "docker", "ip", "nsenter", "unshare", "iptables", "busybox")
START_WAIT_S = 90.0
"""A bound against hanging, not a measure: 0.3 s on an idle machine."""
CONTAINERD_LATE = "timeout waiting for containerd to start"
"""What dockerd says when it ends because its containerd took over 15 s: on a busy machine."""
STOP_WAIT_S = 20.0
"""Without live restore, an engine waits 10 s for a container that ignores TERM."""


def absence() -> str | None:
    """Why no engine can be started here; None when one can."""
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"not installed: {', '.join(missing)}"
    if os.geteuid() != 0:
        return "a Docker engine of the tests' own needs root"
    if subprocess.run(["unshare", "-m", "-n", "true"], capture_output=True).returncode:
        return "this process may not make namespaces"
    return None


class PrivateEngine:
    """One dockerd, to be started, killed and started again."""

    def __init__(self, folder: Path, *, live_restore: bool = False) -> None:
        self._folder = folder
        self._live_restore = live_restore
        self._namespace = f"bmesh-{os.getpid()}-{folder.name}"
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = folder / "docker.sock"

    @property
    def inside(self) -> list[str]:
        """Before a command that is to run in its network."""
        return ["nsenter", f"--net=/run/netns/{self._namespace}"]

    @property
    def host(self) -> str:
        """As DOCKER_HOST wants it."""
        return f"unix://{self.socket}"

    def make(self) -> None:
        """Once, before the first start."""
        _run(["ip", "netns", "add", self._namespace])
        _run(["ip", "-n", self._namespace, "link", "set", "lo", "up"])
        self.start()
        self.import_image(IMAGE)

    def start(self) -> None:
        """Start it, also after it was killed, and wait until it answers."""
        give_up_s = time.monotonic() + START_WAIT_S
        self._launch()
        while subprocess.run(self._docker("version"), capture_output=True).returncode:
            over = self._process is not None and self._process.poll() is not None
            if over and CONTAINERD_LATE in self._log_end() and time.monotonic() < give_up_s:
                self._launch()
            elif over or time.monotonic() > give_up_s:
                raise RuntimeError(f"dockerd did not start:\n{self._log_end()}")
            time.sleep(0.05)

    def _launch(self) -> None:
        self._forget_the_dead()
        command = [*self.inside, "dockerd", "--max-download-attempts", "1"]
        command += ["--data-root", f"{self._folder}/root", "--exec-root", f"{self._folder}/exec"]
        command += ["--pidfile", f"{self._folder}/pid", "--host", self.host]
        command += ["--bip", "10.97.0.1/24", "--live-restore" if self._live_restore else "--debug"]
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=log)
        guard(self._process.pid)

    def kill(self) -> None:
        """As a crash: nothing is tidied."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """As its operator would."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(STOP_WAIT_S)

    def unmake(self) -> None:
        """End it with all that it runs, and remove what it leaves mounted."""
        if self._process is not None:
            if self._process.poll() is not None:
                self.start()  # what it ran may run on without it
            if names := self.docker("ps", "--all", "--quiet").split():
                self.docker("rm", "--force", *names)
            self.stop()
        for line in reversed(Path("/proc/mounts").read_text().splitlines()):
            place = line.split()[1]
            if place.startswith(f"{self._folder}/"):
                subprocess.run(["umount", "--lazy", place], capture_output=True)
        _run(["ip", "netns", "delete", self._namespace])
        shutil.rmtree(self._folder, ignore_errors=True)

    def docker(self, *arguments: str) -> str:
        """What the docker command prints."""
        return _run(self._docker(*arguments))

    def import_image(self, name: str) -> None:
        """Make an image of busybox, as `docker import` does: without a digest of any registry."""
        command = self._docker(
            "import", "--change", 'CMD ["/bin/sh"]', "--change", "ENV PATH=/bin", "-", name
        )
        subprocess.run(command, input=busybox(), check=True, capture_output=True)

    def load_image(self, name: str, *, architecture: str) -> None:
        """Load an image that says it is for this kind of machine."""
        layer = busybox()
        config = {
            "os": "linux",
            "architecture": architecture,
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(layer).hexdigest()}"]},
        }
        manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
        files = {
            "layer.tar": layer,
            "config.json": json.dumps(config).encode(),
            "manifest.json": json.dumps(manifest).encode(),
        }
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as tar:
            for path, data in files.items():
                _add_file(tar, path, data)
        subprocess.run(self._docker("load"), input=raw.getvalue(), check=True, capture_output=True)

    def _docker(self, *arguments: str) -> list[str]:
        return ["docker", "--host", self.host, *arguments]

    def _forget_the_dead(self) -> None:
        """Files that name processes which a kill has ended: a new engine would wait for them."""
        for path in (self._folder / "pid", self._folder / "exec/containerd/containerd.pid"):
            with contextlib.suppress(OSError, ValueError):
                state = Path(f"/proc/{int(path.read_text())}/status")
                if not state.exists() or "State:\tZ" in state.read_text():
                    path.unlink()

    def _log_end(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-2000:]


@contextlib.contextmanager
def private_engine(folder: Path, *, live_restore: bool = False) -> Iterator[PrivateEngine]:
    """An engine that runs while the block does."""
    engine = PrivateEngine(folder, live_restore=live_restore)
    try:
        engine.make()
        yield engine
    finally:
        engine.unmake()


def busybox() -> bytes:
    """A root file system in a tar file."""
    path = shutil.which("busybox")
    assert path is not None, "checked before anything starts"
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, mode in (("bin", 0o755), ("tmp", 0o1777), ("etc", 0o755), ("root", 0o700)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            tar.addfile(folder)
        tar.add(os.path.realpath(path), "bin/busybox")
        for applet in _run([path, "--list"]).split():
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            if applet != "busybox":
                tar.addfile(link)
        _add_file(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
    return raw.getvalue()


def _add_file(tar: tarfile.TarFile, path: str, data: bytes) -> None:
    entry = tarfile.TarInfo(path)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
