"""From a job to what the engine is asked to create (pure): the sandbox, line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.ports import EngineJob, Mount
from scheduler.jobs import Failure, Network, Refusal, Resources

LABEL_CLUSTER = "bacalhau-mesh.cluster"
LABEL_NODE = "bacalhau-mesh.node"
LABEL_ATTEMPT = "bacalhau-mesh.attempt"

MAX_PROCESSES = 256
"""The sandbox rules' figure: enough for a build, not for a fork bomb."""
MAX_OPEN_FILES = 1024
"""The sandbox rules' figure, and the usual soft limit of a login."""
MAX_OF_A_USER = 16_384
"""Processes, over all containers. Where one limit is named, Podman takes its own default for the
other, a million: more than its service may ask for where it is not allowed to raise limits (it
allows itself 32,768)."""
MIN_CPU_MILLI = 10
"""The least that engines take."""
LOG_FILE_SIZE = "16m"
LOG_FILES = "2"
"""The engine's own copy of the output, which a node reads after it was away. One file at least
holds more than the 10 MiB that are kept of a stream."""
HOST_GATEWAY = "host.docker.internal:host-gateway"
"""Bacalhau's bridge network names the host so."""


class CannotRun(Exception):
    """The job cannot run (a failure), or not here (a refusal); and one sentence."""

    def __init__(self, failure: Failure | Refusal, sentence: str) -> None:
        super().__init__(sentence)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Image:
    """What matters of an image that the engine has."""

    os: str
    architecture: str
    user: str
    """"" where the image leaves it open."""


def text_list(job: EngineJob, name: str) -> list[str]:
    """A list parameter of the engine, by its name in any case."""
    return [str(one) for one in _param(job, name) or ()]


def image_name(job: EngineJob) -> str:
    """The image as the user wrote it."""
    return str(_param(job, "image") or "")


def _param(job: EngineJob, name: str) -> Any:
    for key, value in job.task.engine.params.items():
        if key.lower() == name:
            return value
    return None


def create_options(
    job: EngineJob, *, labels: Mapping[str, str], user: str, podman: bool
) -> dict[str, Any]:
    """The body of `containers/create`. CannotRun for what this release does not offer.

    `user` is who the program runs as, "" for whom the image names.
    """
    options: dict[str, Any] = {
        "Image": image_name(job),
        "Env": environment(job),
        "Labels": {**labels, LABEL_ATTEMPT: job.attempt},
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": _host_config(job, podman=podman),
    }
    optional = {
        "Entrypoint": text_list(job, "entrypoint"),
        "Cmd": text_list(job, "parameters"),
        "WorkingDir": str(_param(job, "workingdirectory") or ""),
        "User": user,
    }
    return options | {key: value for key, value in optional.items() if value}


def environment(job: EngineJob) -> list[str]:
    """`K=V`: the engine's own parameter first, the task's and the node's over it."""
    pairs = (one.partition("=") for one in text_list(job, "environmentvariables"))
    merged = {name: value for name, _, value in pairs} | dict(job.env)
    return [f"{name}={value}" for name, value in sorted(merged.items())]


def _host_config(job: EngineJob, *, podman: bool) -> dict[str, Any]:
    network = network_mode(job.task.network)
    return {
        "NetworkMode": network,
        **({"ExtraHosts": [HOST_GATEWAY]} if network == "bridge" else {}),
        "Mounts": [*_mounts(job.inputs), *_mounts(job.outputs)],
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": MAX_PROCESSES,
        "Ulimits": _ulimits(podman=podman),
        "Init": True,
        "LogConfig": _log_config(podman=podman),
        **_limits(job.task.resources),
    }


def _ulimits(*, podman: bool) -> list[dict[str, Any]]:
    limits = {"nofile": MAX_OPEN_FILES} | ({"nproc": MAX_OF_A_USER} if podman else {})
    return [{"Name": name, "Soft": limit, "Hard": limit} for name, limit in limits.items()]


def network_mode(network: Network) -> str:
    """`none` unless the job asks for more."""
    if network.ports:
        raise CannotRun(
            Failure.MODULE_INVALID,
            "Ports of containers are not there yet: leave Network.Ports out, or use Type Host.",
        )
    modes = {"Default": "none", "None": "none", "Host": "host", "Full": "host", "Bridge": "bridge"}
    if network.type not in modes:
        raise CannotRun(
            Failure.MODULE_INVALID,
            f"Containers have no network of type {network.type} yet: use None, Bridge or Host.",
        )
    return modes[network.type]


def _mounts(mounts: Sequence[Mount]) -> list[dict[str, Any]]:
    return [
        {
            "Type": "bind",
            "Source": str(one.host),
            "Target": one.guest,
            "ReadOnly": one.read_only,
            "BindOptions": {"Propagation": "rprivate"},
        }
        for one in mounts
    ]


def _limits(resources: Resources) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    if resources.cpu_milli:
        limits["NanoCpus"] = max(resources.cpu_milli, MIN_CPU_MILLI) * 1_000_000
    if resources.memory_bytes:
        # The second figure counts memory and swap together: equal means no swap.
        limits["Memory"] = limits["MemorySwap"] = resources.memory_bytes
    if resources.gpu:
        limits["DeviceRequests"] = [{"Count": resources.gpu, "Capabilities": [["gpu"]]}]
    return limits


def _log_config(*, podman: bool) -> dict[str, Any]:
    if podman:
        return {"Type": "k8s-file", "Config": {"max-size": LOG_FILE_SIZE}}
    # `local` keeps bytes as they are; `json-file` would turn those that are no text into others.
    config = {"max-size": LOG_FILE_SIZE, "max-file": LOG_FILES, "compress": "false"}
    return {"Type": "local", "Config": config}
