"""One container under our eyes: its output, its signals, its end, also over an engine's restart."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import trio
from trio.to_thread import run_sync

from runtime.attempt import EngineEnded, tail_text
from runtime.engines.docker_answers import KILLED_OR_ASKED_TO_END, how_it_ended
from runtime.engines.docker_client import DockerCalls
from runtime.engines.docker_events import AGAIN_S, EventStream
from runtime.engines.docker_options import image_name
from runtime.engines.docker_output import Demultiplexer, Output
from runtime.engines.docker_wire import Answer, EngineAway, EngineRefused, asking
from runtime.outputs import write_note
from runtime.ports import EngineJob

ENGINE_RETURN_S = 30.0
"""An engine that restarts over a container that ignores its signal takes 11 s."""
LAST_WORDS_S = 2.0
"""Between the end of a container's output and the news of its own end."""
LEAVING_S = 2.0
"""Between an engine's ending its containers and its own end, where none of them is deaf."""
LOOK_AGAIN_S = 10.0
"""For a container that has closed its outputs and runs on."""
AWAY_AT_THE_END = (
    "the Docker engine was away when this ended; what was printed meanwhile may be missing"
)

State = Mapping[str, Any]
"""The engine's `State` of a container."""
ENDED_WELL: State = {"Status": "exited", "Running": False, "ExitCode": 0}
"""All that matters of one that exited with 0: any other end is looked at."""


class Container:
    """What one run or adoption holds."""

    def __init__(self, job: EngineJob, events: EventStream, disk: trio.CapacityLimiter) -> None:
        self.job = job
        self.output = Output(job)
        self.scope = trio.CancelScope()
        self.begun = False
        """From the start call on, a stop goes by signals."""
        self.running = trio.Event()
        self.done = trio.Event()
        self._stopped = False
        """A signal of ours has reached it."""
        self._engine_left = False
        self._events = events
        self._disk = disk
        events.watch(job.attempt)

    async def follow(self, calls: DockerCalls, answer: Answer | None) -> EngineEnded:
        """Keep the output until the container has ended. `answer` brings the output from the
        beginning; None for what an earlier process began."""
        losses = self._events.losses
        if answer is None:
            await run_sync(self.output.resume, limiter=self._disk)
            await self._copy_from_start(calls)
        else:
            await self._copy(answer)
        state = await self._wait(calls, losses)
        while self._events.losses != losses:
            # The stream ended with the engine, not with the container.
            self._engine_left, losses = True, self._events.losses
            ran_on = state is not None and bool(state.get("Running"))
            if state is not None:
                await self._copy_from_start(calls)
            if ran_on:
                state = await self._wait(calls, losses)
            else:
                await run_sync(self.output.note, AWAY_AT_THE_END, limiter=self._disk)
        if not self._stopped and state is not None:
            await self._see_whether_the_engine_leaves(state, losses)
        outcome = how_it_ended(
            state,
            stopped=self._stopped,
            engine_left=self._engine_left,
            memory_bytes=self.job.task.resources.memory_bytes,
            image=image_name(self.job),
            stderr=tail_text(self.output.stderr.tail),
        )
        return self.ended(*outcome)

    async def look(self, calls: DockerCalls) -> State | None:
        """The container's state; None when it is gone. Waits for an engine that is away; EngineAway
        when it stays so."""
        with trio.move_on_after(ENGINE_RETURN_S):
            while True:
                try:
                    found = await calls.inspect(self.job.attempt)
                    state: State = found["State"]
                    return state
                except EngineRefused as refused:
                    if refused.status == 404:
                        return None
                except EngineAway:
                    pass
                await trio.sleep(AGAIN_S)
        raise EngineAway(
            f"it did not come back within {ENGINE_RETURN_S:.0f} s; the container may still run"
        )

    async def signal(self, calls: DockerCalls, name: str) -> None:
        """Send a signal; a container that has ended by itself keeps its own end."""
        try:
            await calls.kill(self.job.attempt, name)
            self._stopped = True
        except EngineRefused:
            pass
        except EngineAway:
            self._stopped = True  # nobody knows; whatever comes, it was to end

    async def note(self, sentence: str) -> None:
        """A remark in the log, no part of the program's output."""
        await run_sync(write_note, str(self.job.log), sentence, limiter=self._disk)

    def ended(self, exit_code: int | None, failure: str, message: str) -> EngineEnded:
        """An outcome, with what was printed."""
        stdout, stderr = self.output.stdout, self.output.stderr
        return EngineEnded(
            exit_code,
            failure,
            message,
            tail_text(stdout.tail),
            tail_text(stderr.tail),
            stdout.size_bytes,
            stderr.size_bytes,
        )

    async def _wait(self, calls: DockerCalls, losses: int) -> State | None:
        """Its output has ended: wait until it has too, or the engine went away and is back."""
        patience_s = LAST_WORDS_S
        while True:
            with trio.move_on_after(patience_s):
                await self._events.turn(self.job.attempt)
            if self._events.exit_code(self.job.attempt) == 0:
                return ENDED_WELL
            state = await self.look(calls)
            if state is None or not state.get("Running") or self._events.losses != losses:
                return state
            patience_s = LOOK_AGAIN_S

    async def _see_whether_the_engine_leaves(self, state: State, losses: int) -> None:
        """An engine that is told to end ends its containers first."""
        unexplained = state.get("Status") == "exited" and not state.get("OOMKilled")
        if unexplained and state.get("ExitCode") in KILLED_OR_ASKED_TO_END:
            with trio.move_on_after(LEAVING_S):
                while self._events.losses == losses:
                    await self._events.turn(self.job.attempt)
                self._engine_left = True

    async def _copy_from_start(self, calls: DockerCalls) -> None:
        """Read the engine's own copy, and on, to the container's end or the engine's."""
        self.output.begin_again()
        query = {"follow": "1", "stdout": "1", "stderr": "1"}
        path = f"/containers/{self.job.attempt}/logs"
        try:
            async with asking(calls.socket, "GET", path, query) as answer:
                await self._copy(answer)
        except (EngineAway, EngineRefused):
            pass  # whoever looks at the container next sees why

    async def _copy(self, answer: Answer) -> None:
        demultiplexer = Demultiplexer()
        while data := await answer.receive():
            keep = partial(self.output.write, demultiplexer.feed(data))
            await run_sync(keep, limiter=self._disk)
