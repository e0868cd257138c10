"""Readable histories: a command at column 0, and below it, indented, what it must print.

    # comment
    cluster a b c                                 machines, started, given time to find each other
    submit NAME at NODE [duration 2s] [count 3]   prints what the client is told
    stop NAME at NODE                             the same
    cordon NODE at NODE / uncordon NODE at NODE   the same
    drain NODE at NODE [within 5s]                the same
    split a b | c                                 a machine may stand on two sides
    heal
    crash NODE / restart NODE
    advance 5s
    state NAME                                    how the job stands at each machine
    accepted NAME                                 where each slot's accepted result was made

Answers that are the same on all machines are printed once, under `everyone`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mesh.member.commands import IntentTaken, JobReading, Problem, Reply, StopTaken, Submitted
from scheduler.intents import CORDONED, DRAINING
from sim.clock import WALL_START_MS
from sim.judges.accepted import Accepted
from sim.judges.durability import Durability
from sim.judges.oracle import Oracle
from sim.trust import issue
from sim.watcher import Watchers
from sim.world import Ask, World, WorldSettings, script

MEET_S = 2.0
"""A cluster of a few finds itself in a third of this."""
PATIENCE_S = 5.0
"""How long a client of a scenario waits for an answer."""


class ScenarioError(ValueError):
    """A line that is no command; the sentence says which and why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command, the lines before it that are none, and what must come of it."""

    number: int
    """Of its line, from 1."""
    lead: tuple[str, ...]
    command: str
    expected: tuple[str, ...]


def parse(text: str) -> tuple[list[Step], tuple[str, ...]]:
    """The steps of a scenario, and what stands after the last; ScenarioError."""
    steps: list[Step] = []
    lead: list[str] = []
    command, number, expected = "", 0, list[str]()

    def close() -> None:
        nonlocal lead, expected
        if command:
            steps.append(Step(number, tuple(lead), command, tuple(expected)))
            lead, expected = [], []

    after: list[str] = []
    for line_number, line in enumerate(text.splitlines(), 1):
        if line.startswith(" "):
            if not command or after:
                raise ScenarioError(f"line {line_number}: this belongs to no command: {line}")
            expected.append(line.strip())
        elif not line or line.startswith("#"):
            after.append(line)
        else:
            close()
            lead, after = after, []
            command, number = line, line_number
    close()
    return steps, tuple(after)


def run(text: str, *, seed: int = 1) -> str:
    """The same scenario with what really came of each command.

    Raises ScenarioError, and `Wrong` when a judge looked on and saw something.
    """
    steps, after = parse(text)
    player = _Player(seed)
    lines: list[str] = []
    for step in steps:
        try:
            printed = player.perform(step.command.split())
        except ScenarioError as error:
            raise ScenarioError(f"line {step.number}: {error}") from error
        lines += [*step.lead, step.command, *(f"  {line}" for line in printed)]
    return "\n".join([*lines, *after]) + "\n"


class _Player:
    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._world: World | None = None

    @property
    def world(self) -> World:
        if self._world is None:
            raise ScenarioError("begin with `cluster` and the names of its machines")
        return self._world

    def perform(self, words: list[str]) -> list[str]:
        act = _COMMANDS.get(words[0])
        if act is None:
            raise ScenarioError(f"{words[0]!r} is none of {', '.join(_COMMANDS)}")
        return act(self, words[1:])

    def cluster(self, names: list[str]) -> list[str]:
        if not names or len(set(names)) < len(names):
            raise ScenarioError("`cluster` takes the names of its machines, each once")
        oracle = Oracle(issue(name, not_before_ms=WALL_START_MS) for name in names)
        judges = Watchers(oracle, Durability(oracle), Accepted(oracle))
        self._world = World(WorldSettings(self._seed, tuple(names)), judges)
        self.world.start()
        self.world.advance(MEET_S)
        return []

    def submit(self, words: list[str]) -> list[str]:
        name, place = self._job_at("submit", words[:3])
        options = _options(words[3:], duration="1s", count="1")
        document = script(
            name,
            duration_ms=round(_seconds(options["duration"]) * 1000),
            count=int(options["count"]),
        )
        return [self._told(self.world.submit(place, document))]

    def stop(self, words: list[str]) -> list[str]:
        name, place = self._job_at("stop", words)
        return [self._told(self.world.stop(place, name))]

    def cordon(self, words: list[str]) -> list[str]:
        return self._intend("cordon", words, CORDONED)

    def uncordon(self, words: list[str]) -> list[str]:
        return self._intend("uncordon", words, "")

    def drain(self, words: list[str]) -> list[str]:
        return self._intend("drain", words, DRAINING)

    def _intend(self, command: str, words: list[str], intent: str) -> list[str]:
        if len(words) < 3 or words[1] != "at":
            raise ScenarioError(f"`{command}` is written: {command} NODE at NODE")
        node, place = self._machine(words[0]), self._machine(words[2])
        deadline_s = round(_seconds(_options(words[3:], within="0s")["within"]))
        return [self._told(self.world.intend(place, node, intent, deadline_s=deadline_s))]

    def split(self, words: list[str]) -> list[str]:
        sides = [side.split() for side in " ".join(words).split("|")]
        for name in (name for side in sides for name in side):
            self._machine(name)
        self.world.split(sides)
        return []

    def heal(self, words: list[str]) -> list[str]:
        self.world.heal()
        return []

    def crash(self, words: list[str]) -> list[str]:
        name = self._machine(_one(words))
        if not self.world.machines[name].up:
            raise ScenarioError(f"{name} is down already")
        self.world.crash(name)
        return []

    def restart(self, words: list[str]) -> list[str]:
        name = self._machine(_one(words))
        if self.world.machines[name].up:
            raise ScenarioError(f"{name} is up; crash it first")
        self.world.restart(name)
        return []

    def advance(self, words: list[str]) -> list[str]:
        self.world.advance(_seconds(_one(words)))
        return []

    def state(self, words: list[str]) -> list[str]:
        return self._everywhere(_one(words), lambda job: job.state.value)

    def accepted(self, words: list[str]) -> list[str]:
        return self._everywhere(_one(words), _accepted)

    def _everywhere(self, name: str, show: Callable[[JobReading], str]) -> list[str]:
        said: dict[str, str] = {}
        for machine in list(self.world.machines):
            ask = self.world.read(machine, name)
            self.world.wait(ask, PATIENCE_S)
            if isinstance(ask.answer, JobReading):
                said[machine] = show(ask.answer)
            else:
                said[machine] = "down" if ask.lost else "unknown job"
        if len(set(said.values())) == 1:
            return [f"everyone: {next(iter(said.values()))}"]
        return [f"{machine}: {what}" for machine, what in said.items()]

    def _told(self, ask: Ask) -> str:
        self.world.wait(ask, PATIENCE_S)
        return "no answer" if ask.answer is None else _reply(ask.answer)

    def _job_at(self, command: str, words: list[str]) -> tuple[str, str]:
        if len(words) != 3 or words[1] != "at":
            raise ScenarioError(f"`{command}` is written: {command} NAME at NODE")
        return words[0], self._machine(words[2])

    def _machine(self, name: str) -> str:
        if name not in self.world.machines:
            raise ScenarioError(f"no machine is called {name}")
        return name


_COMMANDS: Mapping[str, Callable[[_Player, list[str]], list[str]]] = {
    "cluster": _Player.cluster,
    "submit": _Player.submit,
    "stop": _Player.stop,
    "cordon": _Player.cordon,
    "uncordon": _Player.uncordon,
    "drain": _Player.drain,
    "split": _Player.split,
    "heal": _Player.heal,
    "crash": _Player.crash,
    "restart": _Player.restart,
    "advance": _Player.advance,
    "state": _Player.state,
    "accepted": _Player.accepted,
}


def _reply(reply: Reply) -> str:
    match reply:
        case Submitted():
            return "acknowledged"
        case StopTaken(already=already):
            return "stopped already" if already else "stop taken"
        case IntentTaken(already=already):
            return "wanted already" if already else "taken"
        case Problem(code, status=status):
            return f"refused: {status} {code}"
    return type(reply).__name__


def _accepted(job: JobReading) -> str:
    by_index = {one.index: one.node_name for one in job.attempts if one.accepted}
    slots = sum(job.counts.values())
    return " ".join(by_index.get(index, "-") for index in range(slots)) or "-"


def _options(words: list[str], **defaults: str) -> dict[str, str]:
    options = dict(defaults)
    if len(words) % 2:
        raise ScenarioError(f"an option and its value are two words, not {' '.join(words)}")
    for name, value in zip(words[::2], words[1::2], strict=True):
        if name not in defaults:
            raise ScenarioError(f"{name!r} is none of {', '.join(defaults)}")
        options[name] = value
    if not options.get("count", "1").isdecimal():
        raise ScenarioError(f"count is a number, not {options['count']}")
    return options


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", text)
    if match is None:
        raise ScenarioError(f"{text!r} is no duration such as 500ms, 5s or 2m")
    return float(match[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[match[2]]


def _one(words: list[str]) -> str:
    if len(words) != 1:
        raise ScenarioError(f"one word is wanted here, not {' '.join(words) or 'none'}")
    return words[0]
