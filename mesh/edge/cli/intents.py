"""What an operator wants of a node: asked for, and waited for."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

from mesh.edge.cli.connect import NodeApi, WaitedTooLong
from mesh.edge.cli.errors import CommandFailed, Exit, bad_input
from mesh.edge.cli.options import say
from mesh.edge.cli.paths import WATCH, mesh_node_path
from mesh.edge.render import plain, short_id

GRACE_S = 30.0
"""After the deadline: programs get a second to end, and the word must come round."""
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration_s(text: str) -> int:
    """`90`, `90s`, `10m`, `1h30m` in seconds; CommandFailed for anything else."""
    parts = re.findall(r"(\d{1,7})([smhd])", text)
    if text.isascii() and text.isdigit() and len(text) < 8:
        return int(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise bad_input(f"--timeout {plain(text)[:40]} is no time", "Write it as 90s, 10m or 1h30m")
    return sum(int(number) * _UNITS_S[unit] for number, unit in parts)


def set_intent(
    api: NodeApi, node: str, intent: str, reason: str, deadline_s: int | None = None
) -> Any:
    """Ask for it; the node's answer."""
    body: dict[str, Any] = {"Intent": intent, "Reason": reason}
    if deadline_s is not None:
        body["DeadlineSeconds"] = deadline_s
    return api.send("PUT", mesh_node_path(node, "intent"), body)


def say_intent(answer: Any) -> None:
    """What is asked of the node from now on."""
    name = plain(answer["Name"])
    did = {"cordoned": "is cordoned", "draining": "is draining", "": "takes work"}[answer["Intent"]]
    print(f"{name} {did}{' already' if answer['Already'] else ''}")
    if answer["State"] in ("unreachable", "left"):
        say(f"{name} is {answer['State']} from here: it obeys when it hears of it")


def wait_until_empty(api: NodeApi, node: str, deadline_s: int) -> None:
    """Say what is still there until nothing is; CommandFailed (4) when that takes too long.

    The live feed tells when to look.
    """
    limit_s, left, name = deadline_s + GRACE_S, "", node
    try:
        for _ in _changes_of(api, node, time.monotonic() + limit_s):
            answer = api.get(mesh_node_path(node))
            name, work = plain(answer["Node"]["Mesh"]["Name"]), answer["Running"]
            if answer["Node"]["Mesh"]["Intent"] != "draining":
                raise CommandFailed(
                    f"{name} is not draining any more",
                    Exit.JOB_FAILED,
                    f"Somebody asked for something else; see: bacalhau-mesh node describe {name}",
                )
            if not work:
                print(f"{name} is empty")
                return
            told, left = left, f"{len(work)} execution{'s' if len(work) > 1 else ''} left on {name}"
            if left != told:
                say(f"{left}: {', '.join(short_id(one['ExecutionID']) for one in work[:5])}")
    except WaitedTooLong:
        raise CommandFailed(
            f"{left or f'{name} is not empty'} after {limit_s:.0f} s; the drain goes on",
            Exit.WAITED_TOO_LONG,
            f"Look again with: bacalhau-mesh node describe {name}",
        ) from None
    raise CommandFailed(
        f"the node at {api.endpoint} ended its feed; the drain of {name} goes on",
        Exit.NO_NODE,
        f"Look again with: bacalhau-mesh node describe {name}",
    )


def _changes_of(api: NodeApi, node: str, ends_s: float) -> Iterator[None]:
    """Whenever something may have changed of a node, and at first."""
    for frame in api.frames(WATCH, {"topics": "nodes"}, deadline_s=ends_s):
        if any(row["ID"] == node for row in frame.data.get("Nodes", ())):
            yield
