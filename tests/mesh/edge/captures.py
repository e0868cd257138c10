"""Answers of a real Bacalhau, and how ours are compared with them: by keys and kinds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parents[2] / "fixtures" / "http"


def captured(name: str, exchange: int = 0) -> Any:
    found = json.loads((FIXTURES / name).read_text())
    return found["exchanges"][exchange]["response_body"]


def kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    kinds: dict[type, str] = {str: "text", list: "list", dict: "object"}
    return kinds[type(value)]


def missing(theirs: Any, ours: Any, path: str = "") -> list[str]:
    """Keys of a captured answer that ours lacks, or has as another kind."""
    if kind(theirs) != kind(ours):
        return [f"{path}: {kind(theirs)} there, {kind(ours)} here"]
    if isinstance(theirs, dict):
        found = []
        for key, value in theirs.items():
            if key not in ours:
                found.append(f"{path}.{key}")
            else:
                found += missing(value, ours[key], f"{path}.{key}")
        return found
    if isinstance(theirs, list) and theirs and ours:
        return missing(theirs[0], ours[0], f"{path}[0]")
    return []


# What a captured answer has and ours does not, each for a reason.
NAMED = {
    ".Meta.bacalhau.org/client.instance.id": "the client's id is there when it was sent",
    ".Meta.bacalhau.org/server.instance.id": "a mesh has no installation id",
    ".Tasks[0].Engine.Params.Entrypoint": "of the docker engine",
    ".Tasks[0].Engine.Params.EnvironmentVariables": "of the docker engine",
    ".Tasks[0].Engine.Params.Image": "of the docker engine",
    ".Tasks[0].Engine.Params.Parameters": "of the docker engine",
    ".Tasks[0].Engine.Params.WorkingDirectory": "of the docker engine",
    ".Tasks[0].ResultPaths": "only where the job has them",
    ".ConnectionState.LastComputeSeqNum": "counts messages of a protocol we do not speak",
    ".ConnectionState.LastOrchestratorSeqNum": "counts messages of a protocol we do not speak",
    ".Event.Details": "left out when empty, as there",
}


def unexplained(theirs: Any, ours: Any) -> list[str]:
    return [one for one in missing(theirs, ours) if not any(one.endswith(end) for end in NAMED)]
