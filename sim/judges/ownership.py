"""I12, no attempt is accepted below the fence its node knows. I13, one owner in each component."""

from __future__ import annotations

from mesh.member.absence import TAKEOVER_AFTER_S
from mesh.member.events import Persist
from scheduler.ids import AttemptId, Dot, JobId, NodeId
from scheduler.jobs import AttemptState
from scheduler.ownership import takeover_wait_s
from scheduler.records import Kind, Record
from sim.judges.oracle import Oracle
from sim.quiet import Quiet
from sim.watcher import Watcher, Wrong
from sim.world import Machine, World

Claim = tuple[int, NodeId]
AGREE_S = 5.0
"""On top of the wait before a takeover, for its word to reach everybody."""
NOTICE_S = 15.0
"""Before it: hosts that fall silent are found out within 5 s, twice as late by a machine that
hears all others and is heard by none, and once more where it lost over half of them at once."""
AGREE_LOSSY_S = 15.0
"""Where packets are lost a word may take twice its longest delay of six seconds."""


class Fences(Watcher):
    """Reads what each machine writes, and holds it against the claims it had on its disk."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._claims: dict[str, dict[tuple[JobId, Dot], Claim]] = {}
        """By machine: the greatest claim on each birth of a job."""
        self._births: dict[str, dict[Dot, None]] = {}

    def written(self, machine: Machine, persist: Persist) -> None:
        """Own records were written after all that earlier writes held had been read."""
        for dot, record in self._oracle.own_records(machine, persist):
            self._check(machine, record)
            self._learn(machine, dot, record)
        for envelope in persist.envelopes:
            for dot, record in self._oracle.records(envelope):
                self._learn(machine, dot, record)

    def rolled_back(self, machine: Machine) -> None:
        self._claims.pop(machine.name, None)
        self._births.pop(machine.name, None)
        for persist in machine.drive.disk.written():
            for envelope in persist.envelopes:
                for dot, record in self._oracle.records(envelope):
                    self._learn(machine, dot, record)

    def _learn(self, machine: Machine, dot: Dot, record: Record) -> None:
        body = record.body
        if record.kind == Kind.JOB_CREATED:
            self._births.setdefault(machine.name, {})[dot] = None
        elif record.kind == Kind.OWNER_CLAIMED:
            claims = self._claims.setdefault(machine.name, {})
            key, claim = (body["job"], body["birth"]), (body["term"], dot.author)
            claims[key] = max(claims.get(key, claim), claim)

    def _check(self, machine: Machine, record: Record) -> None:
        accepts = record.kind == Kind.ATTEMPT_OBSERVED
        if not accepts or record.body["state"] != AttemptState.ACCEPTED:
            return
        attempt: AttemptId = record.body["attempt"]
        placed = self._oracle.placed[attempt]
        births = self._births.get(machine.name, {})
        known = [
            claim
            for (job, birth), claim in self._claims.get(machine.name, {}).items()
            if job == placed.job and birth in births
        ]
        fence = max(known, default=(0, NodeId("")))
        if (placed.term, placed.owner) < fence:
            raise Wrong(
                "I12",
                f"{machine.name} accepted {attempt} of term {placed.term} by {placed.owner}, and "
                f"knew term {fence[0]} of {fence[1]}",
            )


class Owners(Watcher):
    """Looks once a second at who owns each active job, wherever nothing happens any more."""

    def __init__(self, quiet: Quiet) -> None:
        self._quiet = quiet
        self._wrong_since_s: dict[tuple[str, JobId], float] = {}

    def looked(self, world: World) -> None:
        since_s: dict[tuple[str, JobId], float] = {}
        for component in world.components():
            names = " ".join(one.name for one in component)
            for job, claims in _active(component).items():
                sentence, term = _disagreement(component, claims)
                if sentence:
                    key = (names, job)
                    since_s[key] = self._wrong_since_s.get(key, world.now_s)
                    self._check(world, since_s[key], term, f"{job}: {sentence}")
        self._wrong_since_s = since_s

    def _check(self, world: World, since_s: float, term: int, sentence: str) -> None:
        lossy = world.network.settings.loss > 0 or world.settings.drive.slow_s >= AGREE_S / 10
        agree_s = NOTICE_S + (AGREE_LOSSY_S if lossy else AGREE_S)
        wait_s = takeover_wait_s(TAKEOVER_AFTER_S, term) + agree_s
        if world.now_s - max(since_s, self._quiet.since_s) > wait_s:
            raise Wrong("I13", f"{wait_s:.0f} s after the last change {sentence}")


def _active(component: list[Machine]) -> dict[JobId, dict[str, Claim | None]]:
    """Jobs that have not ended for all that some machine knows -> who owns them, by machine."""
    found: dict[JobId, dict[str, Claim | None]] = {}
    for machine in component:
        facts = machine.running.facts
        for job in facts.active:
            found[job] = {}
    for job, claims in found.items():
        for machine in component:
            known = machine.running.facts.view.jobs.get(job)
            if known is not None:
                claims[machine.name] = known.owner
    return found


def _disagreement(component: list[Machine], claims: dict[str, Claim | None]) -> tuple[str, int]:
    """What is wrong with these owners, "" for nothing; and the greatest term among them."""
    nodes = {one.node: one.name for one in component}
    term = max((claim[0] for claim in claims.values() if claim is not None), default=1)
    if len(set(claims.values())) > 1:
        told = {name: claim and claim[0] for name, claim in claims.items()}
        return f"its owners by {told} differ", term
    owner = next(iter(claims.values()))
    if owner is None or owner[1] not in nodes:
        return f"nobody of {' '.join(nodes.values())} owns it", term
    return "", term
