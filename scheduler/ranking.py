"""Which of the nodes that may run a job is best: parts from 0 to 1000, and one table of weights.

Whole numbers only, so that a recorded score means the same everywhere and is never computed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from scheduler.capacity import Load
from scheduler.constraints import matches
from scheduler.feasibility import deepest_entry, local_paths
from scheduler.ids import NodeId
from scheduler.jobs import TARGET_QUEUE_SLOTS, JobSpec, NodeReading, Resources, Verdict

FULL = 1000
LARGE_BYTES = 10_000_000
"""From here on locality outweighs all else together: moving 10 MB takes 80 ms at 1 Gbit/s and
seconds on a radio link, more than any other part can save."""
NEAR_US = 2_000
"""A round trip that halves the part for latency: ten times that of a quiet LAN."""
FITS_NOW = 600
QUEUES = 100

WEIGHTS: Mapping[str, int] = {
    "locality": 3000,
    "fit": 600,
    "soft": 250,
    "cache": 200,
    "spread": 150,
    "refusals": 100,
    "latency": 50,
}
"""Of the others all together 1350: less than half of locality, which is the least difference
between a node that lists an input and one that only lists a folder above it."""


class Standing(NamedTuple):
    """What this job has been to a node: its live attempts there, and its refusals by it."""

    live: int = 0
    refused: int = 0


class Demand(NamedTuple):
    """What ranking reads of a job, gathered once for all nodes."""

    resources: Resources
    sizes: tuple[tuple[str, int], ...]
    """Local inputs, each with the bytes it is thought to have."""
    cached: frozenset[str]
    """Images and blobs that a node might have already."""
    spec: JobSpec
    weights: Mapping[str, int]
    """Of the parts that this job gives ground for."""


def demand(spec: JobSpec, readings: Iterable[NodeReading]) -> Demand:
    """What a job asks for; the size of an input is the largest that a node lists for just it."""
    known = list(readings)
    sizes = tuple((path, _size(path, known)) for path in local_paths(spec))
    params = [spec.task.engine.params, *(one.source.params for one in spec.task.inputs)]
    names = (str(one[key]) for one in params for key in ("Image", "Digest") if one.get(key))
    cached = frozenset(names)
    weights = dict(WEIGHTS)
    at_stake = min(sum(size for _, size in sizes), LARGE_BYTES)
    weights["locality"] = WEIGHTS["locality"] * at_stake // LARGE_BYTES
    if not at_stake:
        del weights["locality"]
    if not cached:
        del weights["cache"]
    if not any(one.soft for one in spec.constraints):
        del weights["soft"]
    return Demand(spec.task.resources, sizes, cached, spec, weights)


def bytes_there(spec: JobSpec, readings: Iterable[NodeReading]) -> dict[NodeId, int]:
    """How much of a job's local inputs surely lies on each node that has any."""
    known = list(readings)
    sizes = demand(spec, known).sizes
    there = {
        one.node: sum(size * _evidence(one, path) for path, size in sizes) // FULL for one in known
    }
    return {node: size for node, size in there.items() if size}


def rank(
    verdict: Verdict, wanted: Demand, reading: NodeReading, load: Load, standing: Standing
) -> Verdict:
    """A feasible verdict with its score, 0 to 1000, and the points that each part gave to it."""
    parts = {
        "locality": _locality(wanted, reading),
        "fit": _fit(wanted.resources, reading.capacity, load),
        "soft": _soft(wanted.spec, reading),
        "cache": _cache(wanted, reading),
        "spread": FULL // (1 + standing.live),
        "refusals": FULL // (1 + standing.refused),
        "latency": FULL * NEAR_US // (NEAR_US + int(reading.rtt_ms * 1000)),
    }
    whole = sum(wanted.weights.values())
    points = {name: weight * parts[name] // whole for name, weight in wanted.weights.items()}
    return Verdict(verdict.node, None, verdict.detail, sum(points.values()), points)


def _size(path: str, readings: list[NodeReading]) -> int:
    found = [entry for one in readings if (entry := deepest_entry(one, path)) is not None]
    exact = [entry.size_bytes for entry in found if _same(entry.path, path)]
    return max(exact or [entry.size_bytes for entry in found], default=0)


def _locality(wanted: Demand, reading: NodeReading) -> int:
    """Bytes that surely lie there, of all; a folder above an input is evidence by half at most."""
    total = sum(size for _, size in wanted.sizes)
    if not total:
        return 0
    return sum(size * _evidence(reading, path) for path, size in wanted.sizes) // total


def _evidence(reading: NodeReading, path: str) -> int:
    entry = deepest_entry(reading, path)
    if entry is None:
        return 0
    if _same(entry.path, path):
        return FULL
    return FULL // 2 * _depth(entry.path) // _depth(path)


def _same(entry: str, path: str) -> bool:
    return entry.rstrip("/") == path.rstrip("/")


def _depth(path: str) -> int:
    return path.rstrip("/").count("/") or 1


def _fit(wanted: Resources, capacity: Resources, load: Load) -> int:
    """Where it can start at once, the emptier the better; else the shorter queue.

    The load is spread, not packed: a lost node then costs less, and many small jobs are not all
    handled by one node's process while others idle.
    """
    if not wanted.fits(load.free(capacity)):
        return QUEUES * max(0, TARGET_QUEUE_SLOTS - load.queued(capacity)) // TARGET_QUEUE_SLOTS
    used = load.wanted.plus(wanted)
    shares = [
        FULL * taken // whole
        for taken, whole, want in zip(used, capacity, wanted, strict=True)
        if want and whole
    ]
    tightness = sum(shares) // len(shares) if shares else 0
    return FITS_NOW + (FULL - FITS_NOW) * (FULL - tightness) // FULL


def _soft(spec: JobSpec, reading: NodeReading) -> int:
    soft = [one for one in spec.constraints if one.soft]
    met = sum(matches(one, reading.labels) for one in soft)
    return FULL * met // len(soft) if soft else 0


def whole_reference(image: str) -> str:
    """An image's name as its engine lists it, with the registry and the tag that go without
    saying."""
    name = image.removeprefix("docker.io/").removeprefix("library/")
    return name if "@" in name or ":" in name.rpartition("/")[2] else f"{name}:latest"


def has_image(spec: JobSpec, reading: NodeReading) -> bool:
    """Whether a node has said that its engine has the image of this job."""
    image = str(spec.task.engine.params.get("Image", ""))
    return bool(image) and whole_reference(image) in map(whole_reference, reading.images)


def _cache(wanted: Demand, reading: NodeReading) -> int:
    if not wanted.cached:
        return 0
    lacking = [one for one in wanted.cached if one not in reading.blobs]
    images = {whole_reference(one) for one in reading.images} if lacking else frozenset()
    lacked = sum(whole_reference(one) not in images for one in lacking)
    return FULL * (len(wanted.cached) - lacked) // len(wanted.cached)
