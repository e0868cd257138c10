"""Act one: the work goes to its data, asked for at one node and read at another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from examples.demo.stage import DemoFailed, Node, Step, say, seconds_of, shown

CONTAINER_IMAGES = ("busybox", "alpine", "debian", "ubuntu")
"""Any of them has `wc`; only one that is here already is used, nothing is pulled."""


def act_one(nodes: Sequence[Node], module: Path, readings: Path, folder: Path) -> None:
    """The story; DemoFailed when a part of it does not hold."""
    bridge, galley, engine_room = nodes
    say("", "Act one: the work goes to its data.", "")
    command = summary_arguments(module, readings)
    say(f"At the {bridge.name}:", shown(command), "")
    with Step("the job ran where its data are"):
        job = bridge.run(*command, "--id-only").strip()
    story = bridge.read("job", "describe", job)
    _check_placed_at(story, bridge.read("node", "list"), engine_room.name)
    [placed] = bridge.read("job", "explain", job)["Placements"]
    say("", "What happened:", *_story(story))
    say("", f"Why in the {engine_room.name}:", f"  {placed['Because']}", "")
    target = folder / "result"
    say(f"At the {galley.name}:", shown(["job", "get", job[:10]]), "")
    with Step("the result fetched through a node that had no part in it"):
        galley.run("job", "get", job, "--output-dir", str(target))
    report = next(iter(sorted(target.rglob("report.txt"))), None)
    if report is None:
        raise DemoFailed("the result holds no report.txt")
    say("", "The result:", *(f"  {line}" for line in report.read_text().splitlines()), "")
    _container(bridge, engine_room, readings)


def summary_arguments(module: Path, readings: Path) -> list[str]:
    """The command that summarises the readings."""
    return [
        *("wasm", "run", str(module)),
        *("--input", f"file://{readings}:/inputs"),
        *("--output", "report:/outputs"),
    ]


def _check_placed_at(story: Any, nodes: Any, name: str) -> None:
    names = {one["Info"]["NodeID"]: one["Mesh"]["Name"] for one in nodes}
    where = [names[one["NodeID"]] for one in story["Executions"]["Items"]]
    if where != [name]:
        raise DemoFailed(f"the job ran on {where}, and its data are on {name}")


def _story(story: Any) -> list[str]:
    items = story["History"]["Items"]
    begun_s = seconds_of(items[0]["Time"])
    lines = []
    for item in items:
        event = item["Event"]
        at = (event.get("Details") or {}).get("AcceptedBy", "")
        after_ms = (seconds_of(item["Time"]) - begun_s) * 1000
        lines.append(f"  {after_ms:6.0f} ms  {event['Message']}{f' at the {at}' if at else ''}")
    return lines


def _container(bridge: Node, engine_room: Node, readings: Path) -> None:
    image = _image_here()
    engines = engine_room.read("node", "describe", engine_room.name)["Node"]["Mesh"]["Engines"]
    if image is None or "docker" not in engines:
        say(
            "The same with a container is left out: this machine has no container engine with one",
            f"of the images {', '.join(CONTAINER_IMAGES)}.",
        )
        return
    command = ["docker", "run", image, "--entrypoint", "wc", "--input", f"file://{readings}:/in"]
    rows = ["--", "-l", "/in/readings.csv"]
    say(f"The same with a container, at the {bridge.name}:", shown([*command, *rows]), "")
    with Step("the container ran where its data are, from an image that was there"):
        job = bridge.run(*command, "--id-only", *rows).strip()
    say(f"  {bridge.run('job', 'logs', job).strip()}")


def _image_here() -> str | None:
    """The name of an image that the container engine of this machine has, if there is any."""
    import docker

    try:
        images = docker.from_env(timeout=5).images.list()
    except (docker.errors.DockerException, OSError):
        return None
    tags = sorted(tag for image in images for tag in image.tags)
    names = {tag: tag.rpartition(":")[0].rpartition("/")[2] for tag in tags}
    return next((tag for tag in tags if names[tag] in CONTAINER_IMAGES), None)
