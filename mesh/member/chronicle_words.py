"""Sentences for what happens in the mesh, made when somebody reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum, auto
from typing import Any

from mesh.member.facts import Facts
from mesh.member.watched import Happening
from scheduler.attempts import AttemptView
from scheduler.explain import stop_sentence, waiting_reasons
from scheduler.ids import AttemptId, Dot, JobId, NodeId
from scheduler.intents import CORDONED, DRAINING
from scheduler.job_view import JobView
from scheduler.jobs import JobState, StopReason
from scheduler.slots import SlotTable

SHORT_CHARS = 10
STOPPED = "Stopped: "
"""So a node's own message about a stop begins; the line says that already."""
"""`j-` or `e-` and eight digits: what every table shows."""
NAMED_MAX = 5
"""More names in a sentence are counted."""
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400


class Word(IntEnum):
    """What happened."""

    STARTED = auto()
    HEARD = auto()
    ANSWERS = auto()
    BACK = auto()
    SUSPECTED = auto()
    LOST = auto()
    LEFT = auto()
    INTENT = auto()
    WORKS_AGAIN = auto()
    SPLIT = auto()
    HEALED = auto()
    SUBMITTED = auto()
    UPDATED = auto()
    RERUN = auto()
    STOP_ASKED = auto()
    TAKEN_OVER = auto()
    WAITS = auto()
    ENDED = auto()
    DUPLICATE = auto()
    SETTLED = auto()
    PLACED = auto()
    ATTEMPT_STOP_ASKED = auto()
    RUNS = auto()
    SUCCEEDED = auto()
    FAILED = auto()
    REFUSED = auto()
    CANCELLED = auto()


Noted = tuple[Word, int, str, str, str, Any]
"""Word, wall milliseconds, node, job, attempt ("" where it does not apply), what the word needs."""


def sentence_of(facts: Facts, noted: Noted, seq: int) -> Happening:
    """What was noted, for people: with the names, and the acceptance, that are known now."""
    word, time_ms, node, job, attempt, detail = noted
    level, kind, say = _SENTENCES[word]
    sentence = say(_Told(facts, node, job, attempt), detail)
    return Happening(seq, time_ms, level, kind, sentence, node, job, attempt)


class _Told:
    """What one line is about, in the words for it."""

    def __init__(self, facts: Facts, node: str, job: str, attempt: str) -> None:
        self.facts = facts
        self.node = facts.name_of(NodeId(node)) if node else ""
        self.view: JobView | None = facts.view.jobs.get(JobId(job))
        self.attempt: AttemptView | None = facts.view.attempts.get(AttemptId(attempt))
        self.job = job[:SHORT_CHARS]
        if self.view is not None and self.view.name != job:
            self.job = f"{self.job} ({self.view.name})"
        of = self.view.name if self.view is not None and self.view.name != job else job[:10]
        self.execution = f"Execution {attempt[:SHORT_CHARS]} of {of}"


def span(duration_ms: int) -> str:
    """A duration as people say it: `46 ms`, `2.4 s`, `20 s`, `8 min`, `3 h`, `2 days`."""
    seconds = max(0, duration_ms) / 1000
    if seconds < 1:
        return f"{max(0, duration_ms)} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 2 * MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR_S:
        return f"{seconds / MINUTE_S:.0f} min"
    if seconds < 2 * DAY_S:
        return f"{seconds / HOUR_S:.0f} h"
    return f"{seconds / DAY_S:.0f} days"


# --- nodes and the mesh ---------------------------------------------------------------------------


def _back(told: _Told, detail: Any) -> str:
    return f"{told.node} is heard again after {span(detail[0])}."


def _lost(told: _Told, detail: Any) -> str:
    why = "its process is gone" if detail[1] else "nothing is heard of it"
    return f"{told.node} cannot be reached: {why}."


def _intent(told: _Told, detail: Any) -> str:
    standing, reason, author = detail
    by = told.facts.name_of(author)
    why = f" ({_unended(reason)})" if reason else ""
    return f"{told.node} {_INTENTS.get(standing, standing)}, said at {by}{why}."


