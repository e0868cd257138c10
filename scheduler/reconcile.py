"""What is too much and what is lost among a job's attempts: stops, replacements, withdrawals.

All of it is what one owner sees from where it stands: nothing here becomes an attempt's state.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from scheduler.attempts import AttemptView
from scheduler.capacity import CapacityIndex
from scheduler.ids import AttemptId
from scheduler.instant import HLC_COUNTER_BITS, Hlc
from scheduler.job_view import JobView
from scheduler.jobs import Expiry, JobSpec, JobState, StopReason
from scheduler.lifecycle import SlotState, spends_retry
from scheduler.policy import keep_of

WITHDRAW_AFTER_MS = 2_000
"""A job of a second or two that is ahead of it would have ended by then; longer is worth a move."""
MAX_WITHDRAWALS = 2
"""Of one slot: nodes whose room is gone before it gets there must not pass it on for ever."""


def surplus(
    job: JobView, spec: JobSpec, index: CapacityIndex, *, overdue: Collection[AttemptId] = ()
) -> tuple[tuple[AttemptId, str], ...]:
    """Live attempts that are to end and were not told yet, each with the reason.

    Those of a job that was stopped or whose total time ran out, of superseded versions, of slots
    that have an accepted result; of slots that run on several reachable nodes all but one; and of
    a job whose time in the queue ran out those that still wait or are overdue; and those that are
    given up for `lost`.
    """
    wanted_gone: dict[AttemptId, str] = {}
    for one, reason in _unwanted(job, spec, index, frozenset(overdue)):
        if not one.ending:
            wanted_gone.setdefault(one.id, reason.value)
    return tuple(wanted_gone.items())


def replacements(job: JobView, overdue: Collection[AttemptId]) -> list[int]:
    """Slots that want a second attempt because every live one is overdue, in order.

    Within the retry budget: an attempt that its node had taken uses one up, one that it never took
    or sent back does not (P1, P17). Never while another live one can be reached.
    """
    version = job.version
    if not overdue or version is None or not job.placing():
        return []
    late = frozenset(overdue)
    known = [job.attempts[one] for one in sorted(late) if one in job.attempts]
    indexes = dict.fromkeys(one.index for one in known if one.version == version.dot)
    return [index for index in sorted(indexes) if _is_lost(job, index, late)]


def lost(job: JobView, overdue: Collection[AttemptId]) -> list[AttemptView]:
    """Overdue attempts that nothing may replace, and that keep the job from ending: their slot has
    no retries left, or another slot has failed. By id."""
    version = job.version
    if version is None or job.stopped() or job.expired() is not None:
        return []
    late, table = frozenset(overdue), job.slots
    return [
        one
        for one in map(job.attempts.get, sorted(late))
        if one is not None
        and one.live
        and one.version == version.dot
        and not (one.given_up or one.ending)
        and table.state(one.index) in (SlotState.ASSIGNED, SlotState.ACTIVE)
        and _all_late(table.attempts(one.index), late)
        and (job.failing() or _used(table.attempts(one.index)) >= version.retry_attempts)
    ]


def waiting_too_long(job: JobView, index: CapacityIndex, *, now_ms: int) -> list[AttemptView]:
    """Attempts that still wait at a node that can be reached, 2 s after their placement, and that
    may be withdrawn: those placed first come first."""
    version = job.version
    if version is None or not job.placing():
        return []
    placed_before = Hlc((now_ms - WITHDRAW_AFTER_MS + 1) << HLC_COUNTER_BITS)
    late = [
        one
        for one in job.slots.waiting(placed_before=placed_before)
        if not one.stop_reason
        and index.is_reachable(one.node)
        and _withdrawals(job.slot_attempts(version.dot, one.index)) < MAX_WITHDRAWALS
    ]
    return sorted(late, key=lambda one: (one.placed_hlc, one.id))


def _unwanted(
    job: JobView, spec: JobSpec, index: CapacityIndex, overdue: frozenset[AttemptId]
) -> Iterator[tuple[AttemptView, StopReason]]:
    if job.state() is JobState.STOPPED:
        yield from ((one, StopReason.JOB_STOPPED) for one in job.live_attempts())
        return
    yield from ((one, StopReason.ALREADY_DONE) for one in job.slots.duplicates())
    version, expired = job.version, job.expired()
    if version is not None and len(job.versions) > 1:
        old = (one for one in job.live_attempts() if one.version != version.dot)
        yield from ((one, StopReason.SUPERSEDED) for one in old)
    if expired is not None and expired[1] is Expiry.TOTAL_TIMEOUT:
        yield from ((one, StopReason.TOTAL_TIMEOUT) for one in job.live_attempts())
        return
    yield from ((one, StopReason.DUPLICATE) for one in _duplicates(job, spec, index))
    yield from ((one, StopReason.LOST) for one in lost(job, overdue))
    if expired is not None:
        # What runs may end, but a node that may never come back must not keep the job from ending.
        idle = (one for one in job.live_attempts() if one.id in overdue or not one.taken)
        yield from ((one, StopReason(expired[1].value)) for one in idle)


def _duplicates(job: JobView, spec: JobSpec, index: CapacityIndex) -> Iterator[AttemptView]:
    """Attempts that run beside a better one of their slot, both on nodes that can be reached.

    What a node said in an earlier run counts for nothing until this run has spoken of it: its
    program may have died with the process, and the good one would be stopped for it.
    """
    for live in job.slots.crowded():
        here = [one for one in live if index.speaks_for(one) and not one.ending]
        kept = keep_of(spec, here)
        if kept is not None:
            yield from (one for one in here if one is not kept)


def _is_lost(job: JobView, index: int, overdue: frozenset[AttemptId]) -> bool:
    version = job.version
    if version is None or job.slots.state(index) not in (SlotState.ASSIGNED, SlotState.ACTIVE):
        return False
    attempts = job.slot_attempts(version.dot, index)
    return _used(attempts) < version.retry_attempts and _all_late(attempts, overdue)


def _used(attempts: list[AttemptView]) -> int:
    """Of the retry budget, once those that live are replaced too."""
    return sum(spends_retry(one.observation, taken=one.taken) for one in attempts)


def _all_late(attempts: list[AttemptView], overdue: frozenset[AttemptId]) -> bool:
    return all(one.id in overdue for one in attempts if one.live)


def _withdrawals(attempts: list[AttemptView]) -> int:
    return sum(
        StopReason.WITHDRAWN.value in (one.stop_reason, one.observation.reason) for one in attempts
    )
