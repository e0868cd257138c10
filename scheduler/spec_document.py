"""From a spec back to the document that Bacalhau stores and its clients read."""

from __future__ import annotations

from typing import Any

from scheduler.jobs import DEFAULT_ATTEMPTS, JobSpec, Network, Source
from scheduler.spec_types import TYPE_NAMES


def job_document(spec: JobSpec) -> dict[str, Any]:
    """Bacalhau's stored form of a spec, without ID, State, Version, Revision and times.

    `Name` is "" for a job without a name of its own. The mesh's own keys stand only where they
    differ from the defaults.
    """
    document: dict[str, Any] = {
        "Name": spec.name,
        "Namespace": spec.namespace,
        "Type": spec.type.value,
        "Priority": spec.priority,
        "Count": spec.count,
        "Constraints": [
            {"Key": one.key, "Operator": one.operator}
            | ({"Values": list(one.values)} if one.values else {})
            for one in spec.constraints
        ],
        "Meta": dict(spec.meta),
        "Labels": dict(spec.labels),
        "Tasks": [_task_document(spec)],
    }
    if (spec.retry_attempts, spec.retry_program) != (DEFAULT_ATTEMPTS, False):
        reasons = ["infrastructure", "program"] if spec.retry_program else ["infrastructure"]
        document["Retry"] = {"Attempts": spec.retry_attempts, "On": reasons}
    if spec.disconnect:
        document["Disconnect"] = {
            key: value == "true" if key == "Exclusive" else value
            for key, value in spec.disconnect.items()
        }
    return document


def _task_document(spec: JobSpec) -> dict[str, Any]:
    task = spec.task
    document: dict[str, Any] = {
        "Name": task.name,
        "Engine": _source_document(task.engine),
        "Publisher": _source_document(task.publisher) if task.publisher else {"Type": ""},
        "Env": dict(task.env),
        "Meta": dict(task.meta),
        "InputSources": [
            {"Source": _source_document(one.source), "Alias": one.alias, "Target": one.target}
            for one in task.inputs
        ],
        "ResultPaths": [{"Name": one.name, "Path": one.path} for one in task.result_paths],
        "SuccessCodes": [] if spec.success_codes == (0,) else list(spec.success_codes),
    }
    return _without_empty(document) | {
        "Resources": dict(task.resource_texts),
        "Network": _network_document(task.network),
        "Timeouts": _without_empty(
            {
                "ExecutionTimeout": task.timeouts.execution_s,
                "QueueTimeout": task.timeouts.queue_s,
                "TotalTimeout": task.timeouts.total_s,
            }
        ),
    }


def _network_document(network: Network) -> dict[str, Any]:
    ports = [
        {"Name": port.name}
        | _without_empty(
            {"Static": port.static, "Target": port.target, "HostNetwork": port.host_network}
        )
        for port in network.ports
    ]
    return {"Type": network.type} | _without_empty(
        {"Domains": list(network.domains), "Ports": ports}
    )


def _source_document(source: Source) -> dict[str, Any]:
    return {"Type": TYPE_NAMES[source.type]} | _without_empty({"Params": dict(source.params)})


def _without_empty(entries: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entries.items() if value}
