"""What an operator wants of a node: asked for, and waited for."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import quote

from mesh.edge import render
from mesh.edge.cli.connect import NodeApi
from mesh.edge.cli.errors import CommandFailed, Exit, bad_input
from mesh.edge.cli.options import say

LOOK_S = 0.5
"""How often a node that is drained is looked at: people wait for minutes."""
GRACE_S = 30.0
"""After the deadline: programs get a second to end, and the word must come round."""
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration_s(text: str) -> int:
    """`90`, `90s`, `10m`, `1h30m` in seconds; CommandFailed for anything else."""
    parts = re.findall(r"(\d{1,7})([smhd])", text)
    if text.isascii() and text.isdigit() and len(text) < 8:
        return int(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise bad_input(
            f"--timeout {render.plain(text)[:40]} is no time", "Write it as 90s, 10m or 1h30m"
        )
    return sum(int(number) * _UNITS_S[unit] for number, unit in parts)


def set_intent(
    api: NodeApi, node: str, intent: str, reason: str, deadline_s: int | None = None
) -> Any:
    """Ask for it; the node's answer."""
    body: dict[str, Any] = {"Intent": intent, "Reason": reason}
    if deadline_s is not None:
        body["DeadlineSeconds"] = deadline_s
    return api.send("PUT", f"/api/v1/mesh/nodes/{quote(node, safe='')}/intent", body)


def say_intent(answer: Any) -> None:
    """What is asked of the node from now on."""
    name = render.plain(answer["Name"])
    did = {"cordoned": "is cordoned", "draining": "is draining", "": "takes work"}[answer["Intent"]]
    print(f"{name} {did}{' already' if answer['Already'] else ''}")
    if answer["State"] in ("unreachable", "left"):
        say(f"{name} is {answer['State']} from here: it obeys when it hears of it")


def wait_until_empty(api: NodeApi, node: str, deadline_s: int) -> None:
    """Say what is still there until nothing is; CommandFailed (4) when that takes too long."""
    path = f"/api/v1/mesh/nodes/{quote(node, safe='')}"
    ends_s = time.monotonic() + deadline_s + GRACE_S
    told = ""
    while True:
        answer = api.get(path)
        name, work = render.plain(answer["Node"]["Mesh"]["Name"]), answer["Running"]
        if answer["Node"]["Mesh"]["Intent"] != "draining":
            raise CommandFailed(
                f"{name} is not draining any more",
                Exit.JOB_FAILED,
                "Somebody asked for something else; see: bacalhau-mesh node describe",
            )
        if not work:
            print(f"{name} is empty")
            return
        left = f"{len(work)} execution{'s' if len(work) > 1 else ''} left on {name}"
        if left != told:
            say(f"{left}: {', '.join(render.short_id(one['ExecutionID']) for one in work[:5])}")
            told = left
        if time.monotonic() > ends_s:
            raise CommandFailed(
                f"{left} after {deadline_s + GRACE_S:.0f} s; the drain goes on",
                Exit.WAITED_TOO_LONG,
                f"Look again with: bacalhau-mesh node describe {name}",
            )
        time.sleep(LOOK_S)
