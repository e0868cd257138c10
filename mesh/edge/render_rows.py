"""What the tables of `top` show of nodes, jobs, executions and events (pure).

States are told by a mark and a word, so that they can be read without colours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from mesh.edge.feed_reader import FINISHED_STATES
from mesh.edge.feed_rows import EventRow, ExecutionRow, JobRow, NodeRow
from mesh.edge.render import HEARD_STATES, short_id
from mesh.edge.render_columns import Column, Look, Span
from mesh.edge.render_times import age_text, day_or_clock_text, exact_text
from scheduler.resources import show_cpu

Marks: TypeAlias = Mapping[str, tuple[int, str, str]]
"""State -> (its place in the order, mark, style)."""
NODE_STATES: Marks = {
    "unreachable": (0, "✗", "bad"),
    "suspect": (1, "?", "warn"),
    "draining": (2, "▽", "warn"),
    "cordoned": (3, "‖", "warn"),
    "alive": (4, "●", "good"),
    "left": (5, "·", "dim"),
}
JOB_STATES: Marks = {
    "Running": (0, "▶", "work"),
    "Queued": (1, "…", "warn"),
    "Pending": (2, "…", "warn"),
    "Failed": (3, "✗", "bad"),
    "Stopped": (4, "■", "dim"),
    "Completed": (5, "✓", "good"),
}
EXECUTION_STATES: Marks = {
    "Running": (0, "▶", "work"),
    "Publishing": (1, "▶", "work"),
    "Preparing": (2, "▷", "work"),
    "Accepted": (3, "▷", "work"),
    "Assigned": (4, "…", "warn"),
    "Failed": (5, "✗", "bad"),
    "Refused": (6, "✗", "warn"),
    "Cancelled": (7, "■", "dim"),
    "Succeeded": (8, "✓", "good"),
}
LEVELS: Marks = {"error": (0, "✗", "bad"), "warning": (1, "!", "warn"), "info": (2, "·", "")}
UNKNOWN_STATE = (9, "?", "")
_PARTS_WAIT = re.compile(r"^\d+ parts? waits?: ")


def state_span(marks: Marks, state: str) -> Span:
    """The mark and the word."""
    _, mark, style = marks.get(state, UNKNOWN_STATE)
    return f"{mark} {state.lower()}", style


def _rank(marks: Marks, state: str) -> int:
    return marks.get(state, UNKNOWN_STATE)[0]


def _time(time_ms: int, look: Look) -> Span:
    return (exact_text(time_ms) if look.exact else age_text(time_ms, look.now_ms)), ""


def _number(count: int, style: str = "") -> Span:
    return (str(count), style) if count else ("·", "dim")


# --- nodes ----------------------------------------------------------------------------------------


def node_state(row: NodeRow) -> str:
    """Its state here, or what it was asked to be where it can be heard."""
    return (row["Intent"] or row["State"]) if row["State"] == "alive" else row["State"]


def _heard(row: NodeRow) -> bool:
    return row["State"] in HEARD_STATES


def _amount(row: NodeRow, name: str) -> Span:
    """Free of all; what a node that cannot be heard has free is not known."""
    full = row["Capacity"][name]  # type: ignore[literal-required]
    free = row["Free"][name]  # type: ignore[literal-required]
    if not full:
        return "-", "dim"
    if name == "GPU":
        shown, whole = str(free), str(full)
    elif name == "CPU":
        shown, whole = show_cpu(free), show_cpu(full)
    else:
        shown, whole = _short_bytes(free), _short_bytes(full)
    if not _heard(row):
        return f"?/{whole}", "dim"
    return f"{shown}/{whole}", "warn" if free * 10 < full else ""


def _short_bytes(size_bytes: int) -> str:
    for unit, letter in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if size_bytes >= unit:
            amount = size_bytes / unit
            return f"{amount:.1f}{letter}" if amount < 10 else f"{amount:.0f}{letter}"
    return str(size_bytes)


def _round_trip(row: NodeRow) -> Span:
    time_ms = row["RoundTripMs"]
    if row["IsSelf"]:
        return "asked", "dim"
    if not _heard(row) or time_ms <= 0:
        return "-", "dim"
    return (f"{time_ms:.1f} ms" if time_ms < 100 else f"{time_ms:.0f} ms"), ""


def _load(row: NodeRow) -> Span:
    load = row["Load"]
    if load is None or not _heard(row):
        return "-", "dim"
    return f"{load * 100:.0f}%", "warn" if load >= 1 else ""


def _pairs(pairs: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in pairs.items())


NODE_COLUMNS = (
    Column("NAME", lambda r, _: (r["Name"], "bold"), lambda r: r["Name"], 11, 28),
    Column(
        "STATE",
        lambda r, _: state_span(NODE_STATES, node_state(r)),
        lambda r: (_rank(NODE_STATES, node_state(r)), r["Name"]),
        13,
    ),
    Column("SINCE", lambda r, look: _time(r["Since"], look), lambda r: -r["Since"], 7, need=3),
    Column("RTT", lambda r, _: _round_trip(r), lambda r: -r["RoundTripMs"], 7, right=True, need=5),
    Column("RUN", lambda r, _: _number(r["Running"], "work"), lambda r: -r["Running"], 4,
           right=True),
    Column("WAIT", lambda r, _: _number(r["Queued"], "warn"), lambda r: -r["Queued"], 5,
           right=True),
    Column("LOAD", lambda r, _: _load(r), lambda r: -(r["Load"] or 0.0), 5, right=True, need=4),
    Column("CPU", lambda r, _: _amount(r, "CPU"), lambda r: -r["Free"]["CPU"], 7, 8, need=2,
           right=True),
    Column("MEMORY", lambda r, _: _amount(r, "Memory"), lambda r: -r["Free"]["Memory"], 9, 10,
           need=2, right=True),
    Column("DISK", lambda r, _: _amount(r, "Disk"), lambda r: -r["Free"]["Disk"], 9, need=6,
           right=True),
    Column("GPU", lambda r, _: _amount(r, "GPU"), lambda r: -r["Free"]["GPU"], 4, need=7,
           right=True),
    Column("ENGINES", lambda r, _: (_pairs(r["Engines"]).replace("=", " "), ""),
           lambda r: sorted(r["Engines"]), 14, 26, need=8),
    Column("VERSION", lambda r, _: (r["Version"], ""), lambda r: r["Version"], 8, need=9),
    Column("ID", lambda r, _: (short_id(r["ID"]), "dim"), lambda r: r["ID"], 10, need=10),
    Column("LABELS", lambda r, _: (_pairs(r["Labels"]), "dim"),
           lambda r: sorted(r["Labels"].items()), 12, 60, need=11),
)  # fmt: skip


# --- jobs -----------------------------------------------------------------------------------------


FINISHED_JOBS = frozenset({"Completed", "Failed", "Stopped"})


def job_label(row: JobRow) -> str:
    """Its name, else the short form of its id."""
    return row["Name"] if row["Name"] and row["Name"] != row["ID"] else short_id(row["ID"])


def answer_word(row: JobRow) -> str:
    """How sure the end of a job is; "" while it has none."""
    if row["State"] not in FINISHED_JOBS:
        return ""
    return "settled" if row["Settled"] else "provisional"


def where_text(row: JobRow) -> str:
    """Names of nodes."""
    more = f" +{row['WhereMore']}" if row["WhereMore"] else ""
    return ", ".join(row["Where"]) + more


def _where_or_why(row: JobRow, _: Look) -> Span:
    """The most telling thing about a job in few columns."""
    if row["State"] in ("Queued", "Pending") and row["Message"]:
        # How many wait stands in a column of its own.
        return _PARTS_WAIT.sub("", row["Message"]), "warn"
    if row["State"] == "Failed" and row["Message"]:
        return row["Message"], ""
    parts = [one for one in (answer_word(row), where_text(row)) if one]
    if row["Duplicates"]:
        parts.insert(1, f"{row['Duplicates']} duplicate{'s' * (row['Duplicates'] > 1)}")
    return ", ".join(parts), "" if row["Settled"] or not answer_word(row) else "warn"


def _done(row: JobRow) -> Span:
    of = f"/{row['Count']}" if row["Type"] in ("batch", "service") else ""
    return f"{row['Done']}{of}", "" if row["Done"] else "dim"


def _job_order(row: JobRow) -> tuple[int, int]:
    """What goes on first, then what ended last."""
    finished = row["State"] in FINISHED_JOBS
    return (3, -row["Modified"]) if finished else (_rank(JOB_STATES, row["State"]), -row["Created"])


JOB_COLUMNS = (
    Column("STATE", lambda r, _: state_span(JOB_STATES, r["State"]), _job_order, 11),
    Column("JOB", lambda r, _: (job_label(r), "bold"), job_label, 12, 30, first=18),
    Column("ID", lambda r, _: (short_id(r["ID"]), "dim"), lambda r: r["ID"], 10, need=7),
    Column("TYPE", lambda r, _: (r["Type"], ""), lambda r: r["Type"], 7, need=6),
    Column("DONE", lambda r, _: _done(r), lambda r: -r["Done"], 5, 7, need=2, right=True),
    Column("RUN", lambda r, _: _number(r["Running"], "work"), lambda r: -r["Running"], 4,
           need=3, right=True),
    Column("WAIT", lambda r, _: _number(r["Waiting"], "warn"), lambda r: -r["Waiting"], 5,
           need=4, right=True),
    Column("FAIL", lambda r, _: _number(r["Failed"], "bad"), lambda r: -r["Failed"], 5,
           need=8, right=True),
    Column("AGE", lambda r, look: _time(r["Created"], look), lambda r: -r["Created"], 7, need=5),
    Column("OWNER", lambda r, _: (r["Owner"], ""), lambda r: r["Owner"], 8, 16, need=9),
    Column("WHERE OR WHY", _where_or_why, lambda r: (where_text(r), r["Message"]), 24, 120,
           need=1, tight=14),
)  # fmt: skip


# --- executions -----------------------------------------------------------------------------------


def _answer(row: ExecutionRow) -> Span:
    if row["Accepted"]:
        return "accepted", "good"
    return ("duplicate", "warn") if row["Duplicate"] else ("", "")


def _execution_order(row: ExecutionRow) -> tuple[int, int]:
    finished = row["State"] in FINISHED_STATES
    return (5 if finished else _rank(EXECUTION_STATES, row["State"]), -row["Modified"])


def comment_text(row: ExecutionRow) -> str:
    """What is told of it beside its state, "" where that says it all."""
    return "" if row["Message"] == row["State"] else row["Message"]


def _exit_code(row: ExecutionRow) -> Span:
    code = row["ExitCode"]
    return ("-", "dim") if code is None else (str(code), "bad" if code else "")


def execution_columns(names: Mapping[str, str]) -> tuple[Column, ...]:
    """The columns, with the names of jobs by their ids."""

    def job(row: Any) -> str:
        return names.get(row["JobID"]) or short_id(row["JobID"])

    return (
        Column("STATE", lambda r, _: state_span(EXECUTION_STATES, r["State"]), _execution_order,
               12),
        Column("ID", lambda r, _: (short_id(r["ID"]), ""), lambda r: r["ID"], 10, need=2),
        Column("JOB", lambda r, _: (job(r), "bold"), job, 11, 30, first=15),
        Column("PART", lambda r, _: (str(r["Index"]), ""), lambda r: r["Index"], 5, right=True,
               need=4),
        Column("TRY", lambda r, _: (str(r["Attempt"]), ""), lambda r: -r["Attempt"], 4,
               right=True, need=7),
        Column("NODE", lambda r, _: (r["NodeName"], ""), lambda r: r["NodeName"], 10, 24,
               need=1),
        Column("EXIT", lambda r, _: _exit_code(r), lambda r: -(r["ExitCode"] or 0), 5,
               right=True, need=6),
        Column("AGE", lambda r, look: _time(r["Created"], look), lambda r: -r["Created"], 7,
               need=5),
        Column("ANSWER", lambda r, _: _answer(r), lambda r: _answer(r)[0], 9, need=3),
        Column("COMMENT", lambda r, _: (comment_text(r), ""), comment_text, 14, 120, need=8),
    )  # fmt: skip


# --- events ---------------------------------------------------------------------------------------


def _event_time(row: EventRow, look: Look) -> Span:
    if look.exact:
        return exact_text(row["Time"]), "dim"
    return day_or_clock_text(row["Time"], look.now_ms), "dim"


def _sentence(row: EventRow, _: Look) -> Span:
    return row["Sentence"], LEVELS.get(row["Level"], UNKNOWN_STATE)[2]


EVENT_COLUMNS = (
    Column("TIME", _event_time, lambda r: -r["Seq"], 8),
    Column("", lambda r, _: LEVELS.get(r["Level"], UNKNOWN_STATE)[1:], lambda r: r["Level"], 1),
    Column("ABOUT", lambda r, _: (r["Kind"], "dim"), lambda r: (r["Kind"], -r["Seq"]), 9, need=2),
    Column("WHAT HAPPENED", _sentence, lambda r: r["Sentence"], 60, 200, need=1, tight=18),
)


def exact_columns(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """The same with room for exact times."""
    from dataclasses import replace

    return tuple(
        replace(one, least=len("2026-11-25 14:03:22"))
        if one.title in ("SINCE", "AGE", "TIME")
        else one
        for one in columns
    )


def search_text(row: Mapping[str, Any]) -> str:
    """What a row is found by, in lower case: its words, names and ids, and those of its labels."""
    parts = [str(row[key]) for key in _SEARCHED if row.get(key)]
    parts += [f"{key}={value}" for key, value in row.get("Labels", {}).items()]
    return " ".join([*parts, *row.get("Where", ()), *row.get("Engines", ())]).lower()


_SEARCHED = (
    "Name", "ID", "State", "Intent", "Type", "Namespace", "Message", "Owner", "JobID", "NodeName",
    "Sentence", "Kind", "Level",
)  # fmt: skip
