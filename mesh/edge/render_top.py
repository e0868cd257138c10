"""The parts of `top` that are not tables, and its whole picture for a pipe (pure).

Everything is made from the `Picture` that the live feed paints. `frame` is one whole screen as
text; the full screen draws the same lines itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.edge.feed_reader import FINISHED_STATES, Picture
from mesh.edge.feed_rows import ExecutionRow, MeshRow
from mesh.edge.render import plain, short_id, text_width
from mesh.edge.render_columns import (
    Column,
    Line,
    Look,
    Span,
    fit_line,
    head_line,
    lay_out,
    line_text,
    row_line,
    wrap_line,
)
from mesh.edge.render_rows import (
    EVENT_COLUMNS,
    JOB_COLUMNS,
    JOB_STATES,
    NODE_COLUMNS,
    exact_columns,
    execution_columns,
    job_label,
)
from mesh.edge.render_times import clock_text, span_text

TABS = ("nodes", "jobs", "executions", "events")
SPLIT_NAMES = 4
"""So many members are named in the banner of a split; of more, their number."""
HEALED_SHOWN_MS = 600_000
"""How long after a heal its banner stays where nobody takes it away."""
BANNER_INDENT = 12
ONCE_EVENTS, ONCE_ROWS = 10, 20
"""Rows of each table in one frame that goes into a pipe: a mail, not a dump."""


def header_lines(mesh: MeshRow, look: Look, width: int) -> list[Line]:
    """Two lines: the mesh and who was asked, and its jobs by state. Where there is little room the
    first says less, and last of all how many nodes are heard."""
    reachable, members = mesh["Reachable"], mesh["Members"]
    mark, style = ("✗ ", "bad") if mesh["Split"] else ("", "good")
    asked: Line = [(plain(mesh["Name"]) or short_id(mesh["NodeID"]), "bold"), (" · ", "")]
    nodes: Line = [*asked, (f"{mark}{reachable} of {members} nodes heard", style)]
    few: Line = [*asked, (f"{mark}{reachable} of {members} heard", style)]
    head: Span = ("bacalhau-mesh ", "bold")
    time = clock_text(look.now_ms)
    forms: list[tuple[Line, str]] = [
        ([head, (f"{plain(mesh['Cluster'])[:8]} · asked ", ""), *nodes], f"{time} UTC"),
        ([head, ("· asked ", ""), *nodes], f"{time} UTC"),
        ([("asked ", ""), *nodes], f"{time} UTC"),
        (few, time),
        (few[-1:], time),
    ]
    left, clock = next((one for one in forms if _header_width(*one) <= width), forms[-1])
    left = fit_line(left, width - len(clock) - 1)
    gap = width - text_width(line_text(left)) - len(clock)
    jobs = _jobs_line(mesh)
    if text_width(line_text(jobs)) > width:
        jobs = _jobs_line(mesh, words=False)
    return [[*left, (" " * max(gap, 1), ""), (clock, "dim")], fit_line(jobs, width)]


def _header_width(left: Line, clock: str) -> int:
    return text_width(line_text(left)) + 1 + len(clock)


def _jobs_line(mesh: MeshRow, *, words: bool = True) -> Line:
    """How many jobs are in which state; without `words` by marks, as in the table below."""
    line: Line = []
    known = [(state, mesh["Jobs"].get(state, 0)) for state in JOB_STATES]
    others = [(state, count) for state, count in mesh["Jobs"].items() if state not in JOB_STATES]
    for state, count in known + others:
        if count:
            _, mark, style = JOB_STATES.get(state, (9, "?", ""))
            word = f" {plain(state).lower()}" if words else ""
            line += [(f"{mark} {count}{word}", style), (" ", "")]
    if not line:
        line.append(("no jobs yet", "dim"))
    if mesh["Provisional"]:
        line.append((f"· {mesh['Provisional']} provisional ", "warn"))
    if mesh["Duplicates"]:
        line.append((f"· {_counted(mesh['Duplicates'], 'duplicate')}", "warn"))
    return line


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _listed(names: Sequence[str], most: int = SPLIT_NAMES) -> str:
    """`a, b and c`; of many the first ones and how many more."""
    shown = [plain(one) for one in names[:most]]
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


# --- a split, and what came after -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sides:
    """Live executions by where they are."""

    here: list[ExecutionRow]
    there: list[ExecutionRow]
    """On members that cannot be heard from here."""


def sides(picture: Picture) -> Sides:
    """What is not finished, on our side and on the other."""
    mesh = picture.mesh
    away = {one["ID"] for one in mesh["Unreachable"]} if mesh else set()
    here: list[ExecutionRow] = []
    there: list[ExecutionRow] = []
    for row in picture.executions.values():
        if row["State"] not in FINISHED_STATES:
            (there if row["NodeID"] in away else here).append(row)
    return Sides(here, there)


def split_lines(picture: Picture, look: Look, width: int) -> list[Line]:
    """The banner while the mesh is split: who cannot be heard, what runs on our side, what was
    asked of the other. No lines when it is whole."""
    mesh = picture.mesh
    if mesh is None or not mesh["Split"]:
        return []
    away = [one for one in mesh["Unreachable"] if one["State"] != "left"]
    since = [one["Since"] for one in away if one["Since"] > 0]
    names = _listed(sorted(one["Name"] or short_id(one["ID"]) for one in away))
    length = f" for {span_text(look.now_ms - min(since))}" if since else ""
    found = sides(picture)
    running = sum(one["State"] == "Running" for one in found.here)
    waiting = len(found.here) - running
    heard = mesh["Reachable"]
    ours = f"our side    {_counted(heard, 'node')}, {_counted(running, 'execution')} running"
    ours += f", {waiting} on the way" if waiting else ""
    return _banner(
        [
            f"SPLIT       {names} cannot be heard here{length}",
            f"{ours}: work goes on",
            f"their side  {_asked(picture, found.there)}",
        ],
        width,
        "alarm",
    )


def _asked(picture: Picture, there: Iterable[ExecutionRow]) -> str:
    parts = Counter(_job_name(picture, one["JobID"]) for one in there)
    if not parts:
        return "nothing was asked of it that is not finished"
    told = [f"{name}{f' ({count})' if count > 1 else ''}" for name, count in parts.most_common()]
    return f"{_counted(sum(parts.values()), 'execution')} asked of it: {_listed(told, 3)}"


def healed_lines(picture: Picture, look: Look, width: int, healed_ms: int = 0) -> list[Line]:
    """The banner after a heal: what was done twice and what was accepted. No lines when there is
    nothing to tell. `healed_ms` is when this reader saw the mesh become whole again, 0 if never."""
    mesh = picture.mesh
    if mesh is None or mesh["Split"]:
        return []
    doubles = [
        one
        for one in picture.executions.values()
        if one["Duplicate"] and look.now_ms - one["Modified"] < HEALED_SHOWN_MS
    ]
    seen = healed_ms > 0 and look.now_ms - healed_ms < HEALED_SHOWN_MS
    if not seen and not doubles:
        return []
    when = f"{span_text(look.now_ms - healed_ms)} ago, " if seen else ""
    whole = mesh["Reachable"] == mesh["Members"]
    heard = f"all {mesh['Members']} nodes are heard" if whole else f"{mesh['Reachable']} are heard"
    lines = [f"HEALED      {when}{heard}; {_confirmed(mesh)}"]
    lines += [_doubled(picture, doubles)] if doubles else []
    return _banner(lines, width, "calm")


def _confirmed(mesh: MeshRow) -> str:
    if mesh["Provisional"]:
        return f"{_counted(mesh['Provisional'], 'answer')} not settled yet"
    return "every answer is settled"


def _doubled(picture: Picture, doubles: Sequence[ExecutionRow]) -> str:
    """Which executions count and which were done besides."""
    told = []
    for job in dict.fromkeys(one["JobID"] for one in doubles):
        indexes = {one["Index"] for one in doubles if one["JobID"] == job}
        winners = [
            f"{short_id(one['ID'])} on {plain(one['NodeName'])}"
            for one in picture.executions.values()
            if one["JobID"] == job and one["Accepted"] and one["Index"] in indexes
        ]
        counts = f" ({_listed(winners, 1)} counts)" if winners else ""
        told.append(f"{_job_name(picture, job)}{counts}")
    return f"done twice  {_counted(len(doubles), 'duplicate')} kept: {_listed(told, 2)}"


def _job_name(picture: Picture, job: str) -> str:
    row = picture.jobs.get(job)
    return plain(job_label(row)) if row else short_id(job)


def lost_lines(sentence: str, width: int) -> list[Line]:
    """The banner while the asked node does not answer."""
    return _banner([f"LOST        {sentence}"], width, "alarm")


def _banner(texts: Iterable[str], width: int, style: str) -> list[Line]:
    """Each line as wide as the screen, so that it reads as one block; long ones are broken."""
    lines: list[Line] = []
    for text in texts:
        for one in wrap_line(text, max(width - 2, 20), indent=BANNER_INDENT):
            lines.append(fit_line([(f" {one}".ljust(width), style)], width))
    return lines


def spare_lines(banners: Sequence[Line], most: int) -> list[Line]:
    """Banners in at most so many lines: where there are more, the first of each sentence, cut with
    an ellipsis where it goes on."""
    if len(banners) <= most:
        return list(banners)
    shown: list[Line] = []
    for line in banners:
        text, style = line[0]
        if text[1 : 1 + BANNER_INDENT].strip():
            shown.append(line)
        elif shown and not shown[-1][0][0].rstrip().endswith("…"):
            first = shown[-1][0][0]
            cut = first.rstrip()[: len(first) - 2]
            shown[-1] = [(f"{cut} …".ljust(len(first)), style)]
    return shown[:most]


# --- tables of the picture ------------------------------------------------------------------------


def columns_of(tab: str, picture: Picture, *, exact: bool = False) -> tuple[Column, ...]:
    """The columns of one of `TABS`."""
    if tab == "executions":
        names = JobNames(picture)
        columns: tuple[Column, ...] = execution_columns(names)
    else:
        columns = {"nodes": NODE_COLUMNS, "jobs": JOB_COLUMNS, "events": EVENT_COLUMNS}[tab]
    if tab == "nodes" and not any(one["Capacity"]["GPU"] for one in picture.nodes.values()):
        columns = tuple(one for one in columns if one.title != "GPU")
    return exact_columns(columns) if exact else columns


class JobNames(Mapping[str, str]):
    """Labels of the jobs of a picture by their ids, always those of now."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def __getitem__(self, job: str) -> str:
        return job_label(self._picture.jobs[job])

    def __iter__(self) -> Any:
        return iter(self._picture.jobs)

    def __len__(self) -> int:
        return len(self._picture.jobs)


