"""The Docker engine on a real dockerd: the suites, and what only containers do."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from runtime.conformance import CASES, PROGRAMS, Subject, serving
from runtime.conformance_lasting import LASTING_CASES, LastingSubject, until
from runtime.engines.docker import DockerEngine
from runtime.engines.docker_client import DockerCalls, find_engine
from runtime.engines.docker_output import Output
from runtime.ports import EngineSetup, Mount
from scheduler.jobs import Network, Resources
from tests.runtime.engines.docker_programs import DOCKER_PROGRAMS, command, shell
from tests.runtime.engines.fake_docker import SILENT, VERSION, fake_docker, reply
from tests.system.docker_engine import IMAGE

pytestmark = pytest.mark.real("docker")


@pytest.fixture
def setup(docker_engine, tmp_path):
    options = {"docker_host": docker_engine.host, "cluster": "tests", "node": tmp_path.name}
    return EngineSetup(tmp_path / "data", options)


@pytest.fixture
async def engine(setup):
    """An engine that is served; nothing of it stays behind."""
    engine = DockerEngine(setup)
    async with serving(engine):
        yield engine
    await DockerEngine(setup).sweep()


def test_it_is_tried_in_every_case():
    assert set(DOCKER_PROGRAMS) >= set(PROGRAMS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_conforms(engine, case, tmp_path):
    await case(Subject(engine, DOCKER_PROGRAMS, tmp_path))


@pytest.mark.parametrize("case", LASTING_CASES, ids=lambda case: case.__name__)
async def test_outlives_the_node(setup, case, tmp_path):
    await case(LastingSubject(lambda: DockerEngine(setup), DOCKER_PROGRAMS, tmp_path))
    await DockerEngine(setup).sweep()
    assert await DockerEngine(setup).survivors() == ()


@pytest.fixture
def subject(engine, tmp_path):
    return lambda program: Subject(engine, {"it": program}, tmp_path)


async def test_it_says_which_it_is(engine):
    report = await engine.probe()
    assert report.available
    assert report.version[0].isdigit()


async def test_it_is_not_there(tmp_path):
    options = {"docker_host": f"unix://{tmp_path}/none"}
    engine = DockerEngine(EngineSetup(tmp_path, options))
    report = await engine.probe()
    assert not report.available
    assert report.detail == f"No Docker engine can be used here: no socket is at {tmp_path}/none."
    ended = await Subject(engine, {"it": shell("true")}, tmp_path).run("it")
    assert (ended.failure, ended.message) == ("engine", report.detail)
    assert await engine.survivors() == ()


@pytest.mark.parametrize(
    ("program", "resources", "code", "failure", "said"),
    [
        (shell("exit 3"), Resources(), 3, "", ""),
        (shell("kill -9 $$"), Resources(), 137, "", ""),
        (
            shell("x=$(head -c 200m /dev/zero | tr '\\0' x); echo ${#x}"),
            Resources(memory_bytes=32 << 20),
            None,
            "out_of_memory",
            "limit of 33554432 bytes",
        ),
        (command("/no/such"), Resources(), None, "module_invalid", "/no/such"),
        (command("/etc/passwd"), Resources(), None, "module_invalid", "Permission denied"),
        (shell("true"), Resources(gpu=1), None, "engine", "no driver for GPUs"),
        (shell("true"), Resources(cpu_milli=900_000), None, "module_invalid", "CPUs"),
        (
            command("a", image="no.such.host.invalid/b:c"),
            Resources(),
            None,
            "image_unavailable",
            "docker load",
        ),
    ],
)
async def test_ends(subject, program, resources, code, failure, said):
    jobs = subject(program)
    wanted = jobs.job("it")
    ended = await jobs.run_job(replace(wanted, task=replace(wanted.task, resources=resources)))
    assert (ended.failure, said in ended.message) == (failure, True), ended
    if code is not None:
        assert ended.exit_code == code
    assert "\n" not in ended.message


async def test_an_image_for_another_machine(subject, docker_engine):
    image = "bmesh-test/foreign:local"
    docker_engine.load_image(image, architecture="riscv64")
    ended = await subject(command("sh", image=image)).run("it")
    assert ended.failure == "image_missing"
    assert "is built for linux/riscv64" in ended.message


async def test_the_sandbox_holds(subject):
    """Seen from inside: no capability, no network, no swap, few processes and files."""
    text = (
        "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; ls /sys/class/net; ulimit -n; "
        "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes "
        "/sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.swap.max 2>/dev/null"
    )
    ended = await subject(shell(text)).run("it")
    words = ended.stdout_tail.split()
    assert words[:6] == ["CapBnd:", "0" * 16, "CapEff:", "0" * 16, "NoNewPrivs:", "1"] or words[
        :6
    ] == ["CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1"]
    assert words[6:10] == ["lo", "1024", "256", str(64 << 20)] or words[6:10] == [
        "lo",
        "1024",
        "256",
        "0",
    ]


@pytest.mark.parametrize(
    ("kind", "more_than_lo"), [("None", False), ("Bridge", True), ("Host", False)]
)
async def test_networks(subject, kind, more_than_lo):
    jobs = subject(shell("ls /sys/class/net"))
    wanted = jobs.job("it")
    ended = await jobs.run_job(replace(wanted, task=replace(wanted.task, network=Network(kind))))
    assert ended.exit_code == 0, ended
    assert ("eth0" in ended.stdout_tail) == more_than_lo
    assert ("docker0" in ended.stdout_tail) == (kind == "Host")


async def test_inputs_that_a_provider_holds_open(subject, tmp_path):
    """Their paths lead through this process: the engine's view of mounts is another one."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "in.txt").write_text("held")
    handle = os.open(tmp_path / "data", os.O_RDONLY)
    jobs = subject(shell("cat /held/in.txt; echo x >/held/new 2>/dev/null || echo no"))
    try:
        mount = Mount(Path(f"/proc/{os.getpid()}/fd/{handle}"), "/held", read_only=True)
        ended = await jobs.run_job(replace(jobs.job("it"), inputs=(mount,)))
    finally:
        os.close(handle)
    assert ended.stdout_tail == "heldno\n"


