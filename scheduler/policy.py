"""Whom a refusal bars, and what a job's `Disconnect` block means: when work starts a second time,
and which of two is kept.

Each `ReconcileRunning` policy is a total order, so that what is kept rests on the attempts alone,
never on the order in which their sides met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from scheduler.attempts import AttemptView
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState, Expiry, JobSpec, Refusal

FREE_TO_ASK_AGAIN = frozenset(
    {
        Refusal.UNREACHABLE.value,
        Refusal.CORDONED.value,
        Refusal.DRAINING.value,
        Refusal.CAPACITY.value,
        Refusal.QUEUE_FULL.value,
        Refusal.STALE_TERM.value,
        Refusal.SPEC_MISSING.value,
        Refusal.ALREADY_DONE.value,
        Refusal.WITHDRAWN.value,
        Refusal.JOB_STOPPED.value,
    }
)
"""Refusals that pass by themselves; any other is about the node, and holds for all slots of a
version until the node changes."""

IMAGE_REFUSALS = frozenset({Refusal.IMAGE_UNAVAILABLE.value, Refusal.IMAGE_MISSING.value})
"""A node that refused for one of them is asked again in time: a registry may be back, or the image
be pushed, and nothing tells."""
NOBODY_CAN: Mapping[str, Expiry] = {Refusal.IMAGE_MISSING.value: Expiry.IMAGE_MISSING}
"""Refusals that end the job once every node has answered so that could run it and can be asked: to
wait would be to wait for ever, since somebody misspelt a name. A registry that cannot be reached is
none of them: a site without a network waits."""

NEVER = "never"
DEFAULT_RECONCILE = "longest_running"
"""It has the most to lose."""
REPLACE_PROCESS_S = 2.0
"""WebAssembly and scripted work dies with its node's process, so little is lost by starting again;
two seconds outlast a link that only hiccups."""
REPLACE_CONTAINER_S = 9.0
"""A container outlives its agent, which may come back and adopt it: an agent under a supervisor is
back within a few seconds, and starting a second container is the dearer mistake."""
REPLACE_WAN_S = 120.0
"""Over radio and satellite links a silence of a minute is weather, not death."""

_DIES_WITH_ITS_NODE = frozenset({"wasm", "scripted"})
_NEVER_BEGAN = 1 << 63


class Barred(NamedTuple):
    """A refusal that forbids asking the same node again: when, its name, and in words."""

    hlc: Hlc
    reason: str
    message: str


def last_word(expiry: Expiry, refusals: Iterable[Barred]) -> str:
    """What a node said last of those whose refusal ended the job; "" where time ended it."""
    said = (one for one in refusals if NOBODY_CAN.get(one.reason) is expiry)
    latest = max(said, default=None)
    return "" if latest is None else f"{latest.message or latest.reason}."


def replace_after_s(spec: JobSpec, *, process_dead: bool, wan: bool) -> float | None:
    """Seconds that a node is seen as unreachable before its attempts of this job are replaced.

    What the job says under `Disconnect.ReplaceAfter` holds whatever is known of the node; None for
    `never`. Without it 0 where the work is known to have died with its node's process.
    """
    written = spec.disconnect.get("ReplaceAfter")
    if written is not None:
        return None if written == NEVER else float(written.removesuffix("s"))
    dies = spec.task.engine.type in _DIES_WITH_ITS_NODE
    if dies and process_dead:
        return 0.0
    if wan:
        return REPLACE_WAN_S
    return REPLACE_PROCESS_S if dies else REPLACE_CONTAINER_S


class Order(NamedTuple):
    """One policy: the least key is kept, or the greatest."""

    key: Callable[[AttemptView], tuple[object, ...]]
    greatest: bool = False


def _placed(one: AttemptView) -> tuple[object, ...]:
    return (one.term, one.owner, one.number)


RUNNING_ORDERS: Mapping[str, Order | None] = {
    "longest_running": Order(lambda one: (one.started_hlc or _NEVER_BEGAN,)),
    "keep_original": Order(_placed),
    "keep_replacement": Order(_placed, greatest=True),
    "best_score": Order(lambda one: (one.score,), greatest=True),
    "race": None,
}
"""By name in `ReconcileRunning`; None keeps all of them until one is done."""


def keep_of(spec: JobSpec, attempts: Iterable[AttemptView]) -> AttemptView | None:
    """Which of several live attempts of one slot goes on; None when all of them may.

    Those that run go before those that do not, whatever the policy; the least attempt id breaks
    ties. A policy that this release does not know counts as the default.
    """
    name = spec.disconnect.get("ReconcileRunning", DEFAULT_RECONCILE)
    order = RUNNING_ORDERS.get(name, RUNNING_ORDERS[DEFAULT_RECONCILE])
    if order is None:
        return None
    by_id = sorted(attempts, key=lambda one: one.id)
    best_first = sorted(by_id, key=order.key, reverse=order.greatest)  # stable: ids still decide
    return min(best_first, key=lambda one: not _runs(one), default=None)


def _runs(one: AttemptView) -> bool:
    return one.state in (AttemptState.RUNNING, AttemptState.PUBLISHING)
