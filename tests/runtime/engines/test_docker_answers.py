"""Failures and sentences out of what engines have been seen to answer."""

from __future__ import annotations

import pytest

from runtime.engines.docker_answers import (
    check_platform,
    how_it_ended,
    image_names,
    not_created,
    not_pulled,
    not_started,
    plain_words,
    ran_for_s,
)
from runtime.engines.docker_client import EngineFacts
from runtime.engines.docker_options import CannotRun, Image
from runtime.engines.docker_wire import EngineRefused
from scheduler.jobs import Refusal

RUNC = (
    "failed to create shim task: OCI runtime create failed: runc create failed: unable to start "
    "container process: "
)
TINI = "[FATAL tini (7)] exec /no/such failed: No such file or directory\n"
CATATONIT = "ERROR (catatonit:2): failed to exec pid1: No such file or directory\n"


@pytest.mark.parametrize(
    ("words", "plain"),
    [
        (RUNC + 'exec: "/x": is a directory: unknown', 'exec: "/x": is a directory'),
        ("two\n  lines.\n", "two lines"),
        ("x" * 1000, "x" * 400),
    ],
)
def test_plain_words(words, plain):
    assert plain_words(words) == plain


@pytest.mark.parametrize(
    ("status", "words", "failure", "said"),
    [
        (400, RUNC + 'exec: "/x": executable file not found in $PATH', "module_invalid", "command"),
        (404, RUNC + 'exec: "/x": stat /x: no such file or directory', "module_invalid", "command"),
        (400, "the working directory '/x' is invalid", "module_invalid", "cannot be started"),
        (
            400,
            RUNC + 'error mounting "/a": no such file or directory',
            "module_invalid",
            "mounting",
        ),
        (500, RUNC + 'error mounting "/a" to rootfs: invalid argument', "engine", "mounting"),
        (500, 'could not select device driver "" with capabilities: [[gpu]]', "engine", "GPUs"),
        (400, RUNC + 'exec: "docker-init": executable file not found', "engine", "tini"),
        (500, "failed to create endpoint x on network bridge", "engine", "endpoint"),
    ],
)
def test_not_started(status, words, failure, said):
    refusal = not_started("busybox", EngineRefused(status, words))
    assert refusal.failure.value == failure
    assert said in str(refusal)
    assert str(refusal).endswith(".")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:10.5Z", 9.5),
        ("1970-01-01T00:00:10.500000123Z", 9.5),
        ("1970-01-01T01:00:10+01:00", 10.0),
        ("1970-01-01T00:00:30Z", 0.0),
        ("soon", 0.0),
    ],
)
def test_ran_for(text, seconds):
    assert ran_for_s({"StartedAt": text}, 20.0) == seconds


@pytest.mark.parametrize(("status", "failure"), [(400, "module_invalid"), (500, "engine")])
def test_not_created(status, failure):
    refusal = not_created("busybox", EngineRefused(status, "Range of CPUs is from 0.01 to 2.00"))
    assert refusal.failure.value == failure
    assert "Range of CPUs is from 0.01 to 2.00." in str(refusal)


def test_not_pulled_says_what_to_do():
    refusal = not_pulled("ghost:1", "dial tcp: lookup registry-1.docker.io: no such host")
    assert refusal.failure is Refusal.IMAGE_UNAVAILABLE
    assert str(refusal) == (
        "The image ghost:1 is not on this node and the engine cannot pull it (dial tcp: lookup "
        "registry-1.docker.io: no such host): check its name, or bring it with docker load."
    )


@pytest.mark.parametrize(
    "words",
    [
        "manifest for reg/x:9 not found: manifest unknown: manifest unknown",
        "pull access denied for busibox, repository does not exist or may require 'docker login': "
        "denied: requested access to the resource is denied",
        "no matching manifest for linux/amd64 in the manifest list entries",
        'failed to resolve reference "docker.io/library/x:1": docker.io/library/x:1: not found',
        "initializing source docker://x:1: reading manifest 1 in docker.io/library/x: manifest "
        "unknown",
        'Head "https://reg/v2/x/manifests/1": no basic auth credentials',
        "invalid reference format",
    ],
)
def test_a_registry_that_knows_no_such_image(words):
    assert not_pulled("x:1", words).failure is Refusal.IMAGE_MISSING