def rows_of(tab: str, picture: Picture) -> Mapping[str, Any]:
    """The rows of one of `TABS` by their ids."""
    if tab == "events":
        return {str(one["Seq"]): one for one in picture.events}
    tables: Mapping[str, Mapping[str, Any]] = {
        "nodes": picture.nodes,
        "jobs": picture.jobs,
        "executions": picture.executions,
    }
    return tables[tab]


def tab_counts(picture: Picture) -> list[int]:
    """How many rows each of `TABS` has."""
    return [
        len(picture.nodes),
        len(picture.jobs),
        len(picture.executions),
        len(picture.events),
    ]


def banner_lines(picture: Picture, look: Look, width: int, healed_ms: int = 0) -> list[Line]:
    """What is out of the ordinary now."""
    return split_lines(picture, look, width) or healed_lines(picture, look, width, healed_ms)


def frame(picture: Picture, look: Look, width: int, *, every: bool = False) -> list[Line]:
    """The whole picture as lines, for a pipe, a mail or a report; with `every`, all rows."""
    if picture.mesh is None:
        return [[("The node has told nothing yet.", "")]]
    lines = header_lines(picture.mesh, look, width)
    lines += banner_lines(picture, look, width)
    for tab in TABS:
        rows = list(rows_of(tab, picture).values())
        columns = columns_of(tab, picture, exact=look.exact)
        most = len(rows) if every else ONCE_EVENTS if tab == "events" else ONCE_ROWS
        rows.sort(key=(columns[0]).order)
        lines += [[], [(f"{tab.upper()} ", "bold"), (str(len(rows)), "dim")]]
        layout = lay_out(columns, width)
        if rows:
            lines.append(head_line(layout))
        shown = rows[:most]
        lines += [row_line(layout, one, look) for one in shown]
        if len(rows) > most:
            lines.append([(f"and {len(rows) - most} more", "dim")])
    return lines
