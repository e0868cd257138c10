"""The one event stream for all containers of this node: who waits for a container waits here."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import trio

from runtime.engines.docker_wire import EngineAway, EngineRefused, JsonLines, asking

AGAIN_S = 0.2
"""Between two tries to reach an engine that went away: seen to be back well within a second."""


class EventStream:
    """Ends of containers, and whether the engine is there."""

    def __init__(self, label: str) -> None:
        self._label = label
        """Only events of containers with it (`name=value`) are asked for."""
        self._turns: dict[str, trio.Event] = {}
        self._exit_codes: dict[str, int] = {}
        self._connected = trio.Event()
        self.losses = 0
        """How often the engine went away."""

    def watch(self, container: str) -> None:
        """From now on nothing of this container is missed by `turn`."""
        self._turns[container] = trio.Event()

    async def turn(self, container: str) -> None:
        """Wait until it ends, or the engine goes away or is back: time to look again. What happened
        since the last turn counts."""
        await self._turns[container].wait()
        self._turns[container] = trio.Event()

    def forget(self, container: str) -> None:
        """Nobody waits for it any more."""
        self._turns.pop(container, None)
        self._exit_codes.pop(container, None)

    def exit_code(self, container: str) -> int | None:
        """What it ended with; None where no event has said so."""
        return self._exit_codes.get(container)

    @property
    def is_connected(self) -> bool:
        """Whether events come now."""
        return self._connected.is_set()

    async def connected(self) -> None:
        """Wait until events come."""
        await self._connected.wait()

    async def serve(self, socket: Callable[[], str], on_connect: Callable[[], None]) -> None:
        """Follow the engine's events for ever, over any number of its lives."""
        while True:
            try:
                await self._follow(socket(), on_connect)
            except (EngineAway, EngineRefused):
                pass
            await trio.sleep(AGAIN_S)

    async def _follow(self, socket: str, on_connect: Callable[[], None]) -> None:
        filters = {"type": ["container"], "event": ["die", "destroy"], "label": [self._label]}
        async with asking(socket, "GET", "/events", {"filters": json.dumps(filters)}) as answer:
            self._connected.set()
            self._wake_all()
            on_connect()
            try:
                events = JsonLines(answer)
                while (event := await events.next()) is not None:
                    self._wake(event)
            finally:
                self.losses += 1
                self._connected = trio.Event()
                self._wake_all()

    def _wake(self, event: Any) -> None:
        try:
            facts = event["Actor"]["Attributes"]
            name = facts["name"]
        except (KeyError, TypeError):
            return
        if name in self._turns:
            self._turns[name].set()
            code = str(facts.get("exitCode", ""))
            if event.get("Action") == "die" and code.isdecimal():
                self._exit_codes[name] = int(code)

    def _wake_all(self) -> None:
        for turn in self._turns.values():
            turn.set()
