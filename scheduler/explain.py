"""Facts of a decision as sentences for people. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scheduler.ids import NodeId
from scheduler.jobs import Expiry, Refusal, StopReason, Verdict, Waiting
from scheduler.ranking import FITS_NOW, FULL, WEIGHTS
from scheduler.resources import show_bytes

_SHORT_ID_CHARS = 10
"""`n-` and eight characters: what the stock client's tables show."""
_NAMED_NODES = 3
"""More names make a sentence nobody reads; the rest are counted."""
_TOLD_GAINS = 2


class _No(NamedTuple):
    """What a node says of itself instead of taking work, and what to do about it."""

    one: str
    """Goes on from its name."""
    several: str
    """Goes on from a number of nodes."""
    advice: str


def _both(says: str, advice: str) -> _No:
    return _No(says, says, advice)


REFUSALS: Mapping[Refusal, _No] = {
    Refusal.UNREACHABLE: _both(
        "cannot be reached from here", "the work waits until it is back or fits elsewhere"
    ),
    Refusal.NOT_COMPUTE: _No(
        "runs no jobs", "run no jobs", "give its certificate the role compute, or use other nodes"
    ),
    Refusal.CORDONED: _No(
        "is cordoned", "are cordoned", "end that with node uncordon, or use other nodes"
    ),
    Refusal.DRAINING: _No(
        "is being drained", "are being drained", "end that with node uncordon, or use other nodes"
    ),
    Refusal.ENGINE_MISSING: _No(
        "lacks the engine that the job names",
        "lack the engine that the job names",
        "start it there, or add such a node",
    ),
    Refusal.STORAGE_MISSING: _both(
        "cannot read inputs of this type", "use another type, or a node that offers it"
    ),
    Refusal.PUBLISHER_MISSING: _both(
        "cannot publish this way", "leave the publisher out to keep results in the mesh"
    ),
    Refusal.CONSTRAINT: _No(
        "does not meet the constraints",
        "do not meet the constraints",
        "change them or label a node",
    ),
    Refusal.TOO_LARGE: _No(
        "is too small for the job",
        "are too small for the job",
        "ask for less, or add a larger node",
    ),
    Refusal.CAPACITY: _No(
        "has no room now", "have no room now", "the work starts when something there ends"
    ),
    Refusal.INPUT_MISSING: _No(
        "does not have a local input of the job",
        "do not have a local input of the job",
        "check the path and its --allow-path",
    ),
    Refusal.IMAGE_UNAVAILABLE: _No(
        "lacks the image and cannot pull it",
        "lack the image and cannot pull it",
        "check its name, or use docker load there",
    ),
    Refusal.IMAGE_MISSING: _No(
        "lacks the image, and its registry has none by this name for it",
        "lack the image, and the registry has none by this name for them",
        "check its name, or use docker load there",
    ),
    Refusal.REFUSED_BEFORE: _No(
        "has sent it back before", "have sent it back before", "it is tried elsewhere first"
    ),
    Refusal.STALE_TERM: _both(
        "got it from a node that no longer owns the job", "the owner places it again"
    ),
    Refusal.QUEUE_FULL: _No(
        "holds all the work that it may queue",
        "hold all the work that they may queue",
        "the work starts when something ends",
    ),
    Refusal.SPEC_MISSING: _both("could not get the description of the job", "it is placed again"),
    Refusal.ALREADY_DONE: _No(
        "knows a finished result of this part",
        "know a finished result of this part",
        "nothing has to run again",
    ),
    Refusal.POLICY: _No(
        "does not allow it by its own policy",
        "do not allow it by their own policy",
        "ask its operator, or use other nodes",
    ),
    Refusal.WITHDRAWN: _both("gave it back to the owner", "it is placed where it starts sooner"),
    Refusal.JOB_STOPPED: _both(
        "had not begun it when the job was stopped", "nothing is left to run"
    ),
}