async def test_an_input_may_be_written_when_asked(subject, tmp_path):
    (tmp_path / "data").mkdir()
    jobs = subject(shell("echo x >/data/new"))
    mount = Mount(tmp_path / "data", "/data", read_only=False)
    ended = await jobs.run_job(replace(jobs.job("it"), inputs=(mount,)))
    assert ended.exit_code == 0
    assert (tmp_path / "data" / "new").read_text() == "x\n"


async def test_a_container_that_ignores_its_stop_is_killed(engine, subject):
    jobs = subject(shell("trap '' TERM; echo deaf; while :; do sleep 0.1; done"))
    wanted, ended = jobs.job("it"), []

    async def run():
        ended.append(await engine.run(wanted, lambda: None))

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await until(wanted.stdout.exists)
            await engine.stop(wanted.attempt, 0.2)
    assert (ended[0].exit_code, ended[0].failure, ended[0].stdout_tail) == (None, "", "deaf\n")


async def test_a_container_removed_by_somebody_else(engine, subject, docker_engine):
    jobs = subject(shell("echo here; sleep 3600"))
    wanted, ended = jobs.job("it"), []

    async def run():
        ended.append(await engine.run(wanted, lambda: None))

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await until(wanted.stdout.exists)
            await trio.to_thread.run_sync(docker_engine.docker, "rm", "--force", wanted.attempt)
    assert ended[0].failure == "engine"
    assert "removed by somebody else" in ended[0].message


