"""Output of attempts on this node: what is there, or what comes within the reader's patience."""

from __future__ import annotations

from functools import partial

import trio

from mesh.node.requests import LogPart, LogQuestion
from runtime.executor import Executor

LOOK_S = 0.02
"""Programs write to files, some from other processes: somebody who follows has them looked at so
often, by one `stat` of 2 us; who does not follow costs nothing."""


async def read_output(executor: Executor, question: LogQuestion) -> LogPart:
    """A part of an attempt's output. Where there is none yet and the attempt is under way, it is
    waited for. Raises OSError."""
    attempt, offset, logs = question.attempt, question.offset, executor.logs
    if question.since_ms and not offset:
        since = partial(logs.offset_since, attempt, question.since_ms)
        offset = await trio.to_thread.run_sync(since)
    with trio.move_on_after(question.wait_s):
        while executor.holds(attempt) and logs.size_bytes(attempt) <= offset:  # noqa: ASYNC110
            await trio.sleep(LOOK_S)
    # Asked before the file is read: what a program wrote last is read after it has ended.
    running = executor.holds(attempt)
    read = partial(executor.read_log, attempt, offset=offset, limit_bytes=question.limit_bytes)
    page = await trio.to_thread.run_sync(read)
    return page.parts, page.next_offset, not running and not page.parts
