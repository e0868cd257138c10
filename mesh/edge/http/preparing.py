"""How far executions are that are being prepared: the last remark of their nodes.

Only the logs there hold it: a record for each would be kept by every node for good.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import trio

from mesh.member.commands import AttemptReading
from mesh.node.doors import BlobUnavailable, Doors
from runtime.outputs import NOTE
from scheduler.jobs import AttemptState

ASKED_MAX = 8
"""Of one job: nobody reads more at a time."""
ANSWER_S = 1.0
"""What a person waits for without wondering; then the record alone is told."""
PAGE_BYTES = 64 << 10
PAGES_MAX = 8
"""Of remarks every two seconds that is three hours of a pull."""
HEAD, END = "[bacalhau-mesh: ", "]"
"""Around a remark in a log."""


async def with_remarks(doors: Doors, attempts: Iterable[AttemptReading]) -> list[AttemptReading]:
    """The same, those that are being prepared with their node's last remark for a message, where it
    has one and answers in time."""
    told = list(attempts)
    prepared = [at for at, one in enumerate(told) if is_prepared(one)][:ASKED_MAX]

    async def ask(at: int) -> None:
        one = told[at]
        try:
            remark = await _last_remark(doors, one)
        except BlobUnavailable:
            return
        if remark:
            told[at] = replace(one, observation=replace(one.observation, message=remark))

    if prepared:
        with trio.move_on_after(ANSWER_S):
            async with trio.open_nursery() as nursery:
                for at in prepared:
                    nursery.start_soon(ask, at)
    return told


def is_prepared(attempt: AttemptReading) -> bool:
    """Whether something is being brought for it."""
    return attempt.observation.state is AttemptState.PREPARING


async def _last_remark(doors: Doors, attempt: AttemptReading) -> str:
    offset, last = 0, ""
    for _ in range(PAGES_MAX):
        parts, offset, _ = await doors.read_logs(
            attempt.id, attempt.node, offset=offset, limit=PAGE_BYTES
        )
        if not parts:
            break
        for stream, data in parts:
            lines = data.decode("utf-8", "replace").split("\n")[-2:]  # the last one ends with it
            if stream == NOTE and len(lines) == 2:
                last = lines[0].removeprefix(HEAD).removesuffix(END)
    return f"{last[0].upper()}{last[1:]}." if last else ""
