"""Does to a world what a plan says: clients' wishes and faults, each at its time."""

from __future__ import annotations

from sim.faults import (
    FOR_GOOD,
    Action,
    Crash,
    Cut,
    Intend,
    Jump,
    Kill,
    OldDisk,
    Plan,
    Role,
    Split,
    Stall,
    Stop,
    Submit,
)
from sim.world import Ask, Machine, World


class Actor:
    """The plan of one run, scheduled on the clock of its world."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.asks: list[Ask] = []
        """What clients asked for."""
        self.dead: dict[str, None] = {}
        """Machines that stay down."""
        self.done: list[Action] = []
        """What was really done, in order."""
        self._world = world
        for action in plan.actions:
            self._schedule(action)

    def _schedule(self, action: Action) -> None:
        self._world.clock.at(action.at_s, lambda: self.act(action))

    def act(self, action: Action) -> None:
        """Do this now."""
        world = self._world
        self.done.append(action)
        match action:
            case Submit(machine=machine, document=document):
                self.asks.append(world.submit(machine, document))
            case Stop(machine=machine, job=job):
                self.asks.append(world.stop(machine, job))
            case Split(sides=sides, duration_s=duration_s):
                world.split(sides)
                self._heal_later(duration_s)
            case Cut(ways=ways, duration_s=duration_s):
                world.cut(ways)
                self._heal_later(duration_s)
            case Crash():
                self._crash(action)
            case Kill(role=role):
                victim = _who(role, world.at_work())
                if victim is None:
                    self.done.pop()
                else:
                    self._crash(Crash(action.at_s, victim, None, 0, action.down_s))
            case OldDisk(machine=machine, writes=writes):
                self._replace_disk(machine, writes)
                self._restart_later(machine, action.down_s)
            case Stall(machine=machine, duration_s=duration_s):
                world.stall(machine)
                world.clock.after(duration_s, lambda: world.resume(machine))
            case Jump(machine=machine, ahead_ms=ahead_ms):
                world.jump(machine, ahead_ms)
            case Intend(machine=machine, node=node, intent=intent, deadline_s=deadline_s):
                self.asks.append(world.intend(machine, node, intent, deadline_s=deadline_s))

    def _heal_later(self, wait_s: float) -> None:
        """Unless another fault of the network has come meanwhile."""
        splits = self._world.network.splits

        def heal() -> None:
            if self._world.network.splits == splits:
                self._world.heal()

        self._world.clock.after(wait_s, heal)

    def _crash(self, crash: Crash) -> None:
        machine = self._world.machines[crash.machine]
        if crash.boundary is not None:
            machine.drive.arm(crash.boundary, crash.writes)
        elif machine.up:
            self._world.crash(crash.machine)
        if crash.down_s == FOR_GOOD:
            self.dead[crash.machine] = None
        else:
            self._restart_later(crash.machine, crash.down_s)

    def _replace_disk(self, name: str, writes: int) -> None:
        if self._world.machines[name].up:
            self._world.crash(name)
        self._world.roll_back(name, writes)

    def _restart_later(self, name: str, wait_s: float) -> None:
        def restart() -> None:
            if not self._world.machines[name].up and name not in self.dead:
                self._world.restart(name)

        self._world.clock.after(wait_s, restart)


def _who(role: Role, machines: list[Machine]) -> str | None:
    """The machine with this part in the first active job that the first machine knows."""
    names = {one.node: one.name for one in machines}
    if not machines:
        return None
    facts = machines[0].running.facts
    for job in sorted(facts.active):
        view = facts.view.jobs[job]
        if role is Role.OWNER:
            nodes = [] if view.owner is None else [view.owner[1]]
        else:
            nodes = [attempt.node for attempt in view.live_attempts()]
        for node in nodes:
            if node in names:
                return names[node]
    return None
