"""Documents of the API as text for people (pure): tables, descriptions, lines of progress.

Names, output and messages come from other people's jobs: every text from a document goes through
`plain`, so that no control sequence of theirs reaches the reader's terminal.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.edge.render_times import ago_text, exact_text

Document = Mapping[str, Any]

SHORT_ID_CHARS = 10
"""`j-` and 8 hexadecimal digits, as Bacalhau shortens them."""
MIN_LAST_COLUMN = 12
MIN_CUT_COLUMN = 16
LABEL_COLUMNS = 12
"""What a value is called stands before it in so many columns."""
EXECUTION_WORDS = {
    1: "assigned",
    4: "refused",
    5: "accepted",
    6: "running",
    7: "publishing",
    9: "completed",
    10: "failed",
    11: "cancelled",
}
HEARD_STATES = ("alive", "suspect")
FINAL_STATES = ("Completed", "Failed", "Stopped")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL_OR_BREAK = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def plain(text: object) -> str:
    """One line without anything that a terminal obeys: escapes show as what they are."""
    return _CONTROL_OR_BREAK.sub(_shown, str(text))


def plain_lines(text: str) -> str:
    """As `plain`, with line ends and tabs kept: for output of programs."""
    return _CONTROL.sub(_shown, text.replace("\r\n", "\n"))


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return named.get(match[0]) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def short_id(identifier: str) -> str:
    """The form that people read and type."""
    return plain(identifier)[:SHORT_ID_CHARS]


# --- tables ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headers, for a terminal or a spreadsheet."""

    headers: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    spared: tuple[str, ...] = ()
    """Columns that are left out, the first ones first, where the width is not enough."""
    cut: str = ""
    """A column of names that gives way before others are left out, and again with the last one."""

    def text(self, width: int) -> str:
        """For people, in so many columns."""
        shown = list(range(len(self.headers)))
        for name in self.spared:
            if _least_width(self, shown) <= width:
                break
            shown.remove(self.headers.index(name))
        headers = [self.headers[at] for at in shown]
        return table(headers, [[row[at] for at in shown] for row in self.rows], width, cut=self.cut)


def _least_width(one: Table, shown: Sequence[int]) -> int:
    """With the columns that give way as narrow as they may be."""
    least = {one.headers[shown[-1]]: MIN_LAST_COLUMN, one.cut: MIN_CUT_COLUMN}
    widths = [max(text_width(plain(row[at])) for row in (one.headers, *one.rows)) for at in shown]
    named = zip(widths, (one.headers[at] for at in shown), strict=True)
    return sum(min(wide, least.get(name, wide)) for wide, name in named) + 2 * (len(widths) - 1)


