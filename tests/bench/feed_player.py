"""A process that plays a node with a big mesh: its snapshot, then changes at a steady rate."""

from __future__ import annotations

import sys
import time
from random import Random
from typing import Any

from tests.mesh.edge.feed_server import fixture_frames
from tests.system.page_stage import page_server

NODES, JOBS, PIECE = 100, 10_000, 500
SEEN = 15
"""The first rows of the table: half of all changes are in sight."""
CHANGES_PER_S, FRAMES_PER_S = 20, 10


def big_mesh() -> list[dict[str, Any]]:
    """Frames of a snapshot: the rows of the calm fixture, many times over."""
    frames = fixture_frames("calm")
    mesh = frames[0]["data"]["Mesh"] | {"Members": NODES, "Reachable": NODES}
    rows: dict[str, list[Any]] = {"Nodes": [], "Jobs": [], "Executions": []}
    for name, count in (("Nodes", NODES), ("Jobs", JOBS), ("Executions", 400)):
        known = [row for frame in frames for row in frame["data"].get(name, ())]
        for number in range(count):
            row = known[number % len(known)]
            identifier = f"{row['ID'][:2]}{number:08x}{row['ID'][10:]}"
            rows[name].append(row | {"ID": identifier, "Name": f"{row.get('Name', '')}-{number}"})
    mesh["Jobs"] = {"Running": JOBS // 2, "Completed": JOBS - JOBS // 2}
    pieces = [rows["Jobs"][at : at + PIECE] for at in range(0, JOBS, PIECE)]
    first = {"Mesh": mesh, "Nodes": rows["Nodes"], "Executions": rows["Executions"]}
    return [
        {
            "event": "snapshot",
            "data": {
                **(first if number == 1 else {}),
                "Piece": number,
                "More": number < len(pieces),
                "Jobs": piece,
            },
        }
        for number, piece in enumerate(pieces, 1)
    ]


def play(lasts_s: float) -> None:
    """Print the port, then change two jobs ten times a second."""
    frames = big_mesh()
    jobs = [row for frame in frames for row in frame["data"]["Jobs"]]
    running = [at for at, row in enumerate(jobs) if row["State"] == "Running"]
    seen = sorted(running, key=lambda at: (-jobs[at]["Created"], jobs[at]["ID"]))[:SEEN]
    random, mesh = Random(1), frames[0]["data"]["Mesh"]
    with page_server(frames) as server:
        print(server.port, flush=True)
        deadline_s = time.monotonic() + lasts_s
        while time.monotonic() < deadline_s:
            time.sleep(1 / FRAMES_PER_S)
            changed = []
            for _ in range(CHANGES_PER_S // FRAMES_PER_S):
                # Half of them among those that a screen shows.
                at = random.choice(seen) if random.random() < 0.5 else random.randrange(JOBS)
                number = random.randrange(8)
                jobs[at] = jobs[at] | {"Running": number, "Done": 8 - number}
                changed.append(jobs[at])
            mesh = mesh | {"Provisional": random.randrange(100)}
            server.tell("changes", {"Mesh": mesh, "Jobs": changed})


if __name__ == "__main__":
    play(float(sys.argv[1]))
