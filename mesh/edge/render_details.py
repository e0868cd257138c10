"""What `top` tells of one job, one execution or one node (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesh.edge.feed_rows import ExecutionRow, JobRow, NodeRow
from mesh.edge.render import HEARD_STATES, plain, plain_lines, short_id, size_text
from mesh.edge.render_columns import Line, Look
from mesh.edge.render_rows import (
    EXECUTION_STATES,
    JOB_STATES,
    NODE_STATES,
    answer_word,
    comment_text,
    job_label,
    node_state,
    state_span,
    where_text,
)
from mesh.edge.render_story import story_text
from mesh.edge.render_times import ago_text, exact_text, span_text

STDERR = 2


def job_facts(row: JobRow, look: Look) -> list[Line]:
    """Three or four lines about a job."""
    answer = answer_word(row)
    counts = f"{row['Done']} done, {row['Running']} running, {row['Waiting']} waiting"
    counts += f", {row['Failed']} failed" if row["Failed"] else ""
    counts += f", {row['Duplicates']} done twice" if row["Duplicates"] else ""
    lines: list[Line] = [
        [
            state_span(JOB_STATES, row["State"]),
            (f" ({answer})" if answer else "", "" if row["Settled"] else "warn"),
            (f" · {plain(row['Type'])} of {row['Count']} · {counts}", ""),
        ],
        [
            (f"{plain(row['ID'])} · version {row['Version']} · ", "dim"),
            (f"submitted {_when(row['Created'], look)}", ""),
        ],
        [
            (f"owner {plain(row['Owner']) or '-'} · on {plain(where_text(row)) or 'no node'}", ""),
            (f" · {_pairs(row['Labels'])}" if row["Labels"] else "", "dim"),
        ],
    ]
    if row["Message"]:
        lines.append([(plain(row["Message"]), "warn")])
    return lines


def job_title(row: JobRow) -> str:
    """What stands over its page."""
    return f"job {plain(job_label(row))}"


def execution_facts(row: ExecutionRow, label: str, look: Look) -> list[Line]:
    """Two or three lines about an execution; `label` is the job's."""
    answer = "accepted" if row["Accepted"] else "duplicate" if row["Duplicate"] else ""
    code = "" if row["ExitCode"] is None else f" · exit code {row['ExitCode']}"
    lasted = _lasted(row, look)
    lines: list[Line] = [
        [
            state_span(EXECUTION_STATES, row["State"]),
            (f" ({answer})" if answer else "", "good" if row["Accepted"] else "warn"),
            (f" on {plain(row['NodeName'])}{code}{lasted}", ""),
        ],
        [
            (f"{plain(row['ID'])} · part {row['Index']}, attempt {row['Attempt']} of ", "dim"),
            (plain(label), ""),
        ],
    ]
    if comment := comment_text(row):
        lines.append([(plain(comment), "bad" if row["State"] == "Failed" else "")])
    return lines


def _when(time_ms: int, look: Look) -> str:
    return f"{exact_text(time_ms)} UTC" if look.exact else ago_text(time_ms, look.now_ms)


def _lasted(row: ExecutionRow, look: Look) -> str:
    if not row["Started"]:
        return ""
    if row["State"] == "Running":
        return f" · for {span_text(look.now_ms - row['Started'])}"
    return f" · {span_text(row['Modified'] - row['Started'])}"


def node_facts(row: NodeRow, look: Look) -> list[Line]:
    """Lines about a node."""
    since = _when(row["Since"], look)
    engines = ", ".join(f"{plain(name)} {plain(one)}" for name, one in row["Engines"].items())
    near = row["RoundTripMs"] > 0 and row["State"] in HEARD_STATES
    trip = f", {row['RoundTripMs']:.1f} ms away" if near else ""
    return [
        [
            state_span(NODE_STATES, node_state(row)),
            (" (the node asked)" if row["IsSelf"] else "", ""),
            (f" · since {since}{trip} · {row['Running']} running, {row['Queued']} waiting", ""),
        ],
        [(f"{plain(row['ID'])} · {plain(', '.join(row['Addresses']))}", "dim")],
        [(f"runs {engines or 'nothing: it has no engine'} · version {plain(row['Version'])}", "")],
        [(_pairs(row["Labels"]), "dim")],
    ]


def node_lines(row: NodeRow, answer: Mapping[str, Any] | None, failure: str) -> list[Line]:
    """Its data and what it refused; `answer` is the node's document, None while it is not here."""
    lines: list[Line] = [[("DATA", "bold")]]
    for one in row["Data"]:
        lines.append([(f"  {plain(one['Path'])}  {size_text(one['Size'])}", "")])
    if not row["Data"]:
        lines.append([("  It offers no folders.", "dim")])
    lines += [[], [("REFUSALS", "bold")]]
    if answer is None:
        return [*lines, [(f"  {plain(failure) or 'asking ...'}", "dim")]]
    for reason, count in answer["Refusals"].items():
        lines.append([(f"  {count} for want of {plain(reason)}", "")])
    for one in answer["Refused"]:
        text = f"  {short_id(one['ExecutionID'])} of {short_id(one['JobID'])}: "
        lines.append([(text + plain(one["Message"] or one["Reason"]), "")])
    if not answer["Refused"] and not answer["Refusals"]:
        lines.append([("  It refused nothing.", "dim")])
    counters = answer.get("Counters") or {}
    if "sent_per_hour_bytes" in counters:
        sent, heard = (counters.get(f"{one}_per_hour_bytes", 0) for one in ("sent", "received"))
        lines += [[], [("TRAFFIC", "bold")]]
        lines.append([(f"  sends {size_text(sent)} an hour, hears {size_text(heard)}", "")])
    return lines


def story_lines(answer: Mapping[str, Any], node_names: Mapping[str, str], width: int) -> list[Line]:
    """A job's story, or the items of its history where a node tells no story."""
    if "State" in answer:
        return [[(one, "")] for one in story_text(answer, width).splitlines()[1:]]
    lines = [_history_item(item, node_names) for item in answer["Items"]]
    return lines or [[("Nothing is told yet.", "dim")]]


def _history_item(item: Mapping[str, Any], node_names: Mapping[str, str]) -> Line:
    event = item["Event"]
    about = short_id(item.get("ExecutionID", "")) or "job"
    details = event.get("Details", {})
    where = node_names.get(details.get("NodeID", ""), "")
    on = f" on {plain(where)}" if where else ""
    text = f"{plain(item['Time'])[11:19]}  {about:10}  {plain(event['Message'])}{on}"
    return [(text, "")]


def output_lines(stream: int, text: str) -> list[Line]:
    """Lines of a program; those of its standard error stand out by a mark."""
    mark = "! " if stream == STDERR else ""
    style = "warn" if stream == STDERR else ""
    return [
        [(mark + one.expandtabs(8), style)] for one in plain_lines(text).rstrip("\n").split("\n")
    ]


def _pairs(pairs: Mapping[str, str]) -> str:
    return " ".join(f"{plain(key)}={plain(one)}" for key, one in pairs.items())
