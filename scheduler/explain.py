"""Facts of a decision as sentences for people. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from scheduler.ids import NodeId
from scheduler.jobs import Expiry, Failure, Refusal, StopReason, Verdict, Waiting
from scheduler.resources import show_bytes

_SHORT_ID_CHARS = 10
"""`n-` and eight characters: what the stock client's tables show."""
_NAMED_NODES = 3
"""More names make a sentence nobody reads; the rest are counted."""

REFUSALS: Mapping[Refusal, tuple[str, str]] = {
    Refusal.UNREACHABLE: (
        "cannot be reached",
        "The node cannot be reached from here; the work waits until it is back or fits elsewhere.",
    ),
    Refusal.NOT_COMPUTE: (
        "no compute role",
        "The node runs no jobs; give its certificate the role compute, or use other nodes.",
    ),
    Refusal.CORDONED: (
        "cordoned",
        "The node takes no new work now; end that with node uncordon, or use other nodes.",
    ),
    Refusal.DRAINING: (
        "draining",
        "The node is being emptied; end that with node uncordon, or use other nodes.",
    ),
    Refusal.ENGINE_MISSING: (
        "engine missing",
        "The node does not have the engine that the job names; start it there, or add such a node.",
    ),
    Refusal.STORAGE_MISSING: (
        "input type not offered",
        "The node cannot read inputs of this type; use another type, or a node that offers it.",
    ),
    Refusal.PUBLISHER_MISSING: (
        "publisher not offered",
        "The node cannot publish this way; leave the publisher out to keep results in the mesh.",
    ),
    Refusal.CONSTRAINT: (
        "labels do not match",
        "The node's labels do not meet the constraints; change them, or label a node.",
    ),
    Refusal.TOO_LARGE: (
        "too small for the request",
        "The job asks for more than the node has in all; ask for less, or add a larger node.",
    ),
    Refusal.CAPACITY: (
        "no free capacity",
        "The node is busy; the work starts when something there ends.",
    ),
    Refusal.INPUT_MISSING: (
        "input not there",
        "The node does not have a local input of the job; check the path and its --allow-path.",
    ),
    Refusal.IMAGE_UNAVAILABLE: (
        "image not there",
        "The node lacks the image and cannot pull it; check its name, or use docker load there.",
    ),
    Refusal.REFUSED_BEFORE: (
        "refused before",
        "The node has refused this work before; it is tried elsewhere first.",
    ),
    Refusal.STALE_TERM: (
        "placed by a former owner",
        "The placement came from a node that no longer owns the job; its owner places again.",
    ),
    Refusal.QUEUE_FULL: (
        "queue full",
        "The node holds all the work that it may queue; the work starts when something ends.",
    ),
    Refusal.SPEC_MISSING: (
        "job description not there",
        "The node could not get the description of the job; it is placed again.",
    ),
    Refusal.ALREADY_DONE: (
        "already done",
        "The node knows a finished result of this part; nothing has to run again.",
    ),
    Refusal.POLICY: (
        "against its policy",
        "The node's own policy forbids this job; ask its operator, or use other nodes.",
    ),
    Refusal.WITHDRAWN: (
        "withdrawn",
        "The owner took the work back to place it where it starts sooner.",
    ),
    Refusal.JOB_STOPPED: (
        "job stopped",
        "The job was stopped before the work began.",
    ),
}
"""A few words for counts, and a sentence with what to do next."""