@pytest.mark.parametrize(
    "words",
    [
        'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such '
        "host",
        'Get "https://registry-1.docker.io/v2/": dial tcp 10.0.0.1:443: connect: network is '
        "unreachable",
        'Get "https://reg/v2/": net/http: request canceled while waiting for connection '
        "(Client.Timeout exceeded while awaiting headers)",
        "error parsing HTTP 404 response body: invalid character '<' looking for beginning of "
        "value",
        "toomanyrequests: You have reached your pull rate limit",
        "received unexpected HTTP status: 503 Service Unavailable",
        "x509: certificate signed by unknown authority",
        "the pull broke off",
    ],
)
def test_a_registry_that_could_not_be_asked(words):
    assert not_pulled("x:1", words).failure is Refusal.IMAGE_UNAVAILABLE


def test_platforms():
    facts = EngineFacts("/s", "20.10", "linux", "amd64", podman=False, root=True)
    check_platform("fits", Image("linux", "amd64", ""), facts)
    with pytest.raises(CannotRun, match="linux/arm64, this node runs linux/amd64") as caught:
        check_platform("other", Image("linux", "arm64", ""), facts)
    assert caught.value.failure is Refusal.IMAGE_MISSING


@pytest.mark.parametrize(
    ("state", "known", "code", "failure", "said"),
    [
        ({"ExitCode": 0}, {}, 0, "", ""),
        ({"ExitCode": 3}, {}, 3, "", ""),
        ({"ExitCode": 137}, {}, 137, "", ""),
        ({"ExitCode": 0}, {"stopped": True}, None, "", "our asking"),
        ({"ExitCode": 137, "OOMKilled": True}, {}, 137, "out_of_memory", "limit of 99 bytes"),
        ({"ExitCode": 1, "OOMKilled": True}, {}, 1, "out_of_memory", "limit of 99 bytes"),
        ({"ExitCode": 0, "OOMKilled": True}, {}, 0, "", ""),
        ({"ExitCode": 137}, {"engine_left": True}, None, "engine", "went away"),
        ({"ExitCode": 143}, {"engine_left": True}, None, "engine", "went away"),
        ({"ExitCode": 143}, {}, 143, "", ""),
        ({"ExitCode": 3}, {"engine_left": True}, 3, "", ""),
        (None, {}, None, "engine", "removed by somebody else"),
        ({"ExitCode": 137, "Status": "removing"}, {}, None, "engine", "removed by somebody else"),
        (None, {"stopped": True}, None, "", "our asking"),
        ({"ExitCode": 127}, {"stderr": TINI}, None, "module_invalid", "/no/such: No such file"),
        ({"ExitCode": 127}, {"stderr": CATATONIT}, None, "module_invalid", "No such file"),
        ({"ExitCode": 1}, {"stderr": CATATONIT}, None, "module_invalid", "No such file"),
        ({"ExitCode": 127}, {"stderr": "sh: frob: not found\n"}, 127, "", ""),
        ({"ExitCode": 3}, {"stderr": TINI}, 3, "", ""),
    ],
)
def test_how_it_ended(state, known, code, failure, said):
    facts = {"stopped": False, "engine_left": False, "memory_bytes": 99, "stderr": "", **known}
    got = how_it_ended(state, image="busybox", **facts)
    assert got[:2] == (code, failure)
    assert said in got[2]


@pytest.mark.parametrize(
    ("listed", "names"),
    [
        (
            [
                {"RepoTags": ["old:1"], "RepoDigests": ["old@sha256:1"], "Created": 1},
                {"RepoTags": ["new:1", "new:latest"], "RepoDigests": None, "Created": 2},
                {"RepoTags": ["<none>:<none>"], "RepoDigests": ["bare@sha256:2"], "Created": 0},
                {"RepoTags": None, "RepoDigests": ["<none>@<none>"]},
            ],
            ("new:1", "new:latest", "old:1", "bare@sha256:2"),
        ),
        ({"message": "no"}, ()),
        (None, ()),
    ],
)
def test_images_by_name_the_newest_first(listed, names):
    assert image_names(listed) == names
