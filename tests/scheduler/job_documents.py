"""Job documents for tests: small valid ones, and a way to change one place in them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

CAPTURED = Path(__file__).parent.parent / "fixtures" / "jobs"
"""Jobs as the stock client submitted them, and below `stored` as the stock server kept them."""
ABSENT = object()


def captured(name: str) -> Any:
    return json.loads((CAPTURED / f"{name}.json").read_text())


def wasm_job() -> dict[str, Any]:
    """A job that uses most fields."""
    return {
        "Name": "engines",
        "Namespace": "ship",
        "Type": "batch",
        "Priority": 3,
        "Count": 2,
        "Constraints": [
            {"Key": "region", "Operator": "in", "Values": ["north", "south"]},
            {"Key": "favour_ssd", "Operator": "exists"},
        ],
        "Meta": {"note": "weekly"},
        "Labels": {"team": "engine"},
        "Retry": {"Attempts": 5, "On": ["infrastructure", "program"]},
        "Disconnect": {"ReplaceAfter": "2m", "Exclusive": False},
        "Tasks": [
            {
                "Name": "main",
                "Engine": {
                    "Type": "wasm",
                    "Params": {
                        "EntryModule": "main.wasm",
                        "Parameters": ["--limit", "90"],
                        "ImportModules": ["/lib.wasm"],
                    },
                },
                "Publisher": {"Type": "s3", "Params": {"bucket": "results", "key": "a/{jobID}"}},
                "Env": {"LEVEL": "info"},
                "Meta": {"owner": "me"},
                "InputSources": [
                    {
                        "Source": {"Type": "mesh", "Params": {"Digest": "AB" * 32}},
                        "Target": "main.wasm",
                    },
                    {
                        "Source": {"Type": "inline", "Params": {"URL": "data:;base64,AGFzbQ=="}},
                        "Target": "/lib.wasm",
                    },
                    {
                        "Source": {"Type": "localDirectory", "Params": {"SourcePath": "/data/log"}},
                        "Alias": "readings",
                        "Target": "/inputs",
                    },
                ],
                "ResultPaths": [{"Name": "out", "Path": "/outputs"}],
                "Resources": {"CPU": "250m", "Memory": "64Mi", "Disk": 1000, "GPU": "0"},
                "Network": {"Type": "http", "Domains": ["example.com", ".example.org"]},
                "Timeouts": {"ExecutionTimeout": 30, "QueueTimeout": 20, "TotalTimeout": 60},
                "SuccessCodes": [0, 3],
            }
        ],
    }


def docker_job() -> dict[str, Any]:
    return {
        "Type": "batch",
        "Tasks": [
            {
                "Name": "main",
                "Engine": {
                    "Type": "docker",
                    "Params": {
                        "Image": "busybox:1.36",
                        "Entrypoint": ["sh", "-c"],
                        "Parameters": ["true"],
                        "EnvironmentVariables": ["A=b"],
                        "WorkingDirectory": "/tmp",
                    },
                },
                "Network": {
                    "Type": "Bridge",
                    "Ports": [
                        {"Name": "web", "Static": 8080, "Target": 80, "HostNetwork": "127.0.0.1"},
                        {"Name": "any"},
                    ],
                },
            }
        ],
    }


def scripted_job() -> dict[str, Any]:
    return {
        "Type": "batch",
        "Tasks": [
            {
                "Name": "main",
                "Engine": {"Type": "scripted", "Params": {"DurationMs": 5, "Stdout": "hi"}},
            }
        ],
    }


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document, by its keys and indexes."""
    found = [path]
    if isinstance(document, dict):
        for key, item in document.items():
            found += places(item, (*path, key))
    elif isinstance(document, list):
        for index, item in enumerate(document):
            found += places(item, (*path, index))
    return found


def changed(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at one place; ABSENT takes the key away."""
    if not place:
        return value
    result = copy.deepcopy(document)
    inner = result
    for key in place[:-1]:
        inner = inner.setdefault(key, {}) if isinstance(inner, dict) else inner[key]
    if value is ABSENT:
        del inner[place[-1]]
    elif isinstance(inner, list) and place[-1] == len(inner):
        inner.append(value)
    else:
        inner[place[-1]] = value
    return result
