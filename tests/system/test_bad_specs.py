"""Bad input and foreign requests: refused with the field named, and nothing written."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.system.mesh_processes import (
    JOBS,
    JSON_HEADERS,
    Mesh,
    Node,
    scripted_job,
    state_of,
)

pytestmark = pytest.mark.real("loopback")

Change = Callable[[dict[str, Any]], object]


def _set(*path: str | int, to: Any) -> Change:
    def change(document: Any) -> None:
        for part in path[:-1]:
            document = document[part]
        document[path[-1]] = to

    return change


BAD: list[tuple[Change, list[str]]] = [
    (_set("Type", to="bacth"), ["Type", "batch"]),
    (_set("Count", to=-1), ["Count"]),
    (_set("Count", to="three"), ["Count"]),
    (_set("Tasks", to=[]), ["Tasks"]),
    (_set("Tasks", 0, "Engine", "Type", to="wsam"), ["Tasks[0].Engine.Type"]),
    (_set("Tasks", 0, "Resources", "CPU", to="-1"), ["Tasks[0].Resources.CPU"]),
    (_set("Tasks", 0, "Resources", "Memory", to="1Zi"), ["Tasks[0].Resources.Memory"]),
    (_set("Tasks", 0, "Enviroment", to={}), ["Tasks[0].Enviroment", "Env"]),
    (_set("Tasks", 0, "Timeouts", to={"TotalTimeout": -5}), ["Tasks[0].Timeouts.TotalTimeout"]),
    (_set("Constraints", to=[{"Key": "a", "Operator": "~"}]), ["Constraints[0].Operator"]),
    (
        _set("Tasks", 0, "InputSources", to=[{"Source": {"Type": "local"}, "Target": "/../x"}]),
        ["Tasks[0].InputSources[0].Target", "Tasks[0].InputSources[0].Source.Params.SourcePath"],
    ),
    (_set("Name", to="a\u202eb"), ["Name"]),
]


@pytest.fixture
def node(lone_mesh: Mesh) -> Node:
    return lone_mesh["alone"]


def _ledger_bytes(node: Node) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in node.data_dir.glob("mesh.sqlite*")}


def _changed(change: Change) -> dict[str, Any]:
    document = copy.deepcopy(scripted_job())
    change(document)
    return document


@pytest.mark.parametrize(("change", "named"), BAD)
def test_a_bad_spec_is_400_with_the_field_named_and_exit_2(
    node: Node, tmp_path: Path, change: Change, named: list[str]
) -> None:
    document = _changed(change)
    before, jobs = _ledger_bytes(node), node.api.jobs()
    answer = node.api.submit(document)
    assert answer.status == 400, answer
    assert answer.body["Code"] == "ValidationError"
    for field in named:
        assert field in answer.body["Message"], answer.body["Message"]
    file = tmp_path / "job.json"
    file.write_text(json.dumps(document))
    done = node.run("job", "run", str(file))
    assert done.code == 2, done
    assert named[0] in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert node.api.jobs() == jobs
    assert _ledger_bytes(node) == before, "nothing was written"


def test_every_problem_comes_in_one_answer(node: Node) -> None:
    document = scripted_job(Count=-1, Priority="high")
    document["Tasks"][0]["Resources"] = {"CPU": "many"}
    message = node.api.submit(document).body["Message"]
    for field in ("Count", "Priority", "Tasks[0].Resources.CPU"):
        assert field in message, message


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"Job": {}, "Job": {}}', 400),
        (b'{"Job": NaN}', 400),
        (b"[" * 100_000, 400),
        (b"[]", 400),
        (b'{"Jbo": {}}', 400),
        (b" " * 10_000_001, 413),
    ],
)
def test_a_body_that_is_no_submission(node: Node, body: bytes, status: int) -> None:
    jobs = node.api.jobs()
    answer = node.api.call("PUT", JOBS, body, JSON_HEADERS)
    assert answer.status == status, answer
    assert answer.body["Message"]
    assert node.api.jobs() == jobs


def test_a_body_of_another_content_type(node: Node) -> None:
    assert node.api.call("PUT", JOBS, b"Job: {}", {"Content-Type": "text/yaml"}).status == 415


def test_the_same_name_again_is_409(node: Node) -> None:
    job = node.api.run(scripted_job(Name="twice"))
    answer = node.api.submit(scripted_job(Name="twice"))
    assert answer.status == 409, answer
    assert job in answer.body["Message"]
    assert state_of(node.api.finished(job)) == "Completed"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:1234"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
def test_a_foreign_host_or_origin_is_403(node: Node, headers: dict[str, str]) -> None:
    jobs = node.api.jobs()
    for method, body in (("GET", None), ("PUT", {"Job": scripted_job(Name="foreign")})):
        answer = node.api.call(method, JOBS, body, {**JSON_HEADERS, **headers})
        assert answer.status == 403, answer
    assert node.api.jobs() == jobs


@pytest.mark.parametrize("path", ["a%2Fb", "..%2F..%2Fagent%2Falive", "%2e%2e", "j-%00", "%ff"])
def test_an_escaped_id_is_an_id(node: Node, path: str) -> None:
    answer = node.api.call("GET", f"{JOBS}/{path}")
    assert answer.status in (400, 404), answer
    if path == "a%2Fb":
        assert "a/b" in answer.body["Message"]


def test_what_is_not_there_is_404_and_a_wrong_method_405(node: Node) -> None:
    assert node.api.call("GET", "/api/v1/nothing").status == 404
    answer = node.api.call("POST", f"{JOBS}/j-1")
    assert answer.status == 405, answer
    assert "DELETE" in answer.body["Message"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["job", "run", "nowhere.yaml"], "does not exist"),
        (["job", "run", "/"], "folder"),
        (["job", "run", "-"], "empty"),
        (["wasm", "run", "nowhere.wasm"], "nowhere.wasm"),
        (["wasm", "run", "--cuont", "3", "x.wasm"], "--cuont"),
        (["job", "list", "--limit", "-1"], "--limit"),
    ],
)
def test_bad_usage_is_exit_2(node: Node, arguments: list[str], words: str) -> None:
    done = node.run(*arguments)
    assert done.code == 2, done
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_job_that_is_not_there_is_exit_1(node: Node) -> None:
    done = node.run("job", "describe", "j-00000000")
    assert done.code == 1, done
    assert "j-00000000" in done.stderr
