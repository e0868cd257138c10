"""What the engine is asked to create, field by field."""

from __future__ import annotations

import pytest

from runtime.engines.docker_options import CannotRun, create_options, environment, network_mode
from scheduler.jobs import Failure, Network, Port, Resources
from tests.runtime.engines.docker_jobs import job


def options(wanted, *, user="", podman=False):
    return create_options(wanted, labels={"a": "b"}, user=user, podman=podman)


def test_the_sandbox_of_a_plain_job():
    assert options(job()) == {
        "Image": "busybox",
        "Env": [],
        "Labels": {"a": "b", "bacalhau-mesh.attempt": "e-one"},
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": {
            "NetworkMode": "none",
            "Mounts": [
                {
                    "Type": "bind",
                    "Source": "/home/in",
                    "Target": "/inputs",
                    "ReadOnly": True,
                    "BindOptions": {"Propagation": "rprivate"},
                },
                {
                    "Type": "bind",
                    "Source": "/home/out",
                    "Target": "/outputs",
                    "ReadOnly": False,
                    "BindOptions": {"Propagation": "rprivate"},
                },
            ],
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "PidsLimit": 256,
            "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 1024}],
            "Init": True,
            "LogConfig": {
                "Type": "local",
                "Config": {"max-size": "16m", "max-file": "2", "compress": "false"},
            },
        },
    }


@pytest.mark.parametrize(
    ("params", "user", "expected"),
    [
        ({"Entrypoint": ["sh"]}, "", {"Entrypoint": ["sh"]}),
        ({"parameters": ["a", "b"]}, "", {"Cmd": ["a", "b"]}),
        ({"Entrypoint": ["sh"], "Parameters": ["a"]}, "", {"Entrypoint": ["sh"], "Cmd": ["a"]}),
        ({"Entrypoint": [], "Parameters": None}, "", {}),
        ({"WorkingDirectory": "/tmp"}, "", {"WorkingDir": "/tmp"}),
        ({}, "1000:1000", {"User": "1000:1000"}),
    ],
)
def test_what_replaces_the_image_s_own(params, user, expected):
    known = options(job())
    got = options(job(**params), user=user)
    assert {key: value for key, value in got.items() if key not in known} == expected


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (Resources(), {}),
        (Resources(cpu_milli=500), {"NanoCpus": 500_000_000}),
        (Resources(cpu_milli=1), {"NanoCpus": 10_000_000}),
        (Resources(memory_bytes=1 << 26), {"Memory": 1 << 26, "MemorySwap": 1 << 26}),
        (Resources(gpu=2), {"DeviceRequests": [{"Count": 2, "Capabilities": [["gpu"]]}]}),
    ],
)
def test_limits(resources, expected):
    known = options(job())["HostConfig"]
    got = options(job(resources=resources))["HostConfig"]
    assert {key: value for key, value in got.items() if key not in known} == expected


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("Default", "none"),
        ("None", "none"),
        ("Host", "host"),
        ("Full", "host"),
        ("Bridge", "bridge"),
    ],
)
def test_networks(kind, mode):
    host_config = options(job(network=Network(kind)))["HostConfig"]
    assert host_config["NetworkMode"] == mode
    assert ("ExtraHosts" in host_config) == (mode == "bridge")


@pytest.mark.parametrize("network", [Network("HTTP"), Network("Bridge", ports=(Port("web"),))])
def test_networks_that_are_not_there_yet(network):
    with pytest.raises(CannotRun) as caught:
        network_mode(network)
    assert caught.value.failure is Failure.MODULE_INVALID
    assert "yet" in str(caught.value)


def test_the_task_s_environment_wins():
    wanted = job(env={"B": "task", "C": "x=y"}, EnvironmentVariables=["A=1", "B=engine", "D"])
    assert environment(wanted) == ["A=1", "B=task", "C=x=y", "D="]


def test_podman_keeps_logs_its_own_way():
    assert options(job(), podman=True)["HostConfig"]["LogConfig"]["Type"] == "k8s-file"


def test_podman_is_told_every_limit_or_takes_more_than_it_may():
    told = options(job(), podman=True)["HostConfig"]["Ulimits"]
    assert {one["Name"]: one["Hard"] for one in told} == {"nofile": 1024, "nproc": 16_384}
