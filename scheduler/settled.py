"""When an answer can change no more: every member has confirmed all that it rests on.

A job is settled when it has ended, each of its attempts is known to have ended, and the `seen`
register of every member not retired covers the records that its slots rest on. A member that holds
an accepted result begins nothing for that slot, so nothing can come that ranks before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scheduler.ids import Dot, NodeId
from scheduler.job_view import JobView

Reach = Mapping[tuple[NodeId, int], int]
"""(author, epoch) -> the seq up to which every record is held."""


def rests_on(job: JobView) -> tuple[Dot, ...]:
    """The records that the derived state of each slot of the winning version rests on, in order.

    Of a slot with an accepted result its success; of any other the stop, else the expired record,
    else the terminal records that used up its retries. Nothing else, and nothing of open slots.
    """
    raise NotImplementedError


def is_settled(
    job: JobView, seen: Mapping[NodeId, Reach], members: Iterable[NodeId], *, held: Reach
) -> bool:
    """Whether the job has ended and no member can know anything that would change its answer.

    `seen` holds the contexts that members told in their registers, `members` all that are not
    retired, `held` this node's own context: it stands for our own entry in `seen`, and must reach
    as far as each member's own log did when it told, or that member may have finished the work
    before it heard of our result.
    """
    raise NotImplementedError
