"""One member as text for people (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from mesh.edge.render import (
    LABEL_COLUMNS,
    Document,
    capacity_text,
    fold,
    plain,
    short_id,
    size_text,
    table,
)

NOT_TAKEN: Mapping[str, str] = {
    "ledger_refused_malformed": "malformed",
    "ledger_refused_signature": "with a wrong signature",
    "ledger_void": "signed by who may not say so",
    "ledger_forks": "of a second history of one log: do two machines run from one copy of a disk?",
    "ledger_refused_foreign_own": "in this node's own name: does another run from its disk?",
}
"""Counters of envelopes from peers -> what was wrong with them."""


def describe_node(answer: Document, width: int) -> str:
    """A member with what it offers, does, refused and sends."""
    node = answer["Node"]
    info, mesh, compute = node["Info"], node["Mesh"], node["Info"]["ComputeNodeInfo"]
    labels = ", ".join(f"{key}={value}" for key, value in info["Labels"].items())
    engines = ", ".join(f"{name} {version}" for name, version in mesh["Engines"].items())
    lines = [
        f"ID          {plain(info['NodeID'])}",
        f"Name        {plain(mesh['Name'])}",
        f"State       {plain(mesh['State'])}{' (the one asked)' if mesh['IsSelf'] else ''}",
        *_intent_lines(mesh),
        f"Version     {plain(mesh['Version'])}",
        f"Addresses   {plain(', '.join(mesh['Addresses']))}",
        f"Labels      {plain(labels)}",
        f"Engines     {plain(engines) or 'none'}",
        f"CPU         {capacity_text(node, 'CPU')} free",
        f"Memory      {capacity_text(node, 'Memory')} free",
        f"Disk        {capacity_text(node, 'Disk')} free",
        f"Work        {compute['RunningExecutions']} running, "
        f"{compute['EnqueuedExecutions']} waiting",
        f"Sends       {_traffic(answer['Counters'])}",
        *_not_taken(answer["Counters"] or {}),
    ]
    lines = [one for line in lines for one in fold(line, width, LABEL_COLUMNS)]
    lines += _node_data(mesh, width)
    if answer["Running"]:
        rows = [
            (
                short_id(one["ExecutionID"]),
                short_id(one["JobID"]),
                one["State"],
                _time(one["Since"]),
            )
            for one in answer["Running"]
        ]
        headers = ("EXECUTION", "JOB", "STATE", "SINCE")
        lines += ["", "What it has in hand", table(headers, rows, width)]
    return "\n".join(lines + _node_refusals(answer, width))


def _time(text: str) -> str:
    return plain(text[:19].replace("T", " "))


def _intent_lines(mesh: Document) -> list[str]:
    if not mesh["Intent"]:
        return []
    why = f": {plain(mesh['IntentReason'])}" if mesh["IntentReason"] else ""
    until = (
        f", what runs until {_time(mesh['IntentUntil'])}" if mesh["Intent"] == "draining" else ""
    )
    said = f"since {_time(mesh['IntentTime'])}, said at {plain(mesh['IntentBy'])}"
    return [f"Intent      {plain(mesh['Intent'])} {said}{until}{why}"]


def _traffic(counters: Mapping[str, int] | None) -> str:
    if counters is None:
        return "not known: it cannot be reached now"
    sent, received = (counters.get(f"{one}_per_hour_bytes", 0) for one in ("sent", "received"))
    total = counters.get("sent_bytes", 0)
    return (
        f"{size_text(sent)} an hour to its peers, {size_text(total)} since its start; "
        f"it receives {size_text(received)} an hour"
    )


def _not_taken(counters: Mapping[str, int]) -> list[str]:
    """What peers sent that nobody here believes; no line where there is none, as it should be."""
    found = [f"{count} {what}" for name, what in NOT_TAKEN.items() if (count := counters.get(name))]
    return [f"Not taken   {', '.join(found)}"] if found else []


def _node_data(mesh: Document, width: int) -> list[str]:
    lines: list[str] = []
    if mesh["Data"]:
        rows = [(one["Path"], size_text(one["Size"])) for one in mesh["Data"]]
        lines += ["", "Data that jobs may use in place", table(("PATH", "SIZE"), rows, width)]
    if mesh["Blobs"]:
        lines += ["", "Modules and inputs of known jobs that are here"]
        lines += [f"  {plain(one)[:12]}" for one in mesh["Blobs"]]
    if mesh["Images"]:
        lines += ["", "Images of containers that are here"]
        lines += [f"  {plain(one)}" for one in mesh["Images"]]
    return lines


def _node_refusals(answer: Document, width: int) -> list[str]:
    if not answer["Refusals"]:
        return []
    counts = ", ".join(f"{count} {plain(why)}" for why, count in answer["Refusals"].items())
    rows = [
        (_time(one["Time"]), short_id(one["JobID"]), one["Message"] or one["Reason"])
        for one in answer["Refused"]
    ]
    return ["", f"What it refused: {counts}", table(("TIME", "JOB", "WHY"), rows, width)]
