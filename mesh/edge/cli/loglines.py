"""A job's output at the terminal: its stdout to ours, its stderr to ours."""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack
from typing import Any, TextIO
from urllib.parse import urlencode

from mesh.edge import render
from mesh.edge.cli.connect import Endpoint, job_path
from mesh.edge.cli.errors import CommandFailed, Exit
from mesh.edge.cli.options import parameters, say

STDERR = 2
NO_LIMIT_S = 10 * 365 * 86_400.0


def copy_logs(
    endpoint: Endpoint,
    job: str,
    *,
    execution: str = "",
    namespace: str = "",
    follow: bool = False,
    tail: bool = False,
    timeout_s: float = NO_LIMIT_S,
) -> None:
    """Copy until the node ends the stream. CommandFailed: 1 with its reason, 4 on time-out."""
    from websockets.exceptions import ConnectionClosedOK, WebSocketException

    query = urlencode(
        parameters(
            execution_id=execution,
            namespace=namespace,
            follow="true" if follow else "",
            tail="true" if tail else "",
        )
    )
    deadline_s = time.monotonic() + timeout_s
    with ExitStack() as stack:
        socket = _opened(stack, endpoint, f"{job_path(job, 'logs')}?{query}")
        try:
            while True:
                left_s = max(deadline_s - time.monotonic(), 0)
                _show(json.loads(socket.recv(timeout=left_s)))
        except ConnectionClosedOK:
            return
        except TimeoutError:
            raise CommandFailed(
                f"waited {timeout_s:.0f} s for the output of {render.short_id(job)}, which goes on",
                Exit.WAITED_TOO_LONG,
                f"Look again with: bacalhau-mesh job describe {render.short_id(job)}",
            ) from None
        except KeyboardInterrupt:
            say(f"\nThe job goes on. Stop it with: bacalhau-mesh job stop {render.short_id(job)}")
            raise
        except (OSError, WebSocketException) as error:
            raise CommandFailed(
                f"the log stream of {endpoint} broke ({error})", Exit.NO_NODE, "Ask again"
            ) from None


def _opened(stack: ExitStack, endpoint: Endpoint, path: str) -> Any:
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect, unix_connect

    try:
        if endpoint.socket_path:
            socket = unix_connect(endpoint.socket_path, uri=f"ws://localhost{path}", proxy=None)
        else:
            socket = connect(f"ws://{endpoint}{path}", proxy=None)
        return stack.enter_context(socket)
    except (OSError, WebSocketException) as error:
        raise CommandFailed(
            f"no node answers at {endpoint} ({error})",
            Exit.NO_NODE,
            "Start one with `bacalhau-mesh join`, or name one with --api-host and --api-port",
        ) from None


def _show(frame: Any) -> None:
    if frame.get("error"):
        raise CommandFailed(str(frame["error"]), Exit.JOB_FAILED)
    value = frame["value"]
    out: TextIO = sys.stderr if value["Type"] == STDERR else sys.stdout
    # Into a file or a pipe goes what the program wrote; a terminal would obey some of it.
    out.write(render.plain_lines(value["Line"]) if out.isatty() else value["Line"])
    out.flush()
