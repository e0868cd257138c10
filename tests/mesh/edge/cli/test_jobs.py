from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import pytest

from mesh.edge.cli.connect import NodeApi
from mesh.edge.cli.errors import CommandFailed, Exit
from scheduler.ids import AttemptId, Digest
from scheduler.jobs import AttemptState
from storage.digest import Entry, EntryKind, Manifest, encode_manifest
from tests.mesh.edge.cli.conftest import Node
from tests.mesh.edge.readings import attempt_reading, finished, job_reading

pytestmark = pytest.mark.real("loopback")
JOB = job_reading(name="named")


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["job", "list"],
        ["job", "describe", "named"],
        ["job", "explain", "named"],
        ["node", "list"],
        ["agent", "alive"],
        ["version"],
    ],
)
def test_what_shows_has_three_forms(
    node: Node, capsys: pytest.CaptureFixture[str], arguments: list[str], form: str
) -> None:
    node.call(node.doors.change, finished(JOB))
    assert node.run(*arguments, "--output", form) == 0
    told = capsys.readouterr().out
    assert told
    if form == "json":
        json.loads(told)


def test_list_and_describe_speak_of_the_job(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.call(node.doors.change, finished(JOB))
    assert node.run("job", "list") == 0
    assert "j-00000000  named  scripted  batch  Completed" in capsys.readouterr().out
    assert node.run("job", "describe", JOB.id[:10]) == 0
    told = capsys.readouterr().out
    assert "Completed (provisional)" in told
    assert "printed" in told
    assert "Completed successfully" in told


def test_an_unknown_job_is_1(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("describe", "explain", "stop", "get", "logs"):
        assert node.run("job", command, "j-nope") == 1
        assert "job not found: j-nope" in capsys.readouterr().err


def test_logs_keep_streams_apart(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.call(node.doors.change, finished(JOB))
    node.doors.logs = [([(1, b"out\x1b[2J\n"), (2, b"err\n")], 1, True)]
    assert node.run("job", "logs", "named") == 0
    told = capsys.readouterr()
    assert told.out == "out\x1b[2J\n", "a pipe gets what the program wrote"
    assert told.err == "err\n"


def test_stop(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.call(node.doors.change, JOB)
    assert node.run("job", "stop", "named") == 0
    assert node.run("job", "stop", "named") == 0
    assert capsys.readouterr().out.splitlines() == ["named is stopped", "named was stopped before"]


def test_stop_of_a_finished_job_is_1(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.call(node.doors.change, finished(JOB))
    assert node.run("job", "stop", "named") == 1
    assert "already over" in capsys.readouterr().err


def test_names_cannot_drive_the_terminal(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.call(node.doors.change, dataclasses.replace(JOB, message="\x1b[31mred\u202e"))
    assert node.run("job", "list") == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "\\x1b[31mred" in told
    assert "\u202e" not in told


def store(node: Node, indexes: int) -> None:
    attempts = []
    for index in range(indexes):
        report = node.doors.keep(b"report %d\n" % index)
        attempt = AttemptId(f"e-0000000{index}-0000-4000-8000-000000000002")
        manifest = Manifest(
            attempt,
            0,
            node.doors.keep(b"out %d\n" % index),
            node.doors.keep(b""),
            (
                Entry("data", EntryKind.FOLDER, mode=0o755),
                Entry("data/report.txt", EntryKind.FILE, 9, report),
            ),
        )
        one = finished(JOB, node.doors.keep(encode_manifest(manifest))).attempts[0]
        attempts.append(dataclasses.replace(one, id=attempt, index=index))
    node.call(node.doors.change, dataclasses.replace(finished(JOB), attempts=tuple(attempts)))


def test_get_writes_one_result_into_the_folder(node: Node, tmp_path) -> None:
    store(node, 1)
    assert node.run("job", "get", "named") == 0
    folder = tmp_path / "job-named"
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {"stdout", "stderr", "exitCode", "data/report.txt"}
    assert (folder / "data/report.txt").read_text() == "report 0\n"
    assert (folder / "exitCode").read_text() == "0"
    assert node.run("job", "get", "named") == 0, "a second time"


def test_get_keeps_several_results_apart_and_merges_their_output(node: Node, tmp_path) -> None:
    store(node, 2)
    assert node.run("job", "get", "named", "--output-dir", "got") == 0
    folder = tmp_path / "got"
    assert (folder / "stdout").read_text() == "out 0\nout 1\n"
    assert (folder / "exitCode").read_text() == "0\n0\n"
    reports = sorted(path.read_text() for path in folder.glob("e-*/data/report.txt"))
    assert reports == ["report 0\n", "report 1\n"]


def test_get_refuses_damaged_bytes(
    node: Node, tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(node, 1)
    digest = node.doors.keep(b"report 0\n")
    (node.doors.folder / digest).write_bytes(b"rotten 0\n")
    assert node.run("job", "get", "named") == 1
    assert "damaged" in capsys.readouterr().err
    assert not (tmp_path / "job-named/data/report.txt").exists()
    assert not list(tmp_path.rglob("*.part"))


def test_get_of_a_path_brings_that_alone(node: Node, tmp_path) -> None:
    store(node, 2)
    assert node.run("job", "get", "named/data", "--output-dir", "got") == 0
    files = [path for path in (tmp_path / "got").rglob("*") if path.is_file()]
    assert sorted(path.read_text() for path in files) == ["report 0\n", "report 1\n"]
    assert node.run("job", "get", f"{JOB.id}/stdout", "--output-dir", "out") == 0
    assert (tmp_path / "out/stdout").read_text() == "out 0\nout 1\n"
    assert not (tmp_path / "out/exitCode").exists()


def test_get_of_a_path_that_is_not_there_is_1(
    node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    store(node, 1)
    assert node.run("job", "get", "named/dat") == 1
    assert "have no dat" in capsys.readouterr().err


def test_what_a_failed_execution_left_can_be_fetched(node: Node, tmp_path) -> None:
    manifest = Manifest(
        attempt_reading(JOB.id).id, 3, node.doors.keep(b"half\n"), node.doors.keep(b"why\n"), ()
    )
    digest = node.doors.keep(encode_manifest(manifest))
    failed = finished(JOB, digest, state=AttemptState.FAILED, exit_code=3, message="It failed.")
    node.call(node.doors.change, failed)
    assert node.run("job", "get", "named") == 0
    assert (tmp_path / "job-named/stderr").read_text() == "why\n"
    assert (tmp_path / "job-named/exitCode").read_text() == "3"
    assert node.run("job", "get", "named", "--execution-id", "e-0000", "--output-dir", "x") == 0
    assert node.run("job", "get", "named", "--execution-id", "e-9") == 1


def test_get_goes_on_where_it_broke_off(node: Node, tmp_path) -> None:
    store(node, 1)
    digest = node.doors.keep(b"report 0\n")
    folder = tmp_path / "job-named/data"
    folder.mkdir(parents=True)
    partial = folder / f".report.txt.{digest[:12]}.part"
    for begun in (b"repo", b"report 0\n", b"something else, and longer"):
        partial.write_bytes(begun)
        assert node.run("job", "get", "named") == 0
        assert (folder / "report.txt").read_text() == "report 0\n"
        assert not partial.exists()
        (folder / "report.txt").unlink()


def test_a_cut_transfer_goes_on_by_itself_and_then_by_the_next_get(
    node: Node, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(node, 1)
    digest = node.doors.keep(b"report 0\n")
    begun: list[int] = []
    cuts = [2]
    whole = NodeApi.download

    def download(api: NodeApi, path: str, *, begin: int = 0) -> tuple[int, Iterator[bytes]]:
        at, chunks = whole(api, path, begin=begin)
        if digest not in path:
            return at, chunks
        begun.append(at)
        return at, cut(b"".join(chunks)) if cuts[0] else chunks

    def cut(data: bytes) -> Iterator[bytes]:
        cuts[0] -= 1
        yield data[:3]
        raise CommandFailed("the cable broke", Exit.NO_NODE)

    monkeypatch.setattr(NodeApi, "download", download)
    assert node.run("job", "get", "named") == 0
    assert begun == [0, 3, 6]
    report = tmp_path / "job-named/data/report.txt"
    assert report.read_text() == "report 0\n"
    report.unlink()
    cuts[0], begun[:] = 3, []
    assert node.run("job", "get", "named/data/report.txt") == 3
    assert node.run("job", "get", "named/data/report.txt") == 0
    assert begun == [0, 3, 6], "the last try had brought all that was left"
    assert report.read_text() == "report 0\n"


def test_what_is_there_already_is_not_fetched_again(node: Node, tmp_path) -> None:
    store(node, 1)
    assert node.run("job", "get", "named") == 0
    report = tmp_path / "job-named/data/report.txt"
    kept = report.stat().st_ino
    node.doors.drop(node.doors.keep(b"report 0\n"))
    assert node.run("job", "get", "named") == 0
    assert report.stat().st_ino == kept


def test_ls(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    store(node, 1)
    assert node.run("job", "ls", "named") == 0
    told = capsys.readouterr().out
    assert "e-00000000  there  Succeeded (accepted)  644   9 B   data" in told
    assert "data/report.txt" in told
    assert "data/\n" in told
    assert "exitCode" in told
    assert node.run("job", "ls", "named/data", "--output", "json") == 0
    [item] = json.loads(capsys.readouterr().out)
    assert [one["Path"] for one in item["Entries"]] == ["data", "data/report.txt"]


def test_get_of_a_job_that_is_not_done_is_1(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.call(node.doors.change, dataclasses.replace(JOB, attempts=(attempt_reading(JOB.id),)))
    assert node.run("job", "get", "named") == 1
    assert "has no results, it is Pending" in capsys.readouterr().err


def test_get_where_nobody_has_the_result_is_1(node: Node) -> None:
    node.call(node.doors.change, finished(JOB, Digest("e" * 64)))
    assert node.run("job", "get", "named") == 1


def test_wait_ends_with_the_job(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.call(node.doors.change, finished(JOB))
    assert node.run("job", "wait", "named") == 0
    assert "completed" in capsys.readouterr().err
    failed = finished(JOB, state=AttemptState.FAILED, message="It failed.")
    node.call(node.doors.change, failed)
    assert node.run("job", "wait", "named", "--quiet") == 1
    assert capsys.readouterr().err == ""


def test_wait_until_settled(node: Node) -> None:
    node.call(node.doors.change, finished(JOB))
    assert node.run("job", "wait", "named", "--settled", "--wait-timeout-secs", "1") == 4
    node.call(node.doors.change, dataclasses.replace(finished(JOB), settled=True))
    assert node.run("job", "wait", "named", "--settled") == 0


def test_wait_for_a_job_that_goes_on_is_4(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    node.call(node.doors.change, JOB)
    assert node.run("job", "wait", "named", "--wait-timeout-secs", "0") == 4
    assert "goes on" in capsys.readouterr().err
