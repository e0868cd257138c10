"""The Docker engine: containers that outlive the node's process.

A container is named by its attempt and labelled with cluster and node; others are never touched. It
stays until `release`: whoever crashes before its result is durable finds it again by `adopt`. The
Docker SDK makes the calls, in threads; what streams is read on trio.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import trio
from trio.to_thread import run_sync

from runtime.attempt import EngineEnded
from runtime.engines import docker_answers as answers
from runtime.engines.docker_client import DockerCalls, EngineFacts, find_engine, real_path
from runtime.engines.docker_container import ENGINE_RETURN_S, Container
from runtime.engines.docker_events import AGAIN_S, EventStream
from runtime.engines.docker_options import (
    LABEL_ATTEMPT,
    LABEL_CLUSTER,
    LABEL_NODE,
    CannotRun,
    Image,
    create_options,
    image_name,
)
from runtime.engines.docker_pull import pull_image
from runtime.engines.docker_wire import EngineAway, EngineRefused, ask, asking
from runtime.ports import EngineJob, EngineReport, EngineSetup
from scheduler.ids import AttemptId
from scheduler.jobs import Failure
from storage.errors import disk_full_words, is_disk_full

STOP_PATIENCE_S = 30.0
"""After which an engine that does not carry out a stop is told to be at fault."""
FIRST_EVENTS_S = 2.0
"""Without events an end is seen by looking: later, but seen."""
OUTPUT_THREADS = 4
"""Disks take no more at once; the default limiter must not be used up by slow ones."""


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
        self._known: DockerCalls | None = None
        self._facts: EngineFacts | None = None
        """Of the engine that answered when it was asked last."""
        self._lives: dict[AttemptId, Container] = {}
        self._held: set[AttemptId] = set()
        """Attempts whose containers must stay: begun or adopted by us, not released yet."""
        self._told: dict[AttemptId, EngineEnded] = {}
        """Ends that may not have been written down."""
        self._sweeping = False
        self._wanted = trio.Event()
        self._events = EventStream(f"{LABEL_NODE}={node}")
        self._disk = trio.CapacityLimiter(OUTPUT_THREADS)

    async def probe(self) -> EngineReport:
        """Ask the engine for its version; cheap, to be repeated."""
        try:
            _, facts = await self._find()
        except EngineAway as error:
            return EngineReport(available=False, detail=_absent(error))
        kind = "podman " if facts.podman else ""
        return EngineReport(available=True, version=kind + facts.version)

    async def serve(self) -> None:
        """Follow events from the first use on."""
        await self._wanted.wait()
        async with trio.open_nursery() as nursery:

            def connected() -> None:
                if self._sweeping:
                    nursery.start_soon(self._remove_strays)

            await self._events.serve(lambda: self._calls.socket, connected)

    async def run(self, job: EngineJob, started: Callable[[], None]) -> EngineEnded:
        """Run one container to its end. Cancelled, the container runs on, for `adopt`."""
        ended = await self._live(job, lambda life: self._run(life, started))
        assert ended is not None, "only what was to be adopted may not be there"
        return ended

    async def adopt(self, job: EngineJob, started: Callable[[float], None]) -> EngineEnded | None:
        """Go on with the container of an earlier agent; None where it never began."""
        if (told := self._told.get(job.attempt)) is not None:
            return told
        return await self._live(job, lambda life: self._adopt(life, started))

    async def stop(self, attempt: AttemptId, grace_s: float) -> None:
        """TERM, and KILL after the grace; what has not begun is given up at once."""
        life = self._lives.get(attempt)
        if life is None:
            return
        if life.begun:
            with trio.move_on_after(STOP_PATIENCE_S):
                await life.running.wait()
                await life.signal(self._calls, "SIGTERM")
                with trio.move_on_after(grace_s):
                    await life.done.wait()
                    return
                await life.signal(self._calls, "SIGKILL")
                await life.done.wait()
        life.scope.cancel()

    async def release(self, attempt: AttemptId) -> None:
        """Remove the container: its result is durable, or nobody wants it."""
        self._held.discard(attempt)
        self._told.pop(attempt, None)
        await self._remove(attempt)

    async def _remove(self, attempt: AttemptId) -> None:
        if self._known is None:
            return
        try:
            await self._known.remove(attempt)
        except (EngineAway, EngineRefused):
            pass  # it is not there; or the engine is not: then it is swept once that is back

    async def survivors(self) -> tuple[AttemptId, ...]:
        """Attempts of this node that have a container, in any state."""
        try:
            calls, _ = await self._find()
            return await self._own_containers(calls.socket)
        except (EngineAway, EngineRefused):
            return ()

    async def images(self) -> tuple[str, ...]:
        """Images that the engine has, by tag, or by digest where they have no tag."""
        try:
            calls, _ = await self._find()
            return answers.image_names(await ask(calls.socket, "/images/json"))
        except (EngineAway, EngineRefused):
            return ()

    async def sweep(self) -> None:
        """Remove own containers that no run and no adoption holds: now, and whenever the engine
        comes back."""
        self._sweeping = True
        await self._remove_strays()

    # --- one container ----------------------------------------------------------------------------

    async def _live(
        self, job: EngineJob, live: Callable[[Container], Awaitable[EngineEnded | None]]
    ) -> EngineEnded | None:
        life = self._lives[job.attempt] = Container(job, self._events, self._disk)
        self._held.add(job.attempt)
        try:
            with life.scope:
                return await live(life)
            return await self._given_up(life)
        except trio.Cancelled:
            self._held.discard(job.attempt)  # this life of the node ends: the next one decides
            raise
        except CannotRun as error:
            return life.ended(None, error.failure.value, str(error))
        except EngineAway as error:
            return life.ended(None, Failure.ENGINE.value, f"The Docker engine left: {error}.")
        except EngineRefused as error:
            words = answers.plain_words(error.words)
            return life.ended(None, Failure.ENGINE.value, f"The Docker engine refused: {words}.")
        except OSError as error:
            return await self._unkept(life, error)
        finally:
            life.output.close()
            self._events.forget(job.attempt)
            del self._lives[job.attempt]
            life.running.set()
            life.done.set()

    async def _unkept(self, life: Container, error: OSError) -> EngineEnded:
        """Nobody can keep what it prints. A disk that is full may not take that down either: a
        member that is built again after it is told the same."""
        attempt = life.job.attempt
        sentence = f"The container's files cannot be used: {error.strerror}."
        if is_disk_full(error):
            words = disk_full_words(life.job.log.parent)
            sentence = f"What the container printed could not be kept: {words}"
        ended = self._told[attempt] = life.ended(None, Failure.ENGINE.value, sentence)
        self._held.discard(attempt)
        if life.begun:
            await self._remove(attempt)
        return ended

    async def _given_up(self, life: Container) -> EngineEnded:
        if life.begun:
            sentence = "The Docker engine did not end the container when asked: it may still run."
            return life.ended(None, Failure.ENGINE.value, sentence)
        await self.release(life.job.attempt)
        return life.ended(None, "", "Ended at our asking before the container began.")

    async def _run(self, life: Container, started: Callable[[], None]) -> EngineEnded:
        job = life.job
        calls, facts = await self._ready()
        await self._create(calls, facts, life)
        async with asking(
            facts.socket,
            "POST",
            f"/containers/{job.attempt}/attach",
            {"stream": "1", "stdout": "1", "stderr": "1"},
        ) as answer:
            life.begun = True
            try:
                await calls.start(job.attempt)
            except EngineRefused as refused:
                raise answers.not_started(image_name(job), refused) from None
            life.running.set()
            started()
            return await life.follow(calls, answer)

    async def _adopt(self, life: Container, started: Callable[[float], None]) -> EngineEnded | None:
        with trio.move_on_after(ENGINE_RETURN_S):
            # A machine that boots starts both of us; a socket to come cannot be waited on.
            while not (await self.probe()).available:  # noqa: ASYNC110
                await trio.sleep(AGAIN_S)
        calls, _ = await self._ready()
        state = await life.look(calls)
        if state is None or state.get("Status") == "created":
            await self.release(life.job.attempt)
            return None
        life.begun = True
        life.running.set()
        started(answers.ran_for_s(state, time.time()))
        return await life.follow(calls, None)

    async def _ready(self) -> tuple[DockerCalls, EngineFacts]:
        try:
            found = self._found() or await self._find()
        except EngineAway as error:
            raise CannotRun(Failure.ENGINE, _absent(error)) from None
        self._wanted.set()
        with trio.move_on_after(FIRST_EVENTS_S):
            await self._events.connected()
        return found

    def _found(self) -> tuple[DockerCalls, EngineFacts] | None:
        """The engine that answered when it was asked last and whose events come: it need not be
        asked again. None where it is not sure to be there."""
        if self._known is None or self._facts is None or not self._events.is_connected:
            return None
        return self._known, self._facts

    async def _find(self) -> tuple[DockerCalls, EngineFacts]:
        try:
            facts = self._facts = await find_engine(self._environment)
        except EngineAway:
            self._facts = None
            raise
        if self._known is None or self._known.socket != facts.socket:
            self._known = DockerCalls(facts.socket)
        return self._known, facts

    @property
    def _calls(self) -> DockerCalls:
        assert self._known is not None, "nothing runs before an engine was found"
        return self._known

    async def _image(self, calls: DockerCalls, life: Container, name: str) -> Mapping[str, Any]:
        """What the engine knows of an image, once it has it."""
        if (known := await _unless_missing(calls, name)) is not None:
            return known
        life.job.preparing(f"The engine is pulling the image {name}.")
        await life.note(f"pulling {name}")
        await pull_image(calls.socket, name, await calls.registry_login(name), life.note)
        if (known := await _unless_missing(calls, name)) is not None:
            return known
        raise answers.not_pulled(name, "the pull broke off")

    async def _create(self, calls: DockerCalls, facts: EngineFacts, life: Container) -> None:
        job, name = life.job, image_name(life.job)
        raw = await self._image(calls, life, name)
        image = Image(raw["Os"], raw["Architecture"], (raw.get("Config") or {}).get("User") or "")
        answers.check_platform(name, image, facts)
        if job.inputs or job.outputs:
            job = await run_sync(_prepare_mounts, job, limiter=self._disk)
        options = create_options(
            job, labels=self._labels, user=_user(image, facts), podman=facts.podman
        )
        try:
            await calls.create(job.attempt, options)
        except EngineRefused as refused:
            raise answers.not_created(name, refused) from None

    # --- what is not ours any more ----------------------------------------------------------------

    async def _own_containers(self, socket: str) -> tuple[AttemptId, ...]:
        filters = {"label": [f"{LABEL_NODE}={self._labels[LABEL_NODE]}"]}
        query = {"all": "1", "filters": json.dumps(filters)}
        containers = await ask(socket, "/containers/json", query)
        return tuple(AttemptId(one["Labels"][LABEL_ATTEMPT]) for one in containers)

    async def _remove_strays(self) -> None:
        for attempt in await self.survivors():
            if attempt not in self._held:
                await self.release(attempt)


async def _unless_missing(calls: DockerCalls, name: str) -> Mapping[str, Any] | None:
    """What the engine knows of an image; None when it has none."""
    try:
        return await calls.inspect_image(name)
    except EngineRefused as refused:
        if refused.status != 404:
            raise
    return None


def _prepare_mounts(job: EngineJob) -> EngineJob:
    """The same job with paths that the engine sees too, and result folders that a program without
    any capability can write, whoever it runs as: the folder around them is closed to others."""
    for output in job.outputs:
        os.chmod(output.host, 0o777)
    inputs = tuple(replace(one, host=real_path(one.host)) for one in job.inputs)
    return replace(job, inputs=inputs)


def _user(image: Image, facts: EngineFacts) -> str:
    """Who the program runs as, "" for the image's own choice. A node that is not root must be able
    to read and remove what a container leaves; an engine that is not root sees to that itself."""
    if image.user or os.getuid() == 0 or not facts.root:
        return ""
    return f"{os.getuid()}:{os.getgid()}"


def _absent(error: EngineAway) -> str:
    return f"No Docker engine can be used here: {error}."
