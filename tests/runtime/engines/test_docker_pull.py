"""References as registries read them, and pulls that fail."""

from __future__ import annotations

import pytest
import trio

from runtime.engines.docker_options import CannotRun
from runtime.engines.docker_pull import PROGRESS_S, PullProgress, pull_image, split_reference
from tests.runtime.engines.fake_docker import SILENT, fake_docker, reply


async def nobody(sentence: str) -> None:
    raise AssertionError(f"told within {PROGRESS_S} s: {sentence}")


@pytest.mark.parametrize(
    ("image", "repository", "tag"),
    [
        ("busybox", "busybox", "latest"),
        ("busybox:1.36", "busybox", "1.36"),
        ("ghcr.io/a/b:c", "ghcr.io/a/b", "c"),
        ("host:5000/a/b", "host:5000/a/b", "latest"),
        ("host:5000/a/b:c", "host:5000/a/b", "c"),
        ("a/b@sha256:12", "a/b", "sha256:12"),
    ],
)
def test_references(image, repository, tag):
    assert split_reference(image) == (repository, tag)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply({"message": "manifest unknown"}, 404), "manifest unknown"),
        (b'HTTP/1.0 200 x\r\n\r\n{"status":"Pulling"}\n{"error":"no space left"}\n', "no space"),
    ],
)
async def test_a_pull_that_fails(tmp_path, answer, said):
    async with fake_docker(tmp_path, {"/images/create": answer}) as (socket, _):
        with pytest.raises(CannotRun, match=said):
            await pull_image(socket, "ghost", {}, nobody)


async def test_a_pull(tmp_path):
    lines = b'HTTP/1.0 200 x\r\n\r\n{"status":"Pulling"}\n{"status":"Done"}\n'
    async with fake_docker(tmp_path, {"/images/create": lines}) as (socket, asked):
        await pull_image(socket, "host:5000/a:b", {"X-Registry-Auth": "e30="}, nobody)
    assert asked == ["/images/create?fromImage=host%3A5000%2Fa&tag=b"]


def downloading(layer: str, current: int, total: int) -> dict[str, object]:
    detail = {"current": current, "total": total}
    return {"id": layer, "status": "Downloading", "progressDetail": detail}


def test_progress_adds_up_over_layers():
    progress = PullProgress("a:b")
    assert progress.sentence() == "pulling a:b"
    for line in (
        {"id": "b", "status": "Pulling from a"},
        {"id": "one", "status": "Already exists"},
        {"id": "two", "status": "Pulling fs layer", "progressDetail": {}},
        {"id": "three", "status": "Pulling fs layer", "progressDetail": {}},
        downloading("two", 1_000_000, 4_000_000),
        downloading("two", 2_000_000, 4_000_000),
        downloading("three", 500_000, 1_000_000),
    ):
        progress.take(line)
    assert progress.sentence() == "pulling a:b: 2.5 of 5.0 MB, 1 of 3 layers are here"
    progress.take({"id": "two", "status": "Download complete"})
    assert progress.sentence() == "pulling a:b: 4.5 of 5.0 MB, 1 of 3 layers are here"
    progress.take({"id": "two", "status": "Pull complete"})
    assert progress.sentence() == "pulling a:b: 4.5 of 5.0 MB, 2 of 3 layers are here"


@pytest.mark.parametrize(
    "line",
    [
        None,
        [],
        "x",
        {"id": 5},
        {"status": "Digest: x"},
        downloading("two", -1, 0),
        {"id": "two", "status": "Downloading", "progressDetail": {"current": "x", "total": None}},
        {"id": "two", "status": "Downloading", "progressDetail": 7},
    ],
)
def test_lines_that_say_nothing_change_nothing(line):
    progress = PullProgress("a")
    progress.take({"id": "two", "status": "Waiting"})
    progress.take(line)
    assert progress.sentence() == "pulling a: 0.0 of 0.0 MB, 0 of 1 layers are here"


async def test_a_slow_pull_says_how_far_it_is(tmp_path, monkeypatch):
    """Also where the engine itself has nothing to say for a while."""
    monkeypatch.setattr("runtime.engines.docker_pull.PROGRESS_S", 0.01)
    lines = b'{"id":"one","status":"Waiting"}\n{"id":"one","status":"Pull complete"}\n'
    answer = (b"HTTP/1.0 200 x\r\n\r\n" + lines, SILENT)
    heard = trio.Event()

    async def tell(sentence):
        if sentence.endswith("1 of 1 layers are here"):
            heard.set()

    with trio.fail_after(30):
        async with (
            fake_docker(tmp_path, {"/images/create": answer}) as (socket, _),
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(pull_image, socket, "a", {}, tell)
            await heard.wait()
            nursery.cancel_scope.cancel()