FAILURES: Mapping[Failure, str] = {
    Failure.EXIT_CODE: (
        "The program ended with an exit code that is no success; see its stderr, or name the code "
        "in SuccessCodes."
    ),
    Failure.DEADLINE: (
        "The time allowed ran out and the program was stopped; raise ExecutionTimeout or "
        "TotalTimeout."
    ),
    Failure.TRAP: "The WebAssembly program did something forbidden and was ended; see its stderr.",
    Failure.OUT_OF_MEMORY: "The program needed more memory than it had; raise Resources.Memory.",
    Failure.MODULE_INVALID: (
        "The WebAssembly module cannot be loaded; build it for WASI preview 1 and send it again."
    ),
    Failure.INPUT: "An input could not be brought to the program; check that its source exists.",
    Failure.ENGINE: "The engine could not run the program; see the node's log for the cause.",
    Failure.RESULTS: "The results could not be kept; check free disk space on the node.",
    Failure.NODE_RESTART: "The node restarted while the program ran; the work is tried again.",
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
    return REFUSALS[refusal][1]


def failure_sentence(failure: Failure) -> str:
    """Why an attempt failed, and what to do."""
    return FAILURES[failure]


def explain_verdict(verdict: Verdict, node_name: str) -> str:
    """One line on what one node answers to a job now."""
    if verdict.refusal is None:
        return f"{node_name} can take it. {explain_score(verdict.reasons)}".rstrip()
    detail = f" ({verdict.detail.rstrip('.')})" if verdict.detail else ""
    return (
        f"{node_name}: {REFUSALS[verdict.refusal][0]}{detail}. {refusal_sentence(verdict.refusal)}"
    )


def explain_waiting(waiting: Waiting, node_names: Mapping[NodeId, str]) -> str:
    """One sentence on why slots are unplaced: nodes that say no by reason, the most frequent first.

    Nodes without a name in `node_names` are called by their short id.
    """
    slots = f"{waiting.slots} slot waits" if waiting.slots == 1 else f"{waiting.slots} slots wait"
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
    hopeless = (
        "" if waiting.possible else "; no member could ever meet it: change the job or add a node"
    )
    place = f"; number {waiting.position} in the queue" if waiting.position > 1 else ""
    return f"{slots}: {reasons}{place}{hopeless}."


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
    more = len(names) - _NAMED_NODES
    listed = ", ".join(names[:_NAMED_NODES]) + (f" and {more} more" if more > 0 else "")
    details = sorted({one.detail.rstrip(".") for one in group if one.detail})
    detail = f": {details[0]}" if len(details) == 1 else ""
    nodes = "1 node" if len(names) == 1 else f"{len(names)} nodes"
    return f"{REFUSALS[refusal][0]} on {nodes} ({listed}{detail})"


def explain_score(reasons: Mapping[str, int]) -> str:
    """The parts of a score, the weightiest first; "" when there are none."""
    if not reasons:
        return ""
    parts = sorted(reasons.items(), key=lambda part: (-abs(part[1]), part[0]))
    listed = ", ".join(f"{name.replace('_', ' ')} {points:+d}" for name, points in parts)
    return f"Score: {listed}."


_GAINS: Mapping[str, str] = {
    "fit": "it can start there without waiting for much",
    "soft": "the job prefers it",
    "cache": "what it needs to begin is there",
    "spread": "little else of the job is there",
    "latency": "it is near",
}


def explain_choice(
    reasons: Mapping[str, int],
    bytes_there: int,
    verdicts: Iterable[Verdict],
    node_names: Mapping[NodeId, str],
) -> str:
    """Why a node was chosen, in words: data that lie there first, else the two best parts of its
    score. `bytes_there` are of the job's inputs on that node, `verdicts` of all nodes."""
    if bytes_there and reasons.get("locality", 0) > 0:
        lacking = sorted(
            node_names.get(one.node, one.node[:_SHORT_ID_CHARS])
            for one in verdicts
            if one.refusal is Refusal.INPUT_MISSING
        )
        lack = "lacks" if len(lacking) == 1 else "lack"
        others = f"; {_listed(lacking)} {lack} them" if lacking else ""
        return f"{show_bytes(bytes_there)} of its inputs are there{others}."
    gains = sorted(_GAINS.keys() & reasons.keys(), key=lambda name: (-reasons[name], name))
    told = [_GAINS[name] for name in gains[:2] if reasons[name] > 0]
    return f"{' and '.join(told)}.".capitalize() if told else ""


def _listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and 3 more`."""
    more = len(names) - _NAMED_NODES
    shown = [*names[:_NAMED_NODES], *([f"{more} more"] if more > 0 else [])]
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
