"""When an answer can change no more: every member has confirmed all that it rests on.

A job is settled when it has ended, each of its attempts is known to have ended, and the `seen`
register of every member not retired covers the job, its placements and the records that its slots
rest on. A member that holds all these begins nothing for a slot with an accepted result, so nothing
can come that ranks before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scheduler.attempts import AttemptView
from scheduler.ids import Dot, NodeId
from scheduler.job_view import JobView
from scheduler.lifecycle import SlotState, spends_retry

Reach = Mapping[tuple[NodeId, int], int]
"""(author, epoch) -> the seq up to which every record is held."""


def rests_on(job: JobView) -> tuple[Dot, ...]:
    """The records that the derived state of each slot of the winning version rests on, in order.

    Of a slot with an accepted result its success; of any other the stop, else the expired record,
    else the terminal records that used up its retries. Nothing else, and nothing of open slots.
    """
    table, found, whole = job.slots, dict[Dot, None](), _ending_the_rest(job)
    for index in table.placed():
        accepted = table.accepted(index)
        if accepted is not None and accepted.completed is not None:
            found[accepted.completed] = None
        elif whole is None and table.state(index) is SlotState.FAILED:
            found |= dict.fromkeys(_used_up(table.attempts(index)))
    if whole is not None:
        found[whole] = None
    return tuple(sorted(found))


def is_settled(
    job: JobView, seen: Mapping[NodeId, Reach], members: Iterable[NodeId], *, held: Reach
) -> bool:
    """Whether the job has ended and no member can know anything that would change its answer.

    `seen` holds the contexts that members told in their registers, our own among them; `members`
    are all that are not retired; `held` is our own context. It must reach as far as each member's
    own log did when it told: that member may have finished the same work before it heard of ours.
    """
    if not job.state().terminal or job.live_count or job.rumoured():
        return False
    told = list(members)
    needed = _needed(job)
    return all(_covers(seen.get(one, {}), needed) for one in told) and caught_up(
        seen, told, held=held
    )


def caught_up(seen: Mapping[NodeId, Reach], members: Iterable[NodeId], *, held: Reach) -> bool:
    """Whether our own context reaches as far as each member's own log did when that told."""
    return all(
        held.get((author, epoch), 0) >= seq
        for member in members
        for (author, epoch), seq in seen.get(member, {}).items()
        if author == member
    )


def _ending_the_rest(job: JobView) -> Dot | None:
    """The stop or the expired record that slots without a result rest on, if there are any."""
    if job.version is None or job.slots.count(SlotState.DONE) >= job.version.count:
        return None
    expired = job.expired()
    return job.first_stop() or (None if expired is None else expired[0])


def _used_up(attempts: list[AttemptView]) -> list[Dot]:
    return [
        one.observed
        for one in attempts
        if one.observed and not one.live and spends_retry(one.observation, taken=one.taken)
    ]


def _needed(job: JobView) -> Reach:
    """The last seq of each log that the job rests on: whoever covers those covers all before.

    With its birth, its version and the placements: a result says nothing to a member that lacks
    those, and it may begin the same work anew.
    """
    if job.resting is None or job.resting[0] != job.revision:
        last: dict[tuple[NodeId, int], int] = {}
        known = [job.birth] if job.version is None else [job.birth, job.version.dot]
        for index in job.slots.placed():
            known += [one.placed for one in job.slots.attempts(index)]
        for author, epoch, seq in (*known, *rests_on(job)):
            last[author, epoch] = max(seq, last.get((author, epoch), 0))
        job.resting = (job.revision, last)
    return job.resting[1]


def _covers(context: Reach, needed: Reach) -> bool:
    return all(context.get(log, 0) >= seq for log, seq in needed.items())
