"""Programs for the Docker engine, in the busybox image of `tests.system.docker_engine`."""

from __future__ import annotations

from runtime.conformance import Program
from scheduler.jobs import Source
from tests.system.docker_engine import IMAGE


def command(*entrypoint: str, parameters: tuple[str, ...] = (), image: str = IMAGE) -> Program:
    params = {"Image": image, "Entrypoint": list(entrypoint), "Parameters": list(parameters)}
    return Program(Source("docker", params))


def shell(text: str) -> Program:
    return command("sh", "-c", parameters=(text,))


# Each image and each engine adds variables of its own.
NOT_OURS = ("PATH", "HOSTNAME", "HOME", "TERM", "container")
ENV = ("/bin/env", "-0", *(word for name in NOT_OURS for word in ("-u", name)))
DOCKER_PROGRAMS = {
    "exit_0": shell("true"),
    "exit_7": shell("exit 7"),
    "two_streams": shell("echo out; echo err >&2"),
    "environment": command(*ENV),
    "arguments": command("sh", "-c", 'printf "%s\\0" "$0" "$@"', parameters=("name", "one", "two")),
    "copy": shell("cp /inputs/in.txt /outputs/out.txt"),
    "overwrite": shell("echo other >/inputs/in.txt"),
    "spin": shell("while :; do :; done"),
    "flood": shell("head -c 100000 /dev/zero"),
    "broken": command("/no/such/program"),
    "patient": shell("echo one; while [ ! -e /inputs/go ]; do sleep 0.02; done; echo two; exit 7"),
}