async def test_what_the_events_tell_is_not_asked_for(engine, subject, monkeypatch):
    asked = []
    inspect = DockerCalls.inspect

    async def finding(environment):
        asked.append("version")
        return await find_engine(environment)

    async def inspecting(calls, name):
        asked.append("container")
        return await inspect(calls, name)

    monkeypatch.setattr("runtime.engines.docker.find_engine", finding)
    monkeypatch.setattr(DockerCalls, "inspect", inspecting)
    jobs = subject(command("true"))
    await jobs.run_job(jobs.job("it"))
    assert asked[0] == "version"
    asked.clear()  # the container may have been looked at: its events began while it ran
    for number in range(3):
        assert (await jobs.run_job(jobs.job("it", attempt=f"e-{number}"))).exit_code == 0
    assert asked == []
    jobs = subject(command("false"))
    assert (await jobs.run_job(jobs.job("it", attempt="e-bad"))).exit_code == 1
    assert asked == ["container"]
    await engine.probe()
    assert asked == ["container", "version"]


async def test_an_engine_that_answers_no_more_is_not_taken_as_found(tmp_path):
    head = b"HTTP/1.0 200 OK\r\n\r\n"
    answers = {"/version": reply(VERSION), "/events": (head, SILENT)}
    async with fake_docker(tmp_path, answers) as (path, asked):
        engine = DockerEngine(EngineSetup(tmp_path, {"docker_host": f"unix://{path}"}))
        jobs = Subject(engine, {"it": command("true")}, tmp_path)
        async with serving(engine):
            await jobs.run_job(jobs.job("it", attempt="e-0"))
            assert "/events" in {one.partition("?")[0] for one in asked}
            answers["/version"] = reply({}, 500)
            assert not (await engine.probe()).available
            ended = await jobs.run_job(jobs.job("it", attempt="e-1"))
    assert ended.message.startswith("No Docker engine can be used here")


async def test_others_are_not_touched(engine, docker_engine, tmp_path):
    theirs = docker_engine.docker(
        "run", "--detach", "--label", "bacalhau-mesh.node=another", IMAGE, "sleep", "3600"
    ).strip()
    await engine.sweep()
    assert docker_engine.docker("ps", "--quiet", "--no-trunc").split() == [theirs]
    docker_engine.docker("rm", "--force", theirs)


async def test_output_in_order_and_of_any_bytes(subject):
    text = "i=0; while [ $i -lt 50 ]; do echo $i; echo e$i >&2; i=$((i+1)); done; printf '\\377\\0'"
    jobs = subject(shell(text))
    wanted = jobs.job("it")
    await jobs.run_job(wanted)
    assert wanted.stdout.read_bytes() == b"".join(b"%d\n" % i for i in range(50)) + b"\xff\0"
    assert wanted.stderr.read_bytes() == b"".join(b"e%d\n" % i for i in range(50))


async def test_a_stop_ends_a_pull(tmp_path):
    version = {**VERSION, "ApiVersion": "1.41"}
    answers = {
        "/version": reply(version),
        "/v1.41/images/ghost/json": reply({"message": "No such image"}, 404),
        "/images/create": SILENT,
    }
    ended = []
    async with fake_docker(tmp_path, answers) as (socket, asked):
        engine = DockerEngine(EngineSetup(tmp_path, {"docker_host": f"unix://{socket}"}))
        wanted = Subject(engine, {"it": command("a", image="ghost")}, tmp_path).job("it")

        async def run():
            ended.append(await engine.run(wanted, lambda: None))

        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(run)
                await until(lambda: any("/images/create" in one for one in asked))
                await engine.stop(wanted.attempt, 0.1)
    assert (ended[0].exit_code, ended[0].failure) == (None, "")


async def test_a_full_disk_ends_the_container(engine, subject, monkeypatch):
    def full(output, parts):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Output, "write", full)
    jobs = subject(shell("echo x; sleep 3600"))
    wanted = jobs.job("it")
    ended = await jobs.run_job(wanted)
    assert ended.failure == "engine"
    assert ended.message == (
        f"What the container printed could not be kept: the disk that holds {wanted.log.parent} on "
        "this node is full. Free some space there or write less, and run the job again."
    )
    assert await engine.survivors() == ()
    # That it ended may not have been written down: a member that is built again is told so too.
    assert await engine.adopt(wanted, lambda ran_s: None) == ended
    await engine.release(wanted.attempt)
    assert await engine.adopt(wanted, lambda ran_s: None) is None
