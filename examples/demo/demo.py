"""Three nodes, a real job, its result: what `make demo` shows.

A ship: the bridge asks, the engine room has the data. Every step is a command that a person would
type; all of it stays on the loopback interface and is gone at the end.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # the demo's own script stands beside it and in no package

from make_readings import make_readings  # noqa: E402

NAMES = ("bridge", "galley", "engine-room")
START_S = 30.0
"""Three nodes on two busy cores are up within three seconds."""
JOB_S = 60.0
STOP_S = 5.0
LOOK_S = 0.02
SPINNER = "|/-\\"


class DemoFailed(Exception):
    """What went wrong and what to do, in one sentence."""


class Step:
    """One line with a moving mark while something takes time; plain lines where no one watches."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._moving = sys.stdout.isatty()
        self._done = threading.Event()
        self._begun_s = time.monotonic()
        self._thread = threading.Thread(target=self._spin, daemon=True)

    def __enter__(self) -> Step:
        if self._moving:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        took_s = time.monotonic() - self._begun_s
        if self._moving:
            self._thread.join()
        mark = "ok" if error is None else "no"
        start = "\r" if self._moving else ""
        print(f"{start}  [{mark}] {self._text} ({took_s:.1f} s)", flush=True)

    def _spin(self) -> None:
        number = 0
        while not self._done.wait(0.1):
            print(f"\r  [{SPINNER[number % 4]} ] {self._text}", end="", flush=True)
            number += 1


