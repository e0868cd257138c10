"""A job's story: every record about it, first to last, in sentences with what caused each.

The order is (HLC, dot): the same on every node that holds the same records. Each line stands one
step below the record that it follows from: a placement below its version, what became of it below
the placement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mesh.member.facts import Facts
from scheduler.attempts import AttemptView
from scheduler.explain import (
    EXPIRIES,
    Choice,
    explain_choice,
    refusal_sentence,
    stop_sentence,
)
from scheduler.ids import AttemptId, Dot, NodeId
from scheduler.instant import hlc_wall_ms
from scheduler.job_view import JobView
from scheduler.jobs import AttemptState, Expiry, Refusal, StopReason
from scheduler.records import Kind, Record

SHORT_ID_CHARS = 10
"""What the tables show of an id."""
_Told = tuple[str, str]
"""A sentence, and what it is so for: "because" goes before it; "" where nothing is to be added."""
_DEPTHS = {Kind.ATTEMPT_PLACED: 1, Kind.ATTEMPT_STOP_REQUESTED: 2, Kind.ATTEMPT_OBSERVED: 2}


@dataclass(frozen=True, slots=True)
class StoryItem:
    """One record about a job, in a sentence."""

    seq: int
    """From 1, in the order (HLC, dot)."""
    kind: str
    time_ms: int
    node: NodeId
    """Whose record it is."""
    node_name: str
    sentence: str
    because: str
    """Why, in a sentence or the words of who said it; "" where nothing is to be added."""
    cause_seq: int
    """The line that it follows from; 0 for none."""
    depth: int
    attempt: AttemptId | None


def story_of(facts: Facts, job: JobView) -> tuple[StoryItem, ...]:
    """Every line, first to last, of all versions; read from the logs, which hold the records."""
    items: list[StoryItem] = []
    seqs: dict[Dot, int] = {}
    for dot in job.dots.in_order():
        record = facts.ledger.record(dot)
        if record is None:
            continue
        kind = Kind(record.kind)
        sentence, because = _TELLERS[kind](facts, job, dot, record)
        seqs[dot] = len(items) + 1
        items.append(
            StoryItem(
                seq=len(items) + 1,
                kind=kind.name.lower(),
                time_ms=hlc_wall_ms(record.hlc),
                node=dot.author,
                node_name=facts.name_of(dot.author),
                sentence=sentence,
                because=because,
                cause_seq=0 if record.cause is None else seqs.get(record.cause, 0),
                depth=_DEPTHS.get(kind, 0),
                attempt=record.body.get("attempt"),
            )
        )
    return tuple(items)


def _created(facts: Facts, job: JobView, dot: Dot, record: Record) -> _Told:
    node = facts.name_of(dot.author)
    if dot != job.birth:
        return f"{node} took the same job, on another side", ""
    name = record.body["name"]
    return f"{node} took the job{f' {name}' if name else ''}", ""


def _version_added(facts: Facts, job: JobView, dot: Dot, record: Record) -> _Told:
    body = record.body
    parts = "1 part" if body["count"] == 1 else f"{body['count']} parts"
    again = " replaces what was before" if body["number"] > 1 else ""
    sentence = f"version {body['number']}{again}: a {body['type']} job in {parts}"
    return sentence, str(body.get("reason") or "")


def _stopped(facts: Facts, job: JobView, dot: Dot, record: Record) -> _Told:
    reason = record.body["reason"].rstrip(".")
    asked = f"{facts.name_of(dot.author)} was asked to stop the job"
    return f"{asked}: {reason}" if reason else asked, ""


def _claimed(facts: Facts, job: JobView, dot: Dot, record: Record) -> _Told:
    node, term = facts.name_of(dot.author), record.body["term"]
    if term == 1:
        taken = dot.author == job.birth.author
        why = "it took the job" if taken else "the node that took the job decides about none"
        return f"{node} decides about the job", why
    why = "nothing was heard of the node that did before"
    return f"{node} decides about the job from here on (term {term})", why


def _placed(facts: Facts, job: JobView, dot: Dot, record: Record) -> _Told:
    body = record.body
    version, node = job.versions.get(body["version"]), facts.name_of(body["node"])
    parts = 1 if version is None else version.count
    which = [f"part {body['index']}"] if parts > 1 else []
    which += [f"attempt {body['number']}"] if body["number"] > 1 else []
    told = f" ({', '.join(which)})" if which else ""
    sentence = f"{_short(body['attempt'])}{told} goes to {node}"
    chosen = explain_choice(Choice(node, body["reasons"], parts), (), {})
    return sentence, "; ".join(filter(None, (_again(facts, job, body), chosen)))


def _again(facts: Facts, job: JobView, body: Mapping[str, object]) -> str:
    """What had become by then of the attempt before, where there was one."""
    attempt = job.attempts.get(AttemptId(str(body["attempt"])))
    if attempt is None or attempt.number == 1:
        return ""
    earlier = [
        one
        for one in job.slot_attempts(attempt.version, attempt.index)
        if one.number < attempt.number
    ]
    if not earlier:
        return ""
    last = earlier[-1]
    if last.observed_hlc > attempt.placed_hlc:
        return f"{_short(last.id)} on {facts.name_of(last.node)} was out of reach"
    what = {
        AttemptState.REFUSED: "was sent back",
        AttemptState.CANCELLED: "was stopped",
        AttemptState.FAILED: "failed",
        AttemptState.SUCCEEDED: "had ended there, but nobody here knew",
    }.get(last.state, "was out of reach")
    return f"{_short(last.id)} on {facts.name_of(last.node)} {what}"


def _attempt_stopped(facts: Facts, job: JobView, dot: Dot, record: Record) -> _Told:
    attempt = job.attempts.get(record.body["attempt"])
    where = "" if attempt is None else f" on {facts.name_of(attempt.node)}"
    asked = f"{facts.name_of(dot.author)} asks {_short(record.body['attempt'])}{where} to stop"
    return asked, stop_sentence(record.body["reason"])


_STEPS: Mapping[AttemptState, str] = {
    AttemptState.ASSIGNED: "is told to",
    AttemptState.ACCEPTED: "accepts",
    AttemptState.PREPARING: "prepares",
    AttemptState.RUNNING: "starts",
    AttemptState.PUBLISHING: "keeps the results of",
    AttemptState.REFUSED: "sends back",
    AttemptState.CANCELLED: "stopped",
    AttemptState.SUCCEEDED: "finished",
}


def _observed(facts: Facts, job: JobView, dot: Dot, record: Record) -> _Told:
    body = record.body
    state = AttemptState(body["state"])
    reason, message = body.get("reason") or "", body.get("message") or ""
    if state is AttemptState.FAILED:
        why = (message or reason).rstrip(".")
        sentence = f"{_short(body['attempt'])} failed on {facts.name_of(dot.author)}"
        return f"{sentence}: {why}" if why else sentence, ""
    sentence = f"{facts.name_of(dot.author)} {_STEPS[state]} {_short(body['attempt'])}"
    if state is AttemptState.SUCCEEDED:
        attempt = job.attempts.get(body["attempt"])
        return f"{sentence}{_outcome(body)}{_standing(facts, job, attempt)}", ""
    if state is AttemptState.REFUSED:
        known = reason in Refusal._value2member_map_
        return sentence, message or (refusal_sentence(Refusal(reason)) if known else reason)
    if state is AttemptState.CANCELLED:
        known = reason in StopReason._value2member_map_
        return sentence, stop_sentence(reason) if known else reason or message
    why = (message or reason).rstrip(".")
    return f"{sentence}: {why}" if why else sentence, ""


def _outcome(body: Mapping[str, object]) -> str:
    code, elapsed_ms = body.get("exit_code"), body.get("elapsed_ms")
    after = ""
    if isinstance(elapsed_ms, int):
        took = f"{elapsed_ms} ms" if elapsed_ms < 1000 else f"{elapsed_ms / 1000:.1f} s"
        after = f" after {took}"
    return f"{after} with exit code {code}" if code is not None else after


def _standing(facts: Facts, job: JobView, attempt: AttemptView | None) -> str:
    """Whether a success is the result that counts."""
    if attempt is None:
        return ""
    accepted = job.slots_of(attempt.version).accepted(attempt.index)
    if accepted is None:
        return ""
    if accepted.id == attempt.id:
        return "; its result is accepted"
    there = facts.name_of(accepted.node)
    return f"; its result is a duplicate, that of {_short(accepted.id)} on {there} is accepted"


def _expired(facts: Facts, job: JobView, dot: Dot, record: Record) -> _Told:
    sentence = f"{facts.name_of(dot.author)} found that the job's time is over"
    try:
        expiry = Expiry(record.body["reason"])
    except ValueError:
        return sentence, record.body["reason"]
    if expiry is Expiry.IMAGE_MISSING:
        sentence = f"{facts.name_of(dot.author)} found that no node can get the image"
    return sentence, EXPIRIES[expiry].format(record.body["elapsed_ms"] // 1000)


def _short(attempt: str) -> str:
    return attempt[:SHORT_ID_CHARS]


_TELLERS: Mapping[Kind, Callable[[Facts, JobView, Dot, Record], _Told]] = {
    Kind.JOB_CREATED: _created,
    Kind.VERSION_ADDED: _version_added,
    Kind.STOP_REQUESTED: _stopped,
    Kind.OWNER_CLAIMED: _claimed,
    Kind.ATTEMPT_PLACED: _placed,
    Kind.ATTEMPT_STOP_REQUESTED: _attempt_stopped,
    Kind.ATTEMPT_OBSERVED: _observed,
    Kind.JOB_EXPIRED: _expired,
}