_INTENTS: Mapping[str, str] = {
    CORDONED: "is cordoned, it takes no new work",
    DRAINING: "is being drained, its work moves to other nodes",
    "": "takes work again",
}


def _split(told: _Told, detail: Any) -> str:
    heard, lost = detail
    names = _listed([told.facts.name_of(node) for node in lost])
    verb = "is" if len(lost) == 1 else "are"
    return (
        f"The mesh is split: {heard} of {heard + len(lost)} members are heard here, {names} {verb} "
        "not. Work goes on here with what is here."
    )


def _healed(told: _Told, detail: Any) -> str:
    heard, lasted_ms = detail
    return f"The split has ended after {span(lasted_ms)}: all {heard} members are heard."


def _listed(names: list[str]) -> str:
    more = len(names) - NAMED_MAX
    shown = [*names[:NAMED_MAX], *([f"{more} more"] if more > 0 else [])]
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


# --- jobs -----------------------------------------------------------------------------------------


def _submitted(told: _Told, detail: Any) -> str:
    birth: Dot = detail
    if told.view is not None and told.view.birth != birth:
        return f"Job {told.job} was submitted on another side too, to {told.node}."
    return f"Job {told.job} was submitted to {told.node}."


def _updated(told: _Told, detail: Any) -> str:
    return f"Job {told.job} has version {detail} now, submitted to {told.node}."


def _rerun(told: _Told, detail: Any) -> str:
    return f"Job {told.job} is to run once more, as version {detail}."


def _stop_asked(told: _Told, detail: Any) -> str:
    return f"Job {told.job} is asked to stop: {_ended(str(detail))}"


def _taken_over(told: _Told, detail: Any) -> str:
    return f"{told.node} decides about job {told.job} now: its owner cannot be reached."


def _waits(told: _Told, detail: Any) -> str:
    names = {node: told.facts.name_of(node) for node in told.facts.readings}
    return f"Job {told.job} waits: {waiting_reasons(detail, names)}"


def _job_ended(told: _Told, detail: Any) -> str:
    state, lasted_ms, message = detail
    verb = _ENDS[state]
    because = f": {_ended(message)}" if message else "."
    return f"Job {told.job} {verb} after {span(lasted_ms)}{because}"


_ENDS: Mapping[JobState, str] = {
    JobState.COMPLETED: "completed",
    JobState.FAILED: "failed",
    JobState.STOPPED: "stopped",
}


def _duplicate(told: _Told, detail: Any) -> str:
    found = "a duplicate result" if detail == 1 else f"{detail} duplicate results"
    return f"Job {told.job} has {found}: one result of each part is accepted, the same everywhere."


def _settled(told: _Told, detail: Any) -> str:
    state, members, version = detail
    if members == 1:
        head = f"Job {told.job} is settled: this node is the only member"
    else:
        who = "both members have" if members == 2 else f"all {members} members have"
        head = f"Job {told.job} is settled: {who} confirmed that it {_ENDS[state]}"
    if state is not JobState.COMPLETED or told.view is None:
        return f"{head}."
    return f"{head}; {_accepted(told.facts, told.view.slots_of(version))}."


def _accepted(facts: Facts, slots: SlotTable) -> str:
    """What counts of a job that completed, and what does not."""
    by_part = [found for index in slots.placed() if (found := slots.successes(index))]
    extra = [one for found in by_part for one in found[1:]]
    if len(by_part) == 1 and len(extra) <= 1:
        also = f", {_result(facts, extra[0])} is a duplicate" if extra else ""
        return f"{_result(facts, by_part[0][0])} is accepted{also}"
    also = f", {len(extra)} more are duplicates" if len(extra) > 1 else ", one more is a duplicate"
    each = f"one result of each of its {len(by_part)} parts" if len(by_part) > 1 else "one result"
    return f"{each} is accepted{also if extra else ''}"


def _result(facts: Facts, attempt: AttemptView) -> str:
    return f"the result of {attempt.id[:SHORT_CHARS]} on {facts.name_of(attempt.node)}"


# --- executions -----------------------------------------------------------------------------------


