"""Rules between the fields of one task: what each alone cannot show to be wrong.

These look at what the tables of `spec_fields` read; a field that could not be read is left out of
every rule, since its own problem is noted already.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from scheduler.jobs import Network
from scheduler.reading import Problems, shown

_FIRST_STATIC_PORT = 1024
"""Ports below belong to the host's own services."""


def check_task(problems: Problems, path: str, task: dict[str, Any]) -> None:
    """Note every contradiction in a task; an input given in a module's place joins the inputs."""
    _gather_modules(problems, path, task)
    inputs = _numbered(f"{path}.InputSources", task.get("InputSources"))
    results = _numbered(f"{path}.ResultPaths", task.get("ResultPaths"))
    _check_unique(problems, "Alias", inputs)
    _check_unique(problems, "Name", results, any_case=True)
    _check_apart(
        problems,
        [(f"{place}.Target", one["Target"]) for place, one in inputs if "Target" in one]
        + [(f"{place}.Path", one["Path"]) for place, one in results if "Path" in one],
    )
    if "Timeouts" in task:
        _check_timeouts(problems, f"{path}.Timeouts", task["Timeouts"])


def _numbered(path: str, items: list[Any] | None) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{path}[{index}]", one) for index, one in enumerate(items or ()) if one is not None]


def _gather_modules(problems: Problems, path: str, task: dict[str, Any]) -> None:
    engine = task.get("Engine")
    if not engine or engine["Type"] != "wasm":
        return
    params = engine["Params"]
    inputs = task.setdefault("InputSources", [])
    where = f"{path}.Engine.Params"
    named: list[tuple[str, str]] = []
    if "EntryModule" in params:
        params["EntryModule"] = _target_of(params["EntryModule"], inputs)
        named.append((f"{where}.EntryModule", params["EntryModule"]))
    if "ImportModules" in params:
        modules = [one for one in params["ImportModules"] if one is not None]
        params["ImportModules"] = [_target_of(one, inputs) for one in modules]
        for index, target in enumerate(params["ImportModules"]):
            named.append((f"{where}.ImportModules[{index}]", target))
    targets = [one["Target"] for one in inputs if "Target" in one]
    if len(targets) < len(inputs):
        return
    listed = ", ".join(shown(target) for target in targets[:8])
    known = f"the inputs' Targets are {listed}" if targets else "there is no input"
    for place, target in named:
        if target not in targets:
            problems.add(place, f"no input has the Target {shown(target)}; {known}")


def _target_of(module: Any, inputs: list[Any]) -> str:
    if isinstance(module, str):
        return module
    inputs.append(module)
    return str(module["Target"])


def _check_unique(
    problems: Problems,
    key: str,
    items: Iterable[tuple[str, dict[str, Any]]],
    *,
    any_case: bool = False,
) -> None:
    seen: dict[Any, str] = {}
    for place, one in items:
        value = one.get(key)
        if not value:
            continue
        value = value.lower() if any_case and isinstance(value, str) else value
        if value in seen:
            problems.add(f"{place}.{key}", f"{shown(one[key])} is taken by {seen[value]}")
        else:
            seen[value] = place


def _check_apart(problems: Problems, places: list[tuple[str, str]]) -> None:
    """No mount may hide or hold another: of two that overlap, the deeper one is named."""
    ordered = sorted((f"{target}/", place) for place, target in places)
    for (outer, outer_place), (inner, inner_place) in itertools.pairwise(ordered):
        if inner.startswith(outer):
            relation = "is also" if inner == outer else f"lies inside {shown(outer[:-1])}, which is"
            problems.add(
                inner_place,
                f"{shown(inner[:-1])} {relation} {outer_place}; give each its own place",
            )


def check_network(problems: Problems, path: str, network: dict[str, Any]) -> None:
    """Note what does not go with the network's type, and ports that collide."""
    kind = network.get("Type", "Default")
    ports = _numbered(f"{path}.Ports", network.get("Ports"))
    if network.get("Domains") and kind != "HTTP":
        problems.add(f"{path}.Domains", f"go with the network type HTTP only, not {kind}")
    if ports and kind not in ("Host", "Full", "Bridge"):
        problems.add(f"{path}.Ports", f"go with the network types Host and Bridge only, not {kind}")
    _check_unique(problems, "Name", ports, any_case=True)
    _check_unique(problems, "Static", ports)
    _check_unique(problems, "Target", ports)
    for place, port in ports:
        if 0 < port.get("Static", 0) < _FIRST_STATIC_PORT:
            problems.add(
                f"{place}.Static",
                f"must be {_FIRST_STATIC_PORT} to 65535, or 0 for a free one, not {port['Static']}",
            )
        if port.get("Target") and kind != "Bridge":
            problems.add(f"{place}.Target", f"goes with the network type Bridge only, not {kind}")


def not_offered(network: Network) -> str:
    """What of a task's network no node of this release can give, in a line; "" where all is well.
    For new submissions: what was accepted once stays readable."""
    if network.ports:
        return (
            "Tasks[0].Network.Ports: ports of containers are not offered; leave them out, or use "
            "the network type Host, where a program's ports are the machine's"
        )
    if network.type == "HTTP":
        return (
            "Tasks[0].Network.Type: HTTP, a network that reaches the named domains alone, is not "
            "offered; use None, Bridge or Host"
        )
    return ""


def _check_timeouts(problems: Problems, path: str, timeouts: dict[str, int]) -> None:
    total_s = timeouts.get("TotalTimeout", 0)
    parts_s = timeouts.get("ExecutionTimeout", 0) + timeouts.get("QueueTimeout", 0)
    if 0 < total_s < parts_s:
        problems.add(
            f"{path}.TotalTimeout",
            f"{total_s} is less than ExecutionTimeout and QueueTimeout together ({parts_s})",
        )