def table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, cut: str = ""
) -> str:
    """Columns as wide as their content; the last one gives way where the width is not enough, and
    the one to `cut` has as much as that then."""
    cells = [list(headers), *([plain(cell) for cell in row] for row in rows)]
    widths = [max(text_width(row[at]) for row in cells) for at in range(len(headers))]
    if cut in headers:
        at = headers.index(cut)
        room = width - sum(widths[:-1]) + widths[at] - 2 * (len(widths) - 1)
        widths[at] = min(widths[at], max(room // 2, room - widths[-1], MIN_CUT_COLUMN))
    room = width - sum(widths[:-1]) - 2 * (len(widths) - 1)
    widths[-1] = max(min(widths[-1], room), MIN_LAST_COLUMN)
    lines = []
    for row in cells:
        parts = [padded(cell, wide) for cell, wide in zip(row, widths, strict=True)]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def size_text(size_bytes: int) -> str:
    """Bytes for people."""
    # Loaded when there is something to show: half of what a command takes to begin is imports.
    from scheduler.resources import show_bytes

    return show_bytes(size_bytes)


def text_width(text: str) -> int:
    """Columns of a terminal: wide letters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(one) else 1 + (unicodedata.east_asian_width(one) in "WF")
        for one in text
    )


def padded(text: str, width: int) -> str:
    """Exactly so many columns: filled with blanks, or cut with an ellipsis."""
    if text_width(text) <= width:
        return text + " " * (width - text_width(text))
    while text_width(text) > width - 1:
        text = text[:-1]
    return text + "…" + " " * (width - 1 - text_width(text))


def job_table(jobs: Sequence[Document], now_ms: int | None = None) -> Table:
    """The jobs of a list. Here and below: without `now_ms`, exact times and whole ids."""
    rows = [
        (
            _when(job["CreateTime"], now_ms),
            _id(job["ID"], now_ms),
            job["Name"] if job["Name"] != job["ID"] else "",
            job["Tasks"][0]["Engine"]["Type"],
            job["Type"],
            job["State"]["StateType"],
            job["State"].get("Message", ""),
        )
        for job in jobs
    ]
    headers = ("CREATED", "ID", "NAME", "JOB", "TYPE", "STATE", "COMMENT")
    return Table(headers, rows, spared=() if now_ms is None else ("JOB",), cut="NAME")


def _when(nanoseconds: int, now_ms: int | None) -> str:
    return show_time(nanoseconds) if now_ms is None else ago_text(nanoseconds // 1_000_000, now_ms)


def _id(identifier: str, now_ms: int | None) -> str:
    return plain(identifier) if now_ms is None else short_id(identifier)


def execution_table(executions: Sequence[Document], now_ms: int | None = None) -> Table:
    """The executions of a job; of several that completed the same part, which one counts."""
    completed = Counter(
        one.get("PartitionIndex", 0) for one in executions if execution_word(one) == "completed"
    )
    rows = [
        (
            _id(one["ID"], now_ms),
            str(one.get("PartitionIndex", 0)),
            one["Mesh"]["NodeName"] or short_id(one["NodeID"]),
            _state_of(one, completed),
            show_exit_code(one),
            _when(one["CreateTime"], now_ms),
            _comment_of(one),
        )
        for one in executions
    ]
    return Table(("ID", "PART", "NODE", "STATE", "EXIT", "CREATED", "COMMENT"), rows)


def _state_of(execution: Document, completed: Mapping[int, int]) -> str:
    word = execution_word(execution)
    if word != "completed" or completed[execution.get("PartitionIndex", 0)] < 2:
        return word
    return f"{word}, {'accepted' if execution['Mesh']['Accepted'] else 'duplicate'}"


def _comment_of(execution: Document) -> str:
    """What its state does not say already."""
    message = str(execution["ComputeState"].get("Message", ""))
    return "" if message.lower() == execution_word(execution) else message


def result_table(items: Sequence[Document], now_ms: int | None = None) -> Table:
    """What executions left."""
    rows = [
        (
            _id(item["ExecutionID"], now_ms),
            item["NodeName"],
            item["State"] + (" (accepted)" if item["Accepted"] else ""),
            f"{entry['Mode'] & 0o777:o}",
            "" if entry["Size"] is None else size_text(entry["Size"]),
            entry["Path"] + {"Folder": "/", "Note": " (not kept)"}.get(entry["Kind"], ""),
        )
        for item in items
        for entry in item["Entries"]
    ]
    return Table(("EXECUTION", "NODE", "STATE", "MODE", "SIZE", "PATH"), rows)


def node_table(nodes: Sequence[Document], now_ms: int | None = None) -> Table:
    """The members."""
    rows = [
        (
            _id(node["Info"]["NodeID"], now_ms),
            node["Mesh"]["Name"] + (" (asked)" if node["Mesh"]["IsSelf"] else ""),
            ", ".join(filter(None, (node["Mesh"]["State"], node["Mesh"].get("Intent")))),
            ",".join(node["Info"]["ComputeNodeInfo"]["ExecutionEngines"] or ()),
            capacity_text(node, "CPU"),
            capacity_text(node, "Memory"),
            capacity_text(node, "Disk"),
            ",".join(f"{key}={value}" for key, value in node["Info"]["Labels"].items()),
        )
        for node in nodes
    ]
    headers: tuple[str, ...] = (
        *("ID", "NAME", "STATE", "ENGINES", "CPU", "MEMORY", "DISK", "LABELS"),
    )
    if now_ms is not None:
        return Table(headers, rows, spared=("LABELS", "DISK", "ENGINES"))
    more = [
        (
            node["ConnectionState"]["LastHeartbeat"][:19].replace("T", " "),
            node["Mesh"]["Version"],
            ",".join(node["Mesh"]["Addresses"]),
        )
        for node in nodes
    ]
    headers = (*headers[:-1], "SINCE", "VERSION", "ADDRESSES", headers[-1])
    return Table(headers, [(*row[:-1], *add, row[-1]) for row, add in zip(rows, more, strict=True)])


def capacity_text(node: Document, name: str) -> str:
    """Free of all, as Bacalhau shows it; what one that cannot be heard has free is not known."""
    from scheduler.resources import show_cpu

    info = node["Info"]["ComputeNodeInfo"]
    amounts = (info["AvailableCapacity"].get(name, 0), info["MaxCapacity"].get(name, 0))
    if name == "CPU":
        free, full = (show_cpu(round(one * 1000)) for one in amounts)
    else:
        free, full = map(size_text, amounts)
    return f"{free if node['Mesh']['State'] in HEARD_STATES else '?'} / {full}"


def fold(line: str, width: int, indent: int) -> list[str]:
    """A line in lines of a width, broken between words; all but the first are indented."""
    # Loaded when there is something to break: half of what a command takes to begin is imports.
    import textwrap

    return textwrap.wrap(
        line, max(width, 2 * indent), subsequent_indent=" " * indent,
        break_long_words=False, break_on_hyphens=False,
    ) or [""]  # fmt: skip


# --- one job --------------------------------------------------------------------------------------


def show_time(nanoseconds: int) -> str:
    """Bacalhau's integer time, in UTC."""
    return exact_text(nanoseconds // 1_000_000)


def execution_word(execution: Document) -> str:
    """The state in a word."""
    return EXECUTION_WORDS.get(execution["ComputeState"]["StateType"], "unknown")


def show_exit_code(execution: Document) -> str:
    """The program's exit code, "" while there is none."""
    code = execution["Mesh"]["ExitCode"]
    return "" if code is None else str(code)


def describe(answer: Document, width: int, now_ms: int | None = None) -> str:
    """A job with its executions and history."""
    job = answer["Job"]
    lines = [
        f"ID          {plain(job['ID'])}",
        f"Name        {plain(job['Name'])}",
        f"Namespace   {plain(job['Namespace'])}",
        f"Type        {plain(job['Type'])}",
        f"State       {plain(job['State']['StateType'])}{_settled(answer)}",
    ]
    if message := job["State"].get("Message"):
        for line in message.splitlines():
            lines += fold(f"Message     {plain(line)}", width, LABEL_COLUMNS)
    lines += [
        f"Count       {job['Count']}",
        f"Created     {show_time(job['CreateTime'])}",
        f"Modified    {show_time(job['ModifyTime'])}",
        f"Version     {job['Version']}",
    ]
    executions = answer.get("Executions", {}).get("Items", [])
    if executions:
        lines += ["", "Executions", execution_table(executions, now_ms).text(width)]
    history = answer.get("History", {}).get("Items", [])
    if history:
        lines += ["", "History", history_table(history, now_ms).text(width)]
    for one in executions:
        lines += _output_tail(one, "Standard output", one["RunOutput"]["Stdout"])
        lines += _output_tail(one, "Standard error", one["RunOutput"]["stderr"])
    return "\n".join(lines)


def _settled(answer: Document) -> str:
    if answer["Job"]["State"]["StateType"] not in FINAL_STATES:
        return ""
    return " (settled)" if answer.get("Mesh", {}).get("Settled") else " (provisional)"


def _output_tail(execution: Document, title: str, text: str) -> list[str]:
    if not text:
        return []
    return ["", f"{title} of {short_id(execution['ID'])}", plain_lines(text).rstrip("\n")]


def history_table(items: Sequence[Document], now_ms: int | None = None) -> Table:
    """What happened, in order."""
    rows = [
        (
            item["Time"][:19].replace("T", " "),
            _id(item.get("ExecutionID", ""), now_ms),
            item["Event"]["Topic"],
            item["Event"]["Message"],
        )
        for item in items
    ]
    return Table(("TIME", "EXEC. ID", "TOPIC", "EVENT"), rows)


def which_part(index: int, attempt: int, parts: int) -> str:
    """Which execution of a job one is, in brackets, as far as there is a choice."""
    told = [f"part {index}"] if parts > 1 else []
    told += [f"attempt {attempt}"] if attempt > 1 else []
    return f" ({', '.join(told)})" if told else ""


def explain_text(explanation: Document, width: int) -> str:
    """Why a job runs where it runs, or why it waits."""
    state = explanation["State"]
    lines = [f"{short_id(explanation['JobID'])} is {plain(state['StateType'])}."]
    if explanation["Waiting"]:
        lines.append(plain(explanation["Waiting"]))
    parts = 1 + max((one["Index"] for one in explanation["Placements"]), default=0)
    for placed in explanation["Placements"]:
        where = plain(placed["NodeName"])
        why = plain(placed["Because"]).rstrip(".")
        told = f"went to {where}" + (f", because {why}." if why else ".")
        which = which_part(placed["Index"], placed["Attempt"], parts)
        lines.append(f"{short_id(placed['ExecutionID'])}{which} {told}")
        points = plain(placed["Why"]).removeprefix("Score: ")
        lines.append(f"    {placed['Score']} points: {points}")
        for other in placed["NextBest"]:
            lines.append(f"    next best: {plain(other['NodeName'])} with {other['Score']} points")
        for refusal, count in placed["Refusals"].items():
            those = "1 node" if count == 1 else f"{count} nodes"
            lines.append(f"    {those} would not take it: {plain(refusal).replace('_', ' ')}")
    if explanation["Nodes"]:
        lines += ["", "If a part of it had to be placed now:"]
        nodes = sorted(explanation["Nodes"], key=lambda one: (-one["Score"], one["NodeName"]))
        lines += [f"    {plain(one['Sentence'])}" for one in nodes]
    return "\n".join(
        one for line in lines for one in fold(line, width, len(line) - len(line.lstrip()) + 2)
    )


def show_seconds(elapsed_ms: int) -> str:
    """A duration for people."""
    if elapsed_ms < 1000:
        return f"{elapsed_ms} ms"
    return f"{elapsed_ms / 1000:.1f} s"
