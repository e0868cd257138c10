"""The Docker engine: containers that outlive the node's process.

A container is named by its attempt and labelled with cluster and node; others are never touched. It
stays until `release`: whoever crashes before its result is durable finds it again by `adopt`. The
Docker SDK makes the calls, in threads; what streams is read on trio.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import trio
from trio.to_thread import run_sync

from runtime.attempt import EngineEnded, tail_text
from runtime.engines import docker_answers as answers
from runtime.engines.docker_client import DockerCalls, EngineFacts, find_engine, real_path
from runtime.engines.docker_events import EventStream
from runtime.engines.docker_options import (
    LABEL_ATTEMPT,
    LABEL_CLUSTER,
    LABEL_NODE,
    CannotRun,
    Image,
    create_options,
    image_name,
)
from runtime.engines.docker_output import Demultiplexer, Output
from runtime.engines.docker_pull import pull_image
from runtime.engines.docker_wire import Answer, EngineAway, EngineRefused, ask, asking
from runtime.ports import EngineJob, EngineReport, EngineSetup
from scheduler.ids import AttemptId
from scheduler.jobs import Failure

ENGINE_RETURN_S = 30.0
"""An engine that restarts over a container that ignores its signal takes 11 s."""
STOP_PATIENCE_S = 30.0
"""After which an engine that does not carry out a stop is told to be at fault."""
FIRST_EVENTS_S = 2.0
"""Without events an end is seen by looking: later, but seen."""
LAST_WORDS_S = 2.0
"""Between the end of a container's output and the news of its own end."""
LOOK_AGAIN_S = 10.0
"""For a container that has closed its outputs and runs on."""
OUTPUT_THREADS = 4
"""Disks take no more at once; the default limiter must not be used up by slow ones."""


@dataclass(slots=True)
class _Life:
    """One container under our eyes."""

    job: EngineJob
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    begun: bool = False
    """From the start call on, a stop goes by signals."""
    running: trio.Event = field(default_factory=trio.Event)
    stopped: bool = False
    """A signal of ours has reached it."""
    done: trio.Event = field(default_factory=trio.Event)
    output: Output | None = None