STOPS: Mapping[StopReason, str] = {
    StopReason.JOB_STOPPED: "The job was stopped, and everything of it ends.",
    StopReason.SUPERSEDED: "A newer version of the job won; its attempts take over.",
    StopReason.ALREADY_DONE: "Another attempt of this part has finished; its result counts.",
    StopReason.DUPLICATE: (
        "Two sides of a split had both started this part; the other attempt goes on, by the job's "
        "Disconnect.ReconcileRunning."
    ),
    StopReason.WITHDRAWN: (
        "It waited behind other work while another node could begin at once; it is placed there."
    ),
    StopReason.QUEUE_TIMEOUT: (
        "The job was not placed in time; raise QueueTimeout, ask for less, or add a node."
    ),
    StopReason.TOTAL_TIMEOUT: "The job was not done in time; raise TotalTimeout, or ask for less.",
    StopReason.IMAGE_MISSING: (
        "No node can get the image of the job; check its name and log-in, and run the job again."
    ),
    StopReason.LOST: (
        "Its node cannot be heard, and the job allows no other attempt; if it comes back with a "
        "result, that counts."
    ),
    StopReason.DRAINED: "Its node was drained; the work is placed elsewhere.",
}
"""Why an owner ended an attempt."""

EXPIRIES: Mapping[Expiry, str] = {
    Expiry.QUEUE_TIMEOUT: "Not placed within its QueueTimeout of {} s.",
    Expiry.TOTAL_TIMEOUT: "Not done within its TotalTimeout of {} s.",
    Expiry.IMAGE_MISSING: "No node has the image or can get it: check its name.",
}


def stop_sentence(reason: str) -> str:
    """Why an attempt was asked to stop; a reason that is not an owner's own is shown as it is."""
    try:
        return STOPS[StopReason(reason)]
    except ValueError:
        return f"It was asked to stop: {reason.rstrip('.')}."


def expiry_sentence(expiry: Expiry, limit_s: int) -> str:
    """Why a job that ran out of time has failed."""
    return EXPIRIES[expiry].format(limit_s)


def lost_sentence(node: str) -> str:
    """Why a job has failed whose last allowed attempt was on a node that fell silent."""
    return (
        f"Its last allowed attempt was on {node}, which cannot be heard. Start {node} again, its "
        f"result still counts; or run the job again elsewhere: `bacalhau-mesh job rerun`."
    )


def refusal_sentence(refusal: Refusal) -> str:
    """Why a node does not take work, and what to do."""
    return f"The node {REFUSALS[refusal].one}; {REFUSALS[refusal].advice}."


def explain_verdict(verdict: Verdict, node_name: str) -> str:
    """One line on what one node answers to a job now."""
    if verdict.refusal is None:
        points = f", with {verdict.score} points: {_parts(verdict.reasons)}"
        return f"{node_name} can take it{points if verdict.reasons else ''}."
    says, _, advice = REFUSALS[verdict.refusal]
    detail = f" ({verdict.detail.rstrip('.')})" if verdict.detail else ""
    return f"{node_name} {says}{detail}. {advice[0].upper()}{advice[1:]}."


def explain_waiting(waiting: Waiting, node_names: Mapping[NodeId, str]) -> str:
    """How many parts are unplaced, and why, as `waiting_reasons` has it."""
    parts = f"{waiting.slots} part waits" if waiting.slots == 1 else f"{waiting.slots} parts wait"
    return f"{parts}: {waiting_reasons(waiting, node_names)}"


def waiting_reasons(waiting: Waiting, node_names: Mapping[NodeId, str]) -> str:
    """Why parts of a job are unplaced: nodes that say no by reason, the most frequent first.

    Nodes without a name in `node_names` are called by their short id.
    """
    by_refusal: dict[Refusal, list[Verdict]] = {}
    for verdict in waiting.verdicts:
        if verdict.refusal is not None:
            by_refusal.setdefault(verdict.refusal, []).append(verdict)
    groups = sorted(by_refusal.items(), key=lambda group: (-len(group[1]), group[0].value))
    reasons = "; ".join(_group_text(refusal, group, node_names) for refusal, group in groups)
    if waiting.spec_holder is not None:
        reasons = _spec_text(waiting, node_names)
    elif not waiting.verdicts:
        reasons = "no node is known that could run it"
    elif not groups:
        reasons = "its turn has not come"
    place = f"; it is number {waiting.position} in the queue" if waiting.position > 1 else ""
    return f"{reasons}{place}.{'' if waiting.possible else _hopeless(by_refusal)}"


