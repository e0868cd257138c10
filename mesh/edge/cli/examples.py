"""One example for each command and group: the first thing that its `--help` shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EXAMPLES: Mapping[str, str] = {
    "": "devstack",
    "wasm": "wasm run hello.wasm",
    "docker": "docker run -f busybox -- date",
    "job": "job list",
    "node": "node list",
    "faults": "faults cut galley",
    "agent": "agent alive",
    "join": "join --lab our-secret --allow-path /data",
    "devstack": "devstack --nodes 3",
    "top": "top --any-node",
    "page": "page",
    "events": "events -f",
    "version": "version",
    "completion": 'eval "$(bacalhau-mesh completion bash)"',
    "wasm run": "wasm run --input file:///data:/inputs count.wasm -- /inputs",
    "docker run": "docker run --memory 512mb -f ubuntu:24.04 -- sh -c 'nproc; date'",
    "job run": "job run summary.yaml",
    "job list": "job list --labels team=field --limit 50",
    "job describe": "job describe j-8c1f02ab",
    "job explain": "job explain j-8c1f02ab",
    "job story": "job story j-8c1f02ab",
    "job logs": "job logs -f -n 20 j-8c1f02ab",
    "job stop": "job stop j-8c1f02ab",
    "job get": "job get j-8c1f02ab --output-dir ./summary",
    "job ls": "job ls j-8c1f02ab",
    "job wait": "job wait --settled j-8c1f02ab",
    "job versions": "job versions nightly-summary",
    "job history": "job history j-8c1f02ab",
    "job executions": "job executions j-8c1f02ab --output csv",
    "job rerun": "job rerun nightly-summary",
    "job validate": "job validate summary.yaml",
    "node list": "node list --wide",
    "node describe": "node describe galley",
    "node cordon": "node cordon galley --reason 'new disk'",
    "node uncordon": "node uncordon galley",
    "node drain": "node drain galley --timeout 5m",
    "faults cut": "faults cut galley engine-room",
    "faults heal": "faults heal",
    "agent alive": "agent alive --api-port 1234",
}


def with_examples(command: Any, path: str = "") -> Any:
    """The command, or the group with all its commands, each with its example first in its help."""
    for name, inner in getattr(command, "commands", {}).items():
        with_examples(inner, f"{path} {name}".strip())
    if path in EXAMPLES:
        help_text = str(command.help)
        command.short_help = help_text.partition("\n\n")[0].replace("\n", " ")
        line = EXAMPLES[path]
        if "bacalhau-mesh" not in line:
            line = f"bacalhau-mesh {line}"
        command.help = f"\b\nExample: {line}\n\n{help_text}"
    return command
