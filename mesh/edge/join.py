"""`join` without the command line's framework: a node starts with nothing that only commands need.

The table of flags is the one that `bacalhau-mesh join --help` shows; both ways end in `start_node`.
"""

from __future__ import annotations

import argparse
import difflib
import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from mesh.edge.cli.errors import bad_input


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag of `join`; its setting has the same name in snake_case."""

    name: str
    help: str
    metavar: str = ""
    """"" for one that takes a text of no special form."""
    repeated: bool = False
    switch: bool = False

    @property
    def setting(self) -> str:
        """The key of the settings file."""
        return self.name.removeprefix("--").replace("-", "_")


FLAGS: Sequence[Flag] = (
    Flag("--lab", "The secret that all nodes of one mesh share; - reads stdin."),
    Flag("--name", "Shown to people; the host's if none."),
    Flag("--data-dir", "Everything the node keeps; ~/.bacalhau-mesh."),
    Flag("--bind", "For peers; all interfaces, port 1235.", "HOST[:PORT]"),
    Flag("--api", "For clients; 127.0.0.1:1234.", "HOST:PORT"),
    Flag(
        "--page", "The page for browsers, there too, by the link of `page`; port 1236.", "HOST:PORT"
    ),
    Flag("--label", "A label of this node.", "K=V", repeated=True),
    Flag("--allow-path", "Data here that jobs may use in place.", "GLOB[:ro|rw]", repeated=True),
    Flag("--peer", "A member to try besides those found.", "HOST:PORT", repeated=True),
    Flag("--no-mdns", "Do not look for peers on the local network.", switch=True),
    Flag("--timing", "All default times: lan, or wan for slow and metered links.", "lan|wan"),
    Flag(
        "--allow-faults",
        "Let `faults cut` act here, by this node's own socket: for trying out splits.",
        switch=True,
    ),
    Flag("--config", "Settings in YAML; DATA_DIR/config.yaml if none."),
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise bad_input(message, "See `bacalhau-mesh join --help`")


def join(arguments: Sequence[str]) -> None:
    """Run one node until it is stopped. CommandFailed when it cannot start."""
    start_node(parse_flags(arguments))


def parse_flags(arguments: Sequence[str]) -> dict[str, Any]:
    """The settings that were given. CommandFailed, with the nearest flag, for what is not known."""
    parser = _Parser(prog="bacalhau-mesh join", add_help=False, allow_abbrev=False)
    for flag in FLAGS:
        if flag.switch:
            parser.add_argument(flag.name, action="store_true", default=None)
        else:
            parser.add_argument(flag.name, action="append" if flag.repeated else "store")
    given, unknown = parser.parse_known_args(list(arguments))
    if unknown:
        raise _unknown(unknown[0])
    return vars(given)


def _unknown(text: str) -> Exception:
    name = text.partition("=")[0]
    if not name.startswith("-"):
        return bad_input(f"join takes flags only, not {text!r}", "See `bacalhau-mesh join --help`")
    near = difflib.get_close_matches(name, [flag.name for flag in FLAGS], 1)
    meant = f" Did you mean {near[0]}?" if near else ""
    return bad_input(f"No such option: {name}.{meant}", "See `bacalhau-mesh join --help`")


def start_node(given: Mapping[str, Any]) -> None:
    """Run a node with these settings until it is stopped. CommandFailed when it cannot start."""
    from mesh.node.config import load_config
    from mesh.node.errors import NodeError

    try:
        config = load_config(given)
    except NodeError as error:
        raise bad_input(str(error)) from None
    import trio

    from mesh.edge.http.server import AddressUnusable, serve_doors
    from mesh.node.node import run_node

    _spare_the_collector()
    try:
        trio.run(partial(run_node, config, serve_doors=serve_doors))
    except (NodeError, AddressUnusable) as error:
        raise bad_input(str(error)) from None


def _spare_the_collector() -> None:
    """Look for cycles seldom, and never again in what was imported: next to nothing here makes
    them, and at the interpreter's own thresholds a burst of 5,000 jobs spends a tenth of its time
    looking, up to 0.1 s in one piece."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