def _placed(told: _Told, detail: Any) -> str:
    if detail > 1:
        return f"{told.execution} was placed on {told.node}, as attempt {detail} of its part."
    return f"{told.execution} was placed on {told.node}."


def _attempt_stop_asked(told: _Told, detail: Any) -> str:
    return f"{told.execution} is asked to stop. {stop_sentence(detail)}"


def _runs(told: _Told, detail: Any) -> str:
    return f"{told.execution} runs on {told.node}."


def _succeeded(told: _Told, detail: Any) -> str:
    code = "" if detail[0] is None else f" with exit code {detail[0]}"
    sentence = f"{told.execution} ended on {told.node}{code}"
    attempt = told.attempt
    if attempt is None or told.view is None:
        return f"{sentence}."
    accepted = told.view.slots_of(attempt.version).accepted(attempt.index)
    if accepted is attempt:
        return f"{sentence}; its result is accepted."
    if accepted is None:
        return f"{sentence}."
    return f"{sentence}; it is a duplicate, the result of {accepted.id[:SHORT_CHARS]} is accepted."


def _failed(told: _Told, detail: Any) -> str:
    said = detail[0] is None or f"code {detail[0]}" in detail[2]
    code = "" if said else f" with exit code {detail[0]}"
    return f"{told.execution} failed on {told.node}{code}{_because(detail)}"


def _refused(told: _Told, detail: Any) -> str:
    return f"{told.node} refused {told.execution[0].lower()}{told.execution[1:]}{_because(detail)}"


def _cancelled(told: _Told, detail: Any) -> str:
    head = f"{told.execution} stopped on {told.node}"
    if detail[1] in StopReason._value2member_map_:
        return f"{head}: {stop_sentence(detail[1])}"
    return f"{head}{_because((*detail[:2], detail[2].removeprefix(STOPPED)))}"


def _because(detail: Any) -> str:
    text = detail[2] or detail[1].replace("_", " ")
    return f": {_ended(text)}" if text else "."


def _unended(text: str) -> str:
    return text.rstrip(".")


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


_SENTENCES: Mapping[Word, tuple[str, str, Callable[[_Told, Any], str]]] = {
    Word.STARTED: ("info", "node", lambda told, _: f"{told.node} started."),
    Word.HEARD: ("info", "node", lambda told, _: f"{told.node} is heard."),
    Word.ANSWERS: ("info", "node", lambda told, _: f"{told.node} answers again."),
    Word.BACK: ("info", "node", _back),
    Word.SUSPECTED: (
        "warning",
        "node",
        lambda told, _: f"{told.node} does not answer; others are asked about it.",
    ),
    Word.LOST: ("error", "node", _lost),
    Word.LEFT: ("info", "node", lambda told, _: f"{told.node} has said goodbye and stopped."),
    Word.INTENT: ("warning", "node", _intent),
    Word.WORKS_AGAIN: ("info", "node", _intent),
    Word.SPLIT: ("error", "mesh", _split),
    Word.HEALED: ("info", "mesh", _healed),
    Word.SUBMITTED: ("info", "job", _submitted),
    Word.UPDATED: ("info", "job", _updated),
    Word.RERUN: ("info", "job", _rerun),
    Word.STOP_ASKED: ("warning", "job", _stop_asked),
    Word.TAKEN_OVER: ("warning", "job", _taken_over),
    Word.WAITS: ("warning", "job", _waits),
    Word.ENDED: ("info", "job", _job_ended),
    Word.DUPLICATE: ("warning", "job", _duplicate),
    Word.SETTLED: ("info", "job", _settled),
    Word.PLACED: ("info", "execution", _placed),
    Word.ATTEMPT_STOP_ASKED: ("info", "execution", _attempt_stop_asked),
    Word.RUNS: ("info", "execution", _runs),
    Word.SUCCEEDED: ("info", "execution", _succeeded),
    Word.FAILED: ("error", "execution", _failed),
    Word.REFUSED: ("warning", "execution", _refused),
    Word.CANCELLED: ("info", "execution", _cancelled),
}
