"""Readings of nodes, and facts of this one, as Bacalhau's JSON (pure)."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from mesh.edge.documents import Document, rfc3339
from mesh.gossip.events import PeerState
from mesh.member.commands import NodeDetail, NodeWork
from scheduler.jobs import Resources

GIT_VERSION = "v1.9.3"
"""The Bacalhau release whose API this is: its compute nodes and tools look at the number."""
GIT_COMMIT = "0" * 40
BUILD_DATE = "1970-01-01T00:00:00Z"


def resources_document(resources: Resources) -> Document:
    """Concrete amounts; zero fields are left out, so that nothing at all is `{}`."""
    amounts: Document = {
        "CPU": resources.cpu_milli / 1000,
        "Memory": resources.memory_bytes,
        "Disk": resources.disk_bytes,
        "GPU": resources.gpu,
    }
    return {name: amount for name, amount in amounts.items() if amount}


def version_document(*, system: str, machine: str, mesh_version: str) -> Document:
    """Build information; `system` and `machine` in Go's words (`linux`, `amd64`)."""
    return {
        "Major": "1",
        "Minor": "9",
        "GitVersion": GIT_VERSION,
        "GitCommit": GIT_COMMIT,
        "BuildDate": BUILD_DATE,
        "GOOS": system,
        "GOARCH": machine,
        "Mesh": {"Version": mesh_version},
    }


STATE_WORDS: Mapping[PeerState, str] = {
    PeerState.ALIVE: "alive",
    PeerState.SUSPECT: "suspect",
    PeerState.UNREACHABLE: "unreachable",
    PeerState.LEFT: "left",
}


MACHINE_LABELS = ("name", "os", "arch", "os_type", "os_arch")
"""Those that every node has by itself."""


def ordered_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Those that somebody gave a node first, by their names; then those that every node has."""
    own = sorted(one for one in labels if one not in MACHINE_LABELS)
    return {one: labels[one] for one in (*own, *MACHINE_LABELS) if one in labels}


def node_document(detail: NodeDetail, *, system: str, machine: str) -> Document:
    """One member with its state as this node sees it."""
    connected = detail.state in (PeerState.ALIVE, PeerState.SUSPECT)
    status = "CONNECTED" if connected else "DISCONNECTED"
    connection: Document = {
        "Status": status,
        "LastHeartbeat": rfc3339(detail.since_ms),
        "ConnectedSince": rfc3339(detail.since_ms if connected else 0),
        "DisconnectedSince": rfc3339(0 if connected else detail.since_ms),
    }
    if not connected:
        connection["LastError"] = f"node is {STATE_WORDS[detail.state]}"
    return {
        "Info": node_info_document(detail, system=system, machine=machine),
        "Membership": "APPROVED",
        "Connection": status,
        "ConnectionState": connection,
        "Mesh": {
            "Name": detail.reading.name,
            "State": STATE_WORDS[detail.state],
            "IsSelf": detail.is_self,
            "Linked": detail.linked,
            "Intent": detail.intent,
            "IntentReason": detail.intent_reason,
            "IntentBy": detail.intent_by,
            "IntentTime": rfc3339(detail.intent_since_ms),
            "IntentUntil": rfc3339(detail.intent_until_ms),
            "Addresses": list(detail.addresses),
            "Version": detail.version,
            "Engines": dict(detail.engine_versions),
            "Blobs": sorted(detail.reading.blobs),
            "Images": list(detail.reading.images),
            "Data": [
                {"Path": one.path, "Size": one.size_bytes, "Newest": rfc3339(one.newest_ms)}
                for one in detail.reading.data
            ],
        },
    }


def node_info_document(detail: NodeDetail, *, system: str, machine: str) -> Document:
    """What a node offers. Bacalhau's client decodes the types `Compute` and `Requester` only."""
    reading = detail.reading
    connected = detail.state in (PeerState.ALIVE, PeerState.SUSPECT)
    free = reading.capacity.minus(detail.used)
    pure_requester = bool(reading.roles) and "compute" not in reading.roles
    return {
        "NodeID": reading.node,
        "NodeType": "Requester" if pure_requester else "Compute",
        "Labels": ordered_labels({"name": reading.name, **reading.labels}),
        "SupportedProtocols": ["bprotocol/v2", "ncl/v1"],
        "ComputeNodeInfo": {
            "ExecutionEngines": list(reading.engines),
            "Publishers": list(reading.publishers),
            "StorageSources": list(reading.sources),
            "MaxCapacity": resources_document(reading.capacity),
            "QueueCapacity": {},
            "AvailableCapacity": resources_document(_not_negative(free)) if connected else {},
            "MaxJobRequirements": resources_document(reading.capacity),
            "RunningExecutions": detail.running,
            "EnqueuedExecutions": detail.queued,
            "address": "",
        },
        "BacalhauVersion": version_document(
            system=system, machine=machine, mesh_version=detail.version
        ),
    }


def node_work_document(work: NodeWork, facts: Mapping[str, int] | None) -> Document:
    """What a node does, and its counters; None where it could not be asked."""
    return {
        "Running": [
            {
                "ExecutionID": one.id,
                "JobID": one.job,
                "State": one.observation.state.name.capitalize(),
                "Since": rfc3339(one.started_ms or one.created_ms),
            }
            for one in work.live
        ],
        "Refused": [
            {
                "ExecutionID": one.id,
                "JobID": one.job,
                "Reason": one.observation.reason,
                "Message": one.observation.message,
                "Time": rfc3339(one.modified_ms),
            }
            for one in work.refused
        ],
        "Refusals": dict(work.refusals),
        "Counters": None if facts is None else dict(facts),
    }


def _not_negative(resources: Resources) -> Resources:
    return Resources(*(max(0, amount) for amount in resources))


def auth_document(node: str) -> Document:
    """One login method that accepts any answer: without one, Bacalhau's client stops."""
    phrase = base64.b64encode(node.encode()).decode("ascii")
    method = {"type": "challenge", "params": {"InputPhrase": phrase}}
    return {"NextToken": "", "Methods": {"clientkey": method}}


def config_document(*, api_host: str, api_port: int, data_dir: str, name: str) -> Document:
    """The part of Bacalhau's configuration tree that a mesh node has."""
    return {
        "config": {
            "API": {
                "Host": api_host,
                "Port": api_port,
                "TLS": {"Insecure": False},
                "Auth": {"Methods": {"ClientKey": {"Type": "challenge"}}, "Oauth2": {}},
            },
            "NameProvider": name,
            "DataDir": data_dir,
            "Orchestrator": {"Enabled": True},
            "Compute": {"Enabled": True},
            "Engines": {"Types": {"WASM": {}}},
            "JobDefaults": {
                "Batch": {"Task": {"Resources": {"CPU": "500m", "Memory": "512Mb"}}},
            },
            "DisableAnalytics": True,
        }
    }
