"""I21: who has heard that a machine is cordoned or drained gives it no work, a drain ends in time.

And what operators said last holds everywhere in the end. All of it is held against the words on the
disks, folded here once more.
"""

from __future__ import annotations

from collections.abc import Mapping

from mesh.member.commands import IntentTaken
from mesh.member.events import Persist
from mesh.member.intent import WORDS
from scheduler.ids import AttemptId, Dot, NodeId
from scheduler.instant import Hlc
from scheduler.intents import CORDONED, DRAINING, NodeIntent
from scheduler.jobs import AttemptState, Refusal
from scheduler.records import Kind, Record
from sim.judges.oracle import Oracle
from sim.watcher import Watcher, Wrong
from sim.world import Ask, Machine, World

CLOSED = (CORDONED, DRAINING)
DRAINED_S = 8.0
"""From the end of a drain's time to the end of what ran: late turns, writes on a slow disk."""
_NOTHING = NodeIntent(0, Hlc(0), Dot(NodeId(""), 0, 0), "none")


class Intents(Watcher):
    """Folds the words on each disk, and looks at what each machine writes and runs."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._words: dict[str, dict[NodeId, NodeIntent]] = {}
        """By machine: the greatest word about each node on its disk."""
        self._said: dict[tuple[str, NodeId, str], None] = {}
        """(Machine, node, word): of all words on its disk."""
        self._late: dict[str, dict[AttemptId, None]] = {}
        """By machine: attempts placed there that came when its disk said that it takes none."""
        self._draining_since_s: dict[str, tuple[Dot, float]] = {}
        """By machine: what drains it, and since when its process, at work ever since, has known."""

    def standing(self, machine: Machine, node: NodeId) -> str:
        """`cordoned`, `draining` or "": the word about a node that holds for all this disk says."""
        return self._words.get(machine.name, {}).get(node, _NOTHING).standing

    def waits_for_all(self, machine: Machine, verdicts: Mapping[NodeId, str], world: World) -> bool:
        """Whether each machine that is up is closed, for all the owner knows and tells."""
        return all(
            verdicts.get(one.node) in (Refusal.CORDONED.value, Refusal.DRAINING.value)
            and self.standing(machine, one.node) in CLOSED
            for one in world.up()
        )

    # --- what is written --------------------------------------------------------------------------

    def written(self, machine: Machine, persist: Persist) -> None:
        """A record of its own was written after all that earlier writes held had been read; what
        came with this write may have been read or not."""
        words = self._words.setdefault(machine.name, {})
        before = dict(words)
        for envelope in persist.envelopes:
            for dot, record in self._oracle.records(envelope):
                self._learn(machine, dot, record, before)
        for _, record in self._oracle.own_records(machine, persist):
            if record.kind == Kind.ATTEMPT_PLACED:
                word = before.get(record.body["node"], _NOTHING)
                if word.standing and words[record.body["node"]] == word:
                    raise Wrong(
                        "I21",
                        f"{machine.name} places {record.body['attempt']} on {record.body['node']}, "
                        f"and knew that it was {word.standing}",
                    )
            elif record.kind == Kind.ATTEMPT_OBSERVED:
                self._check_begun(machine, record, before.get(machine.node, _NOTHING))

    def _learn(
        self, machine: Machine, dot: Dot, record: Record, before: Mapping[NodeId, NodeIntent]
    ) -> None:
        body, words = record.body, self._words[machine.name]
        if record.kind == Kind.NODE_INTENT:
            node, deadline_s = body["node"], body.get("deadline_s") or 0
            word = NodeIntent(body["number"], record.hlc, dot, body["intent"], "", deadline_s)
            words[node] = max(words.get(node, word), word)
            self._said[machine.name, node, body["intent"]] = None
            if not words[node].standing and node == machine.node:
                self._late.pop(machine.name, None)
        elif record.kind == Kind.ATTEMPT_PLACED and body["node"] == machine.node:
            word = before.get(machine.node, _NOTHING)
            if word.standing and words[machine.node] == word:
                self._late.setdefault(machine.name, {})[body["attempt"]] = None

    def _check_begun(self, machine: Machine, record: Record, word: NodeIntent) -> None:
        attempt, state = record.body["attempt"], record.body["state"]
        if state != AttemptState.ACCEPTED or self._words[machine.name].get(machine.node) != word:
            return
        late = attempt in self._late.get(machine.name, {})
        if word.standing and (late or word.standing == DRAINING):
            raise Wrong(
                "I21", f"{machine.name} accepts {attempt}, and knew that it was {word.standing}"
            )

    def rolled_back(self, machine: Machine) -> None:
        for known in (self._words, self._late):
            known.pop(machine.name, None)
        for key in [one for one in self._said if one[0] == machine.name]:
            del self._said[key]
        self._words[machine.name] = {}
        for persist in machine.drive.disk.written():
            for envelope in persist.envelopes:
                for dot, record in self._oracle.records(envelope):
                    self._learn(machine, dot, record, self._words[machine.name])

    def answered(self, machine: Machine, ask: Ask) -> None:
        taken = ask.answer
        if not isinstance(taken, IntentTaken) or taken.already:
            return
        if (machine.name, taken.node, WORDS[taken.intent]) not in self._said:
            raise Wrong("I3", f"{machine.name} took a word about {taken.node}, not on its disk")

    # --- time -------------------------------------------------------------------------------------

    def started(self, machine: Machine) -> None:
        self._draining_since_s.pop(machine.name, None)

    def looked(self, world: World) -> None:
        for machine in world.machines.values():
            word = self._words.get(machine.name, {}).get(machine.node, _NOTHING)
            knows = machine.up and _knows(machine, word)
            if machine.stalled or not knows or word.standing != DRAINING:
                self._draining_since_s.pop(machine.name, None)
                continue
            dot, since_s = self._draining_since_s.get(machine.name, (word.dot, world.now_s))
            if dot != word.dot:
                since_s = world.now_s
            self._draining_since_s[machine.name] = (word.dot, since_s)
            runs = machine.running.compute.running + machine.running.compute.queued
            over_s = world.now_s - since_s - word.deadline_s
            if runs and over_s > DRAINED_S:
                raise Wrong(
                    "I21",
                    f"{machine.name} was to be empty within {word.deadline_s} s and has {runs} "
                    f"attempts {over_s:.0f} s after that",
                )

    # --- in the end -------------------------------------------------------------------------------

    def at_rest(self, world: World) -> None:
        last: dict[NodeId, NodeIntent] = {}
        for machine in world.up():
            for node, word in self._words.get(machine.name, {}).items():
                last[node] = max(last.get(node, word), word)
        for machine in world.up():
            for node, word in last.items():
                held = machine.running.facts.view.intents.of(node)
                if held is None or held.dot != word.dot:
                    raise Wrong(
                        "I21", f"{machine.name} lacks the last word about {node}: {word.word}"
                    )


def _knows(machine: Machine, word: NodeIntent) -> bool:
    """It goes by this word: what has come and is not on its disk yet may be obeyed already."""
    held = machine.running.facts.view.intents.of(machine.node)
    return held is not None and held.dot == word.dot