class Node:
    """One `bacalhau-mesh join`."""

    def __init__(self, name: str, folder: Path, secret: str, allow_path: Path | None) -> None:
        self.name = name
        self.data_dir = folder / name
        self.log_path = folder / f"{name}.log"
        self.arguments = ["join", "--name", name, "--data-dir", str(self.data_dir)]
        self.arguments += ["--bind", "127.0.0.1:0", "--api", "127.0.0.1:0"]
        if allow_path is not None:
            self.arguments += ["--allow-path", str(allow_path)]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mesh", *self.arguments],
                env=_environment() | {"BACALHAU_MESH_LAB": secret},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self, deadline_s: float) -> None:
        """Until it says where it answers."""
        while not (self.data_dir / "node.json").exists():
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                words = self.log_path.read_text(errors="replace").strip().splitlines()
                raise DemoFailed(f"the node {self.name} did not start: {(words or ['-'])[-1]}")
            time.sleep(LOOK_S)

    def run(self, *arguments: str, timeout_s: float = JOB_S) -> str:
        """A client's command at this node: what it printed."""
        page = json.loads((self.data_dir / "node.json").read_text())
        host, _, port = page["api_addresses"][0].rpartition(":")
        done = subprocess.run(
            [sys.executable, "-m", "mesh", *arguments],
            env=_environment() | {"BACALHAU_API_HOST": host, "BACALHAU_API_PORT": port},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise DemoFailed(f"`bacalhau-mesh {' '.join(arguments)}` failed: {said}")
        return done.stdout

    def read(self, *arguments: str) -> Any:
        """The same, as the document that it prints."""
        return json.loads(self.run(*arguments, "--output", "json"))


def _environment() -> dict[str, str]:
    """What the caller set for a node of their own is not for these."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BACALHAU_")}


@contextmanager
def three_nodes(folder: Path, readings: Path) -> Iterator[Sequence[Node]]:
    """Started together; all ended, whatever happens."""
    secret = secrets.token_hex(16)
    with ExitStack() as stack:
        nodes: list[Node] = []
        for name in NAMES:
            offered = readings if name == NAMES[-1] else None
            node = Node(name, folder, secret, offered)
            stack.callback(_end, node)
            nodes.append(node)
        yield nodes
        for node in nodes:
            node.process.send_signal(signal.SIGTERM)


def _end(node: Node) -> None:
    node.process.send_signal(signal.SIGTERM)
    try:
        node.process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        node.process.kill()
        node.process.wait()


def say(*lines: str) -> None:
    """For the reader."""
    print(*lines, sep="\n", flush=True)


def demo(folder: Path) -> None:
    """The whole story; DemoFailed when a part of it does not hold."""
    say("", "bacalhau-mesh: a ship, three machines, no server.", "")
    readings = folder / "readings"
    readings.mkdir()
    with Step("20 MB of readings, in the engine room's folder only"):
        make_readings(readings / "readings.csv")
    module = folder / "summarise.wasm"
    with Step("a WebAssembly program assembled from its text"):
        _assemble(HERE / "summarise.wat", module)
    with three_nodes(folder, readings) as nodes:
        bridge, galley, _ = nodes
        with Step("three processes started, each a whole node"):
            deadline_s = time.monotonic() + START_S
            for node in nodes:
                node.wait_ready(deadline_s)
        with Step("they found each other by mDNS on the loopback interface"):
            _wait_met(nodes, time.monotonic() + START_S)
        say("", f"At the {bridge.name}:", f"  $ {_shown(_job_arguments(module, readings))}", "")
        with Step("the job ran where its data are"):
            job = bridge.run(*_job_arguments(module, readings), "--id-only").strip()
        story = bridge.read("job", "describe", job)
        _check_placed_at(story, bridge.read("node", "list"), NAMES[-1])
        say("", "What happened:", *_story(story), "")
        target = folder / "result"
        say(f"At the {galley.name}:", f"  $ bacalhau-mesh job get {job[:10]}", "")
        with Step("the result fetched through a node that had no part in it"):
            galley.run("job", "get", job, "--output-dir", str(target))
        report = next(iter(sorted(target.rglob("report.txt"))), None)
        if report is None:
            raise DemoFailed("the result holds no report.txt")
        say("", "The result:", *(f"  {line}" for line in report.read_text().splitlines()), "")
        with Step("everything stopped"):
            for node in nodes:
                _end(node)


def _assemble(text: Path, module: Path) -> None:
    import wasmtime

    module.write_bytes(bytes(wasmtime.wat2wasm(text.read_text())))


def _wait_met(nodes: Sequence[Node], deadline_s: float) -> None:
    for node in nodes:
        while sum(_is_connected(one) for one in node.read("node", "list")) < len(nodes):
            if time.monotonic() > deadline_s:
                raise DemoFailed(
                    f"{node.name} has not found the others; see {node.log_path} for what it heard"
                )
            time.sleep(LOOK_S)


def _is_connected(node: Any) -> bool:
    return bool(node["ConnectionState"]["Status"] == "CONNECTED")


def _job_arguments(module: Path, readings: Path) -> list[str]:
    return [
        *("wasm", "run", str(module)),
        *("--input", f"file://{readings}:/inputs"),
        *("--output", "report:/outputs"),
    ]


def _shown(arguments: Sequence[str]) -> str:
    return " ".join(
        ["bacalhau-mesh", *(Path(one).name if "/" in one[:1] else one for one in arguments)]
    )


def _check_placed_at(story: Any, nodes: Any, name: str) -> None:
    names = {one["Info"]["NodeID"]: one["Info"]["Labels"]["name"] for one in nodes}
    where = [names[one["NodeID"]] for one in story["Executions"]["Items"]]
    if where != [name]:
        raise DemoFailed(f"the job ran on {where}, and its data are on {name}")


def _story(story: Any) -> list[str]:
    items = story["History"]["Items"]
    begun = _seconds(items[0]["Time"])
    lines = []
    for item in items:
        event = item["Event"]
        details = event.get("Details") or {}
        why = details.get("Reason") or details.get("AcceptedBy", "")
        after_ms = (_seconds(item["Time"]) - begun) * 1000
        lines.append(f"  {after_ms:6.0f} ms  {event['Message']}{f'  ({why})' if why else ''}")
    return lines


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def main() -> int:
    """0 when the story held, 1 when not."""
    begun_s = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="mesh-demo-"))
    try:
        demo(folder)
    except DemoFailed as failure:
        say("", f"The demo failed: {failure}.")
        return 1
    except KeyboardInterrupt:
        say("", "Stopped.")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    say("", f"Done in {time.monotonic() - begun_s:.1f} s. Nothing was left running.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
