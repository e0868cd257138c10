from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from scheduler.jobs import AttemptState, JobState
from tests.mesh.edge.cli.conftest import Node
from tests.mesh.edge.readings import JOB, finished

pytestmark = pytest.mark.real("loopback")
FAILED: dict[str, Any] = {
    "state": AttemptState.FAILED,
    "exit_code": 3,
    "message": "The program ended with exit code 3.",
}


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "work.wasm"
    path.write_bytes(b"\0asm\1\0\0\0")
    return path


@pytest.fixture
def job_file(tmp_path: Path) -> Path:
    path = tmp_path / "job.json"
    path.write_text(json.dumps(JOB))
    return path


def test_a_job_that_completes_is_0(
    node: Node, module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node.doors.outcome = finished
    assert node.run("wasm", "run", str(module)) == 0
    told = capsys.readouterr()
    assert told.out.startswith("Job submitted: j-")
    assert "completed on there in 1.5 s, exit code 0" in told.err
    assert "bacalhau-mesh job get j-" in told.err


def test_the_module_is_sent_as_a_blob(node: Node, module: Path) -> None:
    node.doors.outcome = finished
    assert node.run("wasm", "run", str(module), "--", "-x", "y") == 0
    [submit] = node.doors.submits
    task = submit.document["Tasks"][0]
    assert task["Engine"]["Params"]["EntryModule"] == "/main.wasm"
    assert task["Engine"]["Params"]["Parameters"] == ["-x", "y"]
    [source] = task["InputSources"]
    digest = source["Source"]["Params"]["Digest"]
    assert (node.doors.folder / digest).read_bytes() == module.read_bytes()
    assert submit.blobs == (module.read_bytes(),)
    assert submit.key


def test_every_flag_reaches_the_job(node: Node, module: Path) -> None:
    flags = [
        *("--name", "n", "--namespace", "s", "--priority", "3", "-l", "a=b", "--count", "2"),
        *("--constraints", "site=north,gpu", "-e", "K=v=w", "-i", "file:///data:/in"),
        *("-o", "out:/out", "--cpu", "1", "--memory", "64mb", "--timeout", "9"),
        *("--entry-point", "go", "--wait=false", "--id-only"),
    ]
    assert node.run("wasm", "run", str(module), *flags) == 0
    job = node.doors.submits[0].document
    task = job["Tasks"][0]
    assert (job["Name"], job["Namespace"], job["Priority"], job["Count"]) == ("n", "s", 3, 2)
    assert job["Labels"] == {"a": "b"}
    assert [one["Key"] for one in job["Constraints"]] == ["site", "gpu"]
    assert task["Env"] == {"K": "v=w"}
    assert task["InputSources"][0]["Source"]["Params"] == {"SourcePath": "/data"}
    assert task["InputSources"][1]["Target"] == "/main.wasm"
    assert task["ResultPaths"] == [{"Name": "out", "Path": "/out"}]
    assert task["Resources"] == {"CPU": "1", "Memory": "64mb"}
    assert task["Timeouts"] == {"TotalTimeout": 9}
    assert task["Engine"]["Params"]["Entrypoint"] == "go"


def test_a_container_with_every_flag(node: Node) -> None:
    flags = [
        *("--entrypoint", "/bin/sh", "--entrypoint=-c", "-w", "/work", "--network", "bridge"),
        *("-e", "K=v", "-i", "file:///data:/in", "-o", "out:/out", "--no-wait"),
    ]
    assert node.run("docker", "run", *flags, "busybox:1", "--", "ls", "-l") == 0
    [submit] = node.doors.submits
    task = submit.document["Tasks"][0]
    assert task["Engine"] == {
        "Type": "docker",
        "Params": {
            "Image": "busybox:1",
            "Entrypoint": ["/bin/sh", "-c"],
            "Parameters": ["ls", "-l"],
            "WorkingDirectory": "/work",
        },
    }
    assert task["Network"] == {"Type": "bridge"}
    assert task["Env"] == {"K": "v"}
    assert task["ResultPaths"] == [{"Name": "out", "Path": "/out"}]


def test_a_plain_container_asks_for_nothing_else(node: Node) -> None:
    assert node.run("docker", "run", "busybox", "--no-wait") == 0
    task = node.doors.submits[0].document["Tasks"][0]
    assert task["Engine"] == {"Type": "docker", "Params": {"Image": "busybox"}}
    assert "Network" not in task


def test_a_job_that_fails_is_1_and_says_why(
    node: Node, job_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node.doors.outcome = lambda job: finished(job, **FAILED)
    assert node.run("job", "run", str(job_file)) == 1
    assert "The program ended with exit code 3." in capsys.readouterr().err


def test_a_stopped_job_is_1(node: Node, job_file: Path) -> None:
    node.doors.outcome = lambda job: dataclasses.replace(job, state=JobState.STOPPED)
    assert node.run("job", "run", str(job_file)) == 1


def test_waiting_too_long_is_4(
    node: Node, job_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert node.run("job", "run", str(job_file), "--wait-timeout-secs", "0") == 4
    assert "goes on" in capsys.readouterr().err


def test_the_deadline_is_kept_while_nothing_happens(node: Node, job_file: Path) -> None:
    assert node.run("job", "run", str(job_file), "--wait-timeout-secs", "1") == 4


def test_id_only_prints_the_id_alone(
    node: Node, job_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node.doors.outcome = finished
    assert node.run("job", "run", str(job_file), "--id-only") == 0
    told = capsys.readouterr()
    [job] = node.doors.jobs
    assert told.out == f"{job}\n"
    assert told.err == ""


def test_what_is_no_module_is_not_sent(
    node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "work.wat"
    path.write_text("(module)")
    assert node.run("wasm", "run", str(path)) == 2
    assert "is not a WebAssembly module" in capsys.readouterr().err
    assert node.doors.submits == []


def test_of_a_later_version_no_time_since_the_first_is_told(
    node: Node, job_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node.doors.outcome = lambda job: dataclasses.replace(finished(job), version_number=2)
    assert node.run("job", "run", str(job_file)) == 0
    short = next(iter(node.doors.jobs))[:10]
    assert f"{short} completed\n" in capsys.readouterr().err


def test_follow_prints_the_output(
    node: Node, job_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node.doors.outcome = finished
    node.doors.logs = [([(1, b"out\n"), (2, b"err\n")], 1, True)]
    assert node.run("job", "run", str(job_file), "--follow") == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[1:] == ["out"]
    assert told.err.splitlines()[0] == "err"


def test_a_taken_name_is_refused_with_1(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "named.yaml"
    path.write_text("Name: one\nType: batch\nTasks:\n- Name: main\n  Engine: {Type: scripted}\n")
    assert node.run("job", "run", str(path), "--no-wait") == 0
    assert node.run("job", "run", str(path), "--no-wait") == 1


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({**JOB, "Count": -1}, "Count"),
        ({**JOB, "Colour": 1}, "Colour"),
        ({**JOB, "Type": "service"}, "Type"),
        ({**JOB, "Tasks": []}, "Tasks"),
        ({"Type": "batch"}, "Tasks"),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_bad_job_is_2_and_names_the_field(
    node: Node,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    document: object,
    field: str,
    dry_run: bool,
) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(document))
    assert node.run("job", "run", str(path), *(["--dry-run"] if dry_run else [])) == 2
    assert field in capsys.readouterr().err
    assert node.doors.jobs == {}


def test_dry_run_sends_nothing(
    node: Node, module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert node.run("wasm", "run", str(module), "--dry-run") == 0
    assert "EntryModule: /main.wasm" in capsys.readouterr().out
    assert node.doors.submits == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["wasm", "run", "nothing.wasm"],
        ["wasm", "run", "MODULE", "-e", "x"],
        ["wasm", "run", "MODULE", "-o", "out"],
        ["wasm", "run", "MODULE", "-i", "/data"],
        ["wasm", "run", "MODULE", "-i", "git://x:/y"],
        ["wasm", "run", "MODULE", "--constraints", "!!"],
        ["wasm", "run", "MODULE", "--count", "x"],
        ["wasm", "run", "MODULE", "--nmae", "x"],
        ["wasm", "run"],
        ["docker", "run"],
        ["docker", "run", "busybox", "--workdri", "/x"],
        ["docker", "run", "busybox", "--wait-timeout-secs", "-1"],
        ["job", "run", "nothing.yaml"],
        ["job", "run", "."],
        ["jbo", "list"],
        ["job", "list", "--limit", "0"],
        ["node", "list", "--output", "xml"],
        ["node", "list", "--labels", "!!"],
    ],
)
def test_bad_usage_is_2(
    node: Node, module: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    arguments = [str(module) if one == "MODULE" else one for one in arguments]
    assert node.run(*arguments) == 2
    told = capsys.readouterr().err
    assert "Error: " in told
    assert "Traceback" not in told
    assert node.doors.submits == []