class DockerEngine:
    """Runs `docker` jobs: `Image`, `Entrypoint`, `Parameters`, `EnvironmentVariables`,
    `WorkingDirectory`. Options: `cluster` and `node` for the labels, `docker_host` as the variable
    DOCKER_HOST."""

    name = "docker"

    def __init__(self, setup: EngineSetup) -> None:
        options = setup.options
        node = options.get("node") or str(setup.data_dir)
        self._labels = {LABEL_CLUSTER: options.get("cluster", ""), LABEL_NODE: node}
        host = options.get("docker_host")
        self._environment: Mapping[str, str] = {"DOCKER_HOST": host} if host else os.environ
        self._facts: EngineFacts | None = None
        self._calls: DockerCalls | None = None
        self._lives: dict[AttemptId, _Life] = {}
        self._held: set[AttemptId] = set()
        """Attempts whose containers must stay: begun or adopted by us, not released yet."""
        self._sweeping = False
        self._wanted = trio.Event()
        self._events = EventStream(f"{LABEL_NODE}={node}")
        self._disk = trio.CapacityLimiter(OUTPUT_THREADS)

    async def probe(self) -> EngineReport:
        """Ask the engine for its version; cheap, to be repeated."""
        try:
            self._facts = facts = await find_engine(self._environment)
        except EngineAway as error:
            self._facts = None
            sentence = f"No Docker engine can be used here: {error}."
            return EngineReport(available=False, detail=sentence)
        if self._calls is None or self._calls.socket != facts.socket:
            self._calls = DockerCalls(facts.socket)
        kind = "podman " if facts.podman else ""
        return EngineReport(available=True, version=kind + facts.version)

    async def serve(self) -> None:
        """Follow events from the first use on."""
        await self._wanted.wait()
        async with trio.open_nursery() as nursery:

            def connected() -> None:
                if self._sweeping:
                    nursery.start_soon(self._remove_strays)

            await self._events.serve(lambda: self._require().socket, connected)

    async def run(self, job: EngineJob, started: Callable[[], None]) -> EngineEnded:
        """Run one container to its end. Cancelled, the container runs on, for `adopt`."""
        ended = await self._live(job, lambda life: self._run(life, started))
        assert ended is not None, "only what was to be adopted may not be there"
        return ended

    async def adopt(self, job: EngineJob, started: Callable[[], None]) -> EngineEnded | None:
        """Go on with the container of an earlier agent; None where it never began."""
        return await self._live(job, lambda life: self._adopt(life, started))

    async def stop(self, attempt: AttemptId, grace_s: float) -> None:
        """TERM, and KILL after the grace; what has not begun is given up at once."""
        life = self._lives.get(attempt)
        if life is None:
            return
        if life.begun:
            with trio.move_on_after(STOP_PATIENCE_S):
                await life.running.wait()
                await self._signal(life, "SIGTERM")
                with trio.move_on_after(grace_s):
                    await life.done.wait()
                await self._signal(life, "SIGKILL")
                await life.done.wait()
        life.scope.cancel()

    async def release(self, attempt: AttemptId) -> None:
        """Remove the container: its result is durable, or nobody wants it."""
        self._held.discard(attempt)
        if self._calls is None:
            return
        try:
            await self._calls.remove(attempt)
        except (EngineAway, EngineRefused):
            pass  # not there, or being removed; or the engine is away: it is swept when that is back

    async def survivors(self) -> tuple[AttemptId, ...]:
        """Attempts of this node that have a container, in any state."""
        if self._facts is None and not (await self.probe()).available:
            return ()
        try:
            return await self._own_containers()
        except (EngineAway, EngineRefused):
            return ()

    async def sweep(self) -> None:
        """Remove own containers that no run and no adoption holds: now, and whenever the engine
        comes back."""
        self._sweeping = True
        await self._remove_strays()

    # --- one container ----------------------------------------------------------------------------

    async def _live(
        self, job: EngineJob, live: Callable[[_Life], Any]
    ) -> EngineEnded | None:
        life = self._lives[job.attempt] = _Life(job)
        self._held.add(job.attempt)
        self._wanted.set()
        try:
            life.output = await run_sync(Output, job, limiter=self._disk)
            with life.scope:
                ended: EngineEnded | None = await live(life)
                return ended
            return await self._given_up(life)
        except CannotRun as error:
            return _ended(life, None, error.failure.value, str(error))
        except EngineAway as error:
            return _ended(life, None, Failure.ENGINE.value, f"The Docker engine left: {error}.")
        except EngineRefused as error:
            words = answers.plain_words(error.words)
            return _ended(life, None, Failure.ENGINE.value, f"The Docker engine refused: {words}.")
        except OSError as error:
            sentence = f"The container's files cannot be used: {error.strerror}."
            return _ended(life, None, Failure.ENGINE.value, sentence)
        finally:
            if life.output is not None:
                life.output.close()
            self._events.forget(job.attempt)
            self._lives.pop(job.attempt, None)
            life.running.set()
            life.done.set()

    async def _given_up(self, life: _Life) -> EngineEnded:
        if life.begun:
            sentence = "The Docker engine did not end the container when asked: it may still run."
            return _ended(life, None, Failure.ENGINE.value, sentence)
        await self.release(life.job.attempt)
        return _ended(life, None, "", "Ended at our asking before the container began.")

    async def _run(self, life: _Life, started: Callable[[], None]) -> EngineEnded:
        job = life.job
        calls, facts = await self._ready()
        await self._create(calls, facts, job)
        async with asking(
            facts.socket,
            "POST",
            f"/containers/{job.attempt}/attach",
            {"stream": "1", "stdout": "1", "stderr": "1"},
        ) as answer:
            losses = self._events.losses
            life.begun = True
            try:
                await calls.start(job.attempt)
            except EngineRefused as refused:
                raise answers.not_started(image_name(job), refused) from None
            life.running.set()
            started()
            state = await self._follow(life, answer, losses)
        return self._end(life, state, engine_left=self._events.losses != losses)

    async def _adopt(self, life: _Life, started: Callable[[], None]) -> EngineEnded | None:
        calls, _ = await self._ready()
        state = await self._look(life)
        if state is None or state.get("Status") == "created":
            await self.release(life.job.attempt)
            return None
        losses = self._events.losses
        life.begun = True
        life.running.set()
        started()
        state = await self._follow(life, None, losses)
        return self._end(life, state, engine_left=self._events.losses != losses)

    async def _ready(self) -> tuple[DockerCalls, EngineFacts]:
        if self._facts is None:
            report = await self.probe()
            if not report.available:
                raise CannotRun(Failure.ENGINE, report.detail)
        with trio.move_on_after(FIRST_EVENTS_S):
            await self._events.connected()
        facts = self._require()
        assert self._calls is not None, "made with the facts"
        return self._calls, facts

    def _require(self) -> EngineFacts:
        if self._facts is None:
            raise EngineAway("it does not answer")
        return self._facts

    async def _create(self, calls: DockerCalls, facts: EngineFacts, job: EngineJob) -> None:
        name = image_name(job)
        try:
            raw = await calls.inspect_image(name)
        except EngineRefused as refused:
            if refused.status != 404:
                raise
            await pull_image(facts.socket, name, await calls.registry_login(name))
            raw = await calls.inspect_image(name)
        image = Image(raw["Os"], raw["Architecture"], (raw.get("Config") or {}).get("User") or "")
        answers.check_platform(name, image, facts)
        job = await run_sync(_with_real_paths, job, limiter=self._disk)
        options = create_options(
            job, labels=self._labels, user=_user(image, facts), podman=facts.podman
        )
        try:
            await calls.create(job.attempt, options)
        except EngineRefused as refused:
            raise answers.not_created(name, refused) from None

    async def _follow(
        self, life: _Life, answer: Answer | None, losses: int
    ) -> Mapping[str, Any] | None:
        """Keep the output until the container has ended; its `State` then, None when it is gone."""
        name = life.job.attempt
        while True:
            turn = self._events.turn(name)
            if answer is None:
                await self._copy_from_start(life)
            else:
                await self._copy(life, answer)
            with trio.move_on_after(LAST_WORDS_S):
                await turn.wait()
            while (state := await self._look(life)) is not None and state.get("Running"):
                if self._events.losses != losses:
                    break  # the stream ended with the engine, not with the container
                turn = self._events.turn(name)
                with trio.move_on_after(LOOK_AGAIN_S):
                    await turn.wait()
            if state is not None and self._events.losses != losses:
                losses, answer = self._events.losses, None
                if state.get("Running"):
                    continue
                await self._copy_from_start(life)
                life_output(life).note(
                    "the Docker engine was away when this ended; what was printed meanwhile may "
                    "be missing"
                )
            return state

    async def _copy_from_start(self, life: _Life) -> None:
        """Read the engine's own copy, and on, to the container's end or the engine's."""
        life_output(life).begin_again()
        query = {"follow": "1", "stdout": "1", "stderr": "1"}
        try:
            async with asking(
                self._require().socket, "GET", f"/containers/{life.job.attempt}/logs", query
            ) as answer:
                await self._copy(life, answer)
        except (EngineAway, EngineRefused):
            pass  # whoever looks at the container next sees why

    async def _copy(self, life: _Life, answer: Answer) -> None:
        demultiplexer, output = Demultiplexer(), life_output(life)
        while data := await answer.receive():
            parts = demultiplexer.feed(data)
            await run_sync(output.write, parts, limiter=self._disk)

    async def _look(self, life: _Life) -> Mapping[str, Any] | None:
        """The container's `State`; None when it is gone. Waits for an engine that is away;
        EngineAway when it stays so."""
        assert self._calls is not None, "an engine was found before anything ran"
        with trio.move_on_after(ENGINE_RETURN_S):
            while True:
                try:
                    state: Mapping[str, Any] = (await self._calls.inspect(life.job.attempt))["State"]
                    return state
                except EngineRefused as refused:
                    if refused.status == 404:
                        return None
                    raise
                except EngineAway:
                    await trio.sleep(LOOK_FOR_ENGINE_S)
        raise EngineAway(
            f"it did not come back within {ENGINE_RETURN_S:.0f} s; the container may still run"
        )

    async def _signal(self, life: _Life, signal: str) -> None:
        assert self._calls is not None, "an engine was found before anything ran"
        try:
            await self._calls.kill(life.job.attempt, signal)
            life.stopped = True
        except EngineRefused:
            pass  # it has ended by itself, or is gone
        except EngineAway:
            life.stopped = True  # nobody knows; whatever comes, it was to end

    def _end(
        self, life: _Life, state: Mapping[str, Any] | None, *, engine_left: bool
    ) -> EngineEnded:
        outcome = answers.how_it_ended(
            state,
            stopped=life.stopped,
            engine_left=engine_left,
            memory_bytes=life.job.task.resources.memory_bytes,
        )
        return _ended(life, *outcome)

    # --- what is not ours any more ----------------------------------------------------------------

    async def _own_containers(self) -> tuple[AttemptId, ...]:
        filters = {"label": [f"{LABEL_NODE}={self._labels[LABEL_NODE]}"]}
        query = {"all": "1", "filters": json.dumps(filters)}
        containers = await ask(self._require().socket, "/containers/json", query)
        return tuple(AttemptId(one["Labels"][LABEL_ATTEMPT]) for one in containers)

    async def _remove_strays(self) -> None:
        for attempt in await self.survivors():
            if attempt not in self._held:
                await self.release(attempt)
