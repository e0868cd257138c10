"""Act two: the mesh is cut into three, each part goes on, and there is one answer at the end."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from examples.demo.act_one import summary_arguments
from examples.demo.stage import LOOK_S, DemoFailed, Node, Step, say, seconds_of, shown

SPLIT_S = 40.0
"""A node alone takes some 8 s to be sure that the others are away and to begin the work again."""
HEAL_S = 40.0
INDENT = " " * 7
FINAL = ("Completed", "Failed", "Stopped")


def act_two(nodes: Sequence[Node], watch: Path, module: Path, readings: Path) -> None:
    """The story; DemoFailed when a part of it does not hold."""
    bridge, galley, engine_room = nodes
    say("", "Act two: the cable breaks.", "")
    command = ["wasm", "run", str(watch), "--constraints", f"favour_name={galley.name}"]
    command += ["--output", "watch:/outputs"]
    say(f"At the {bridge.name}, a watch to keep for some seconds, best in the {galley.name}:")
    say(shown(command), "")
    with Step(f"it runs in the {galley.name}"):
        job = bridge.run(*command, "--no-wait", "--id-only").strip()
        _wait_running(bridge, job, galley.name)
    cut_s = time.time()
    _cut(bridge, galley, engine_room)
    say("Nobody knows what became of the others. Each goes on with what it has:", "")
    with Step(f"the {engine_room.name} took a new job and did it alone"):
        alone = engine_room.run(*summary_arguments(module, readings), "--id-only").strip()
    with Step(f"the {galley.name} took a new job whose data are elsewhere, and keeps it"):
        kept = galley.run(*summary_arguments(module, readings), "--no-wait", "--id-only").strip()
        waits = _wait_message(galley, kept)
    say(
        textwrap.fill(
            waits, 96, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False
        )
    )
    with Step("the watch was kept to its end on every side"):
        sides = [_wait_over(node, job) for node in nodes]
    say("", "The watch, as each side sees it:")
    for node, side in zip(nodes, sides, strict=True):
        say(f"  {node.name:<12} {_side(side, cut_s)}")
    say("", "The cable is mended:", shown(["faults", "heal"]), "")
    for node in nodes:
        node.run("faults", "heal")
    _settle(nodes, [job, alone, kept])
    _tell_answer(nodes, job)


def _cut(bridge: Node, galley: Node, engine_room: Node) -> None:
    say("", "All three are cut apart:")
    for node, others in ((bridge, (galley, engine_room)), (galley, (engine_room,))):
        command = ["faults", "cut", *(one.name for one in others)]
        say(f"{shown(command):<52} (at the {node.name})")
        node.run(*command)
    say("")


def _settle(nodes: Sequence[Node], jobs: Sequence[str]) -> None:
    deadline_s = time.monotonic() + HEAL_S
    with Step("they found each other again"):
        for node in nodes:
            node.wait_members(len(nodes), deadline_s)
    with Step(f"the {nodes[1].name}'s job ran where its data are, as soon as it could"):
        nodes[1].run("job", "wait", jobs[-1], timeout_s=HEAL_S)
    with Step("every node has confirmed every answer: settled"):
        for job in jobs:
            for node in nodes:
                node.run("job", "wait", "--settled", job, timeout_s=HEAL_S)


def _tell_answer(nodes: Sequence[Node], job: str) -> None:
    """One accepted execution, the same on every node; DemoFailed when not."""
    stories = [node.read("job", "describe", job) for node in nodes]
    accepted = [
        [one["ID"] for one in _executions(story) if one["Mesh"]["Accepted"]] for story in stories
    ]
    if len(accepted[0]) != 1 or accepted.count(accepted[0]) != len(nodes):
        raise DemoFailed(f"the nodes do not agree on one answer: {accepted}")
    done = _executions(stories[0])
    say("", "The watch, on all three nodes alike:")
    for one in done:
        which = "the answer" if one["Mesh"]["Accepted"] else "a duplicate, kept and not counted"
        elapsed_s = one["Mesh"]["ElapsedMs"] / 1000
        say(f"  {one['ID'][:10]}  {one['Mesh']['NodeName']:<12} {elapsed_s:4.1f} s   {which}")
    again_s = sum(one["Mesh"]["ElapsedMs"] for one in done if not one["Mesh"]["Accepted"]) / 1000
    say(
        "",
        f"What the split cost: {len(done) - 1} executions too many, {again_s:.1f} s of work again.",
        "Nothing was lost, and nobody had to wait for anybody.",
    )


def _executions(story: Any) -> list[Any]:
    return list(story["Executions"]["Items"])


def _wait_running(node: Node, job: str, name: str) -> None:
    deadline_s = time.monotonic() + SPLIT_S
    while time.monotonic() < deadline_s:
        executions = _executions(node.read("job", "describe", job))
        if any(one["Mesh"]["State"] == "Running" for one in executions):
            if executions[0]["Mesh"]["NodeName"] != name:
                where = executions[0]["Mesh"]["NodeName"]
                raise DemoFailed(f"the watch runs on {where}, not on {name}")
            return
        time.sleep(LOOK_S)
    raise DemoFailed("the watch did not begin")


def _wait_over(node: Node, job: str) -> Any:
    """The job as this node sees it, once it has ended there."""
    deadline_s = time.monotonic() + SPLIT_S
    while time.monotonic() < deadline_s:
        story = node.read("job", "describe", job)
        if story["Job"]["State"]["StateType"] in FINAL:
            return story
        time.sleep(LOOK_S)
    raise DemoFailed(f"the watch did not end for the {node.name}; see {node.log_path}")


def _wait_message(node: Node, job: str) -> str:
    """Why a job waits, in the node's words."""
    deadline_s = time.monotonic() + SPLIT_S
    while time.monotonic() < deadline_s:
        message = node.read("job", "describe", job)["Job"]["State"].get("Message")
        if message:
            return str(message)
        time.sleep(LOOK_S)
    raise DemoFailed(f"the {node.name} does not say why the job waits")


def _side(story: Any, cut_s: float) -> str:
    state = story["Job"]["State"]["StateType"].lower()
    settled = "settled" if story["Mesh"]["Settled"] else "provisional"
    [own] = [one for one in _executions(story) if one["Mesh"]["Accepted"]]
    after_s = seconds_of(own["Mesh"]["StartTime"]) - cut_s
    begun = f"begun {after_s:.1f} s after the cut" if after_s > 0 else "begun before the cut"
    return f"{state} ({settled}) by {own['ID'][:10]} on {own['Mesh']['NodeName']}, {begun}"