def _hopeless(refusals: Collection[Refusal]) -> str:
    if Refusal.ENGINE_MISSING in refusals:  # it may only be away: then the job starts by itself
        return " No member can run it now: start the engine, change the job, or add a node."
    return " No member could ever run it: change the job or add a node."


def _spec_text(waiting: Waiting, node_names: Mapping[NodeId, str]) -> str:
    holder = waiting.spec_holder
    assert holder is not None, "asked where a spec is missing"
    name = node_names.get(holder, holder[:_SHORT_ID_CHARS])
    if waiting.holder_reachable:
        return f"its spec is being fetched from node {name}"
    return (
        f"its spec is only on node {name}, which cannot be heard; start it again, or stop the job "
        "and submit it once more"
    )


def _group_text(refusal: Refusal, group: list[Verdict], node_names: Mapping[NodeId, str]) -> str:
    names = sorted(node_names.get(one.node, one.node[:_SHORT_ID_CHARS]) for one in group)
    details = sorted({one.detail.rstrip(".") for one in group if one.detail})
    if len(names) == 1:
        return f"{names[0]} {REFUSALS[refusal].one}{f' ({details[0]})' if details else ''}"
    more = len(names) - _NAMED_NODES
    listed = ", ".join(names[:_NAMED_NODES]) + (f" and {more} more" if more > 0 else "")
    detail = f": {details[0]}" if len(details) == 1 else ""
    return f"{len(names)} nodes {REFUSALS[refusal].several} ({listed}{detail})"


def explain_score(reasons: Mapping[str, int]) -> str:
    """The parts of a score, the weightiest first; "" when there are none."""
    return f"Score: {_parts(reasons)}." if reasons else ""


def _parts(reasons: Mapping[str, int]) -> str:
    parts = sorted(reasons.items(), key=lambda part: (-abs(part[1]), part[0]))
    return ", ".join(f"{name.replace('_', ' ')} {points:+d}" for name, points in parts)


@dataclass(frozen=True, slots=True)
class Choice:
    """Where a part was placed, and what spoke for it."""

    node_name: str
    reasons: Mapping[str, int]
    """The parts of its score."""
    parts: int
    """How many the job has."""
    bytes_there: int = 0
    """Of the job's inputs, on that node."""


def explain_choice(
    choice: Choice, verdicts: Iterable[Verdict], node_names: Mapping[NodeId, str]
) -> str:
    """Why a node was chosen, in one sentence: data that lie there first, else up to two things that
    are so there. `verdicts` are of all nodes; "" where nothing is known."""
    name, reasons = choice.node_name, choice.reasons
    if choice.bytes_there and reasons.get("locality", 0) > 0:
        lacking = sorted(
            node_names.get(one.node, one.node[:_SHORT_ID_CHARS])
            for one in verdicts
            if one.refusal is Refusal.INPUT_MISSING
        )
        lack = "does not" if len(lacking) == 1 else "do not"
        others = f"; {_listed(lacking)} {lack}" if lacking else ""
        return f"{name} has {show_bytes(choice.bytes_there)} of its inputs{others}."
    told = list(_good_of(reasons, several=choice.parts > 1))[:_TOLD_GAINS]
    return f"{name} {' and '.join(told)}." if told else ""


def _good_of(reasons: Mapping[str, int], *, several: bool) -> Iterator[str]:
    """What speaks for a node, the most telling first."""
    if reasons.get("soft", 0) > 0:
        yield "has labels that the job prefers"
    if reasons.get("cache", 0) > 0:
        yield "has its files already"
    if _at_least(reasons, "fit", FITS_NOW):
        yield "can start it at once"
    elif "fit" in reasons and "locality" not in reasons:
        yield "has a place for it in its queue"
    if several and _at_least(reasons, "spread", FULL):
        yield "runs nothing else of the job"


def _at_least(reasons: Mapping[str, int], name: str, part: int) -> bool:
    """Whether a part of a score was at least so much before it was weighed. How much locality
    weighed is not told: with it the answer may be no where it should be yes."""
    whole = sum(WEIGHTS.get(one, 0) for one in reasons if one != "locality")
    return name in reasons and (reasons[name] + 1) * whole > part * WEIGHTS[name]


def _listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and 3 more`."""
    more = len(names) - _NAMED_NODES
    shown = [*names[:_NAMED_NODES], *([f"{more} more"] if more > 0 else [])]
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
