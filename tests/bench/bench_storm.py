"""LONG=1: a minute of kill -9 among five nodes that take submissions; what was lost by it."""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from tests.bench.figure import Figure, long_rows
from tests.bench.stage import NO_OP, Client, job_body, mesh_of, program
from tests.system.mesh_processes import FINAL, Mesh

NODES = ("one", "two", "three", "four", "five")
STORM_S = 60.0
CALM_S = 120.0
PER_S = 20
CLIENTS = 4
KILL_EVERY_S = 3.0
SEED = 20
LOOK_S = 0.5


def figures() -> Iterator[Figure]:
    """Acknowledged jobs that some node does not know, and those that do not end."""
    if not long_rows():
        return
    with mesh_of(*NODES) as mesh:
        acknowledged, kills = _storm(mesh)
        unknown, open_jobs = _after(mesh, acknowledged)
    note = f"{len(acknowledged)} acknowledged, {kills} kills in {STORM_S:.0f} s"
    yield Figure("storm: acknowledged and lost", unknown, "jobs", 0, "less", note=note)
    yield Figure(f"storm: not ended {CALM_S:.0f} s later", open_jobs, "jobs", 0, "less", note=note)


def _storm(mesh: Mesh) -> tuple[list[str], int]:
    """(What was acknowledged, how many kills); every node runs again at the end."""
    module = program(NO_OP)
    for node in mesh.nodes.values():
        with Client(node) as client:
            client.keep(module)
    over, acknowledged, kills, chance = Event(), list[str](), 0, random.Random(SEED)
    ends_s = time.monotonic() + STORM_S
    with ThreadPoolExecutor(CLIENTS) as clients:
        body = job_body(module)
        running = [
            clients.submit(_submit, mesh, body, random.Random(seed), acknowledged, over)
            for seed in range(CLIENTS)
        ]
        try:
            while time.monotonic() < ends_s:
                time.sleep(KILL_EVERY_S)
                node = mesh[chance.choice(NODES)]
                node.kill()
                node.start().ready()
                kills += 1
        finally:
            over.set()
        for client_run in running:
            client_run.result()
    return acknowledged, kills


def _submit(
    mesh: Mesh, body: bytes, chance: random.Random, acknowledged: list[str], over: Event
) -> None:
    while not over.wait(CLIENTS / PER_S):
        node = mesh[chance.choice(NODES)]
        try:
            with Client(node) as client:
                acknowledged.append(client.submit(body))
        except (OSError, http.client.HTTPException, TypeError):
            continue  # it is down: nothing was acknowledged


def _after(mesh: Mesh, acknowledged: list[str]) -> tuple[int, int]:
    """(Acknowledged jobs unknown to some node, those that have not ended at some node)."""
    mesh.met()
    ends_s = time.monotonic() + CALM_S
    while True:
        known = [mesh[name].api.jobs() for name in NODES]
        unknown = {job for job in acknowledged if any(job not in jobs for jobs in known)}
        open_jobs = {
            job
            for jobs in known
            for job, document in jobs.items()
            if document["State"]["StateType"] not in FINAL
        }
        if not (unknown or open_jobs) or time.monotonic() > ends_s:
            return len(unknown), len(open_jobs)
        time.sleep(LOOK_S)
