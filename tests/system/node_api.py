"""A small client of one node's API, and the documents of jobs that tests submit by it.

Nothing here sleeps for a fixed time: `until` looks again and again, up to a deadline that only a
failure reaches.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

from tests.runtime.programs import assemble

PATIENCE_S = 30.0
"""What takes a second on an idle machine may take this on two busy cores."""
LOOK_S = 0.02
JOBS = "/api/v1/orchestrator/jobs"
NODES = "/api/v1/orchestrator/nodes"
FINAL = ("Completed", "Failed", "Stopped")
JSON_HEADERS = {"Content-Type": "application/json"}
Found = TypeVar("Found")


def until(
    look: Callable[[], Found],
    what: str,
    *,
    patience_s: float = PATIENCE_S,
    told: Callable[[], object] = str,
) -> Found:
    """The first true answer of `look`; AssertionError naming `what`, with what is `told` by then,
    when none comes in time."""
    deadline_s = time.monotonic() + patience_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline_s, f"not within {patience_s:g} s: {what} {told()}"
        time.sleep(LOOK_S)


class Answer(NamedTuple):
    """One HTTP answer."""

    status: int
    body: Any
    """The JSON document; the bytes where the answer is none."""


class UnixConnection(http.client.HTTPConnection):
    """One connection to a node's socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(str(self._path))


class Api:
    """A small client of one node: its socket works from other network namespaces too."""

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. A body that is not bytes goes as JSON. OSError when nobody answers."""
        if headers is None:
            headers = JSON_HEADERS
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = UnixConnection(self._socket_path)
        try:
            try:
                connection.request(method, path, data, dict(headers))
            except BrokenPipeError:
                pass  # it has heard enough: the answer says why
            response = connection.getresponse()
            raw = response.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"the node ended while it answered: {error!r}") from error
        finally:
            connection.close()
        kind = response.headers.get("content-type", "")
        return Answer(
            response.status, json.loads(raw) if kind.startswith("application/json") else raw
        )

    def get(self, path: str) -> Any:
        """The document of a GET that must succeed."""
        answer = self.call("GET", path)
        assert answer.status == 200, answer
        return answer.body

    # Jobs.

    def submit(self, document: Mapping[str, Any]) -> Answer:
        """Send a job document."""
        return self.call("PUT", JOBS, {"Job": document})

    def run(self, document: Mapping[str, Any], *modules: bytes) -> str:
        """Send the modules and the job; its id."""
        for module in modules:
            digest = hashlib.sha256(module).hexdigest()
            kept = self.call("PUT", f"/api/v1/mesh/blobs/{digest}", module)
            assert kept.status == 200, kept
        answer = self.submit(document)
        assert answer.status == 200, answer
        return str(answer.body["JobID"])

    def run_program(self, name: str, **fields: Any) -> str:
        """Run one of the test programs; its job's id."""
        return self.run(wasm_job(assemble(name), **fields), assemble(name))

    def job(self, job: str) -> Any:
        """The job with its executions and history; None while this node has not heard of it."""
        answer = self.call("GET", f"{JOBS}/{quote(job, safe='')}?include=executions,history")
        assert answer.status in (200, 404), answer
        return answer.body if answer.status == 200 else None

    def jobs(self) -> dict[str, Any]:
        """All jobs by id."""
        return {one["ID"]: one for one in self.get(JOBS)["Items"]}

    def finished(self, job: str, patience_s: float = PATIENCE_S) -> Any:
        """The job, once it is over."""

        def look() -> Any:
            document = self.job(job)
            return document if document and state_of(document) in FINAL else None

        return until(look, f"{job} is over", patience_s=patience_s)

    def running(self, job: str) -> Any:
        """The job, once an execution of it runs."""

        def look() -> Any:
            document = self.job(job)
            return document if document and "Running" in execution_states(document) else None

        return until(look, f"{job} runs")

    def stop_job(self, job: str) -> None:
        """Ask for a stop."""
        answer = self.call("DELETE", f"{JOBS}/{job}", {"Reason": "the test is over"})
        assert answer.status == 200, answer

    # Nodes.

    def peers(self) -> dict[str, str]:
        """State of every member by name, as this node sees it."""
        nodes = self.get(NODES)["Nodes"]
        return {one["Mesh"]["Name"]: one["Mesh"]["State"] for one in nodes}

    def sees(self, state: str, *names: str, patience_s: float = PATIENCE_S) -> None:
        """Once this node sees all of these members in this state."""
        wanted = dict.fromkeys(names, state)
        until(
            lambda: wanted.items() <= self.peers().items(),
            f"{', '.join(names)} {state}",
            patience_s=patience_s,
            told=self.peers,
        )


def state_of(document: Any) -> str:
    """The state of a job in the answer of `Api.job`."""
    return str(document["Job"]["State"]["StateType"])


def message_of(document: Any) -> str:
    """Its message."""
    return str(document["Job"]["State"].get("Message", ""))


def executions(document: Any) -> list[Any]:
    """Its executions."""
    return list(document["Executions"]["Items"])


def execution_states(document: Any) -> list[str]:
    """The states of its executions in the mesh's own words."""
    return [one["Mesh"]["State"] for one in executions(document)]


def placed_on(document: Any) -> list[str]:
    """Names of the nodes that got executions of it, in order."""
    return [one["Mesh"]["NodeName"] for one in executions(document)]


def wasm_job(module: bytes, **fields: Any) -> dict[str, Any]:
    """A job document around a module that is or will be a blob of the mesh. Fields in lower case
    are the task's (`inputs`, `timeouts`, `resources`), the others the job's."""
    source = {"Type": "mesh", "Params": {"Digest": hashlib.sha256(module).hexdigest()}}
    task = {
        "Name": "main",
        "Engine": {"Type": "wasm", "Params": {"EntryModule": "/main.wasm"}},
        "InputSources": [{"Source": source, "Target": "/main.wasm"}, *fields.pop("inputs", [])],
        "Timeouts": fields.pop("timeouts", {}),
        "Resources": fields.pop("resources", {}),
        "ResultPaths": fields.pop("result_paths", []),
    }
    return {"Type": "batch", "Count": 1, **fields, "Tasks": [task]}


def scripted_job(duration_ms: int = 0, **fields: Any) -> dict[str, Any]:
    """A job document for the engine that plays a script."""
    params = {"DurationMs": duration_ms, "Stdout": "played\n"}
    task = {"Name": "main", "Engine": {"Type": "scripted", "Params": params}}
    task["Resources"] = fields.pop("resources", {"CPU": "10m", "Memory": "1mb"})
    return {"Type": "batch", "Count": 1, **fields, "Tasks": [task]}


def local_input(path: Path, target: str = "/inputs") -> dict[str, Any]:
    """An input source: data in a folder of whichever node has it."""
    source = {"Type": "local", "Params": {"SourcePath": str(path)}}
    return {"Source": source, "Target": target}
