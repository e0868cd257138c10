"""References as registries read them, and pulls that fail."""

from __future__ import annotations

import pytest

from runtime.engines.docker_options import CannotRun
from runtime.engines.docker_pull import pull_image, split_reference
from tests.runtime.engines.fake_docker import fake_docker, reply


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
            await pull_image(socket, "ghost", {})


async def test_a_pull(tmp_path):
    lines = b'HTTP/1.0 200 x\r\n\r\n{"status":"Pulling"}\n{"status":"Done"}\n'
    async with fake_docker(tmp_path, {"/images/create": lines}) as (socket, asked):
        await pull_image(socket, "host:5000/a:b", {"X-Registry-Auth": "e30="})
    assert asked == ["/images/create?fromImage=host%3A5000%2Fa&tag=b"]
