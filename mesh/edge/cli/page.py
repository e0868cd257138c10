"""`page`: the link to the page in the browser, and a code for a phone's camera."""

from __future__ import annotations

import io
import ipaddress
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mesh.edge.cli.errors import CommandFailed, Exit

WILDCARDS = ("0.0.0.0", "::")
WHITE_ON_BLACK, PLAIN = "\x1b[97;40m", "\x1b[0m"
"""Cameras want dark on light, and half blocks draw the light: so it is on any terminal."""


def page(
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir", envvar="BACALHAU_MESH_DATA_DIR", help="The node that runs on this folder."
        ),
    ] = None,
    renew: Annotated[
        bool, typer.Option("--renew", help="Make a new link; the old one ends at once.")
    ] = False,
) -> None:
    """Print the link to this node's page in the browser, and a code for a phone's camera."""
    folder = (data_dir or Path("~/.bacalhau-mesh")).expanduser()
    facts = node_facts(folder)
    address = str(facts.get("page_address", ""))
    if not address:
        if renew:
            raise CommandFailed(
                "this node shows its page on this machine alone, where no link is needed",
                Exit.BAD_INPUT,
                "Start it with: bacalhau-mesh join --page HOST:PORT",
            )
        print(f"http://{facts['api_addresses'][0]}/")
        hint = "On this machine only. For others: bacalhau-mesh join --page HOST:PORT"
        print(hint, file=sys.stderr)
        return
    token = _token(folder, renew=renew)
    links = [f"http://{one}/?token={token}" for one in reachable(address, facts)]
    print("\n".join(links))
    print(code_of(links[0], coloured=sys.stdout.isatty()))
    print(
        "Who has this link sees nodes, jobs and logs, and can change nothing. "
        "It is not encrypted on its way.",
        file=sys.stderr,
    )


def node_facts(folder: Path) -> Mapping[str, Any]:
    """What the node on this folder says of itself. CommandFailed when none runs there."""
    try:
        facts: Mapping[str, Any] = dict(json.loads((folder / "node.json").read_text()))
    except (OSError, TypeError, ValueError):
        raise CommandFailed(
            f"no node runs on the data folder {folder}",
            Exit.NO_NODE,
            "Name the folder of one that runs on this machine with --data-dir",
        ) from None
    return facts


def _token(folder: Path, *, renew: bool) -> str:
    from mesh.edge.page_token import PageToken

    token = PageToken(folder)
    try:
        return token.renew() if renew else token.made()
    except OSError as error:
        raise CommandFailed(
            f"the token in {folder} cannot be written ({error.strerror})",
            Exit.BAD_INPUT,
            "Run this as the user whom the node runs as",
        ) from None


def reachable(address: str, facts: Mapping[str, Any]) -> list[str]:
    """HOST:PORT for browsers: the address named, or all of the machine's for every interface."""
    host, _, port = address.rpartition(":")
    if host.strip("[]") not in WILDCARDS:
        return [address]
    hosts = [str(one).rpartition(":")[0] for one in facts.get("mesh_addresses", ())]
    family = 6 if host.startswith("[") else 4
    fitting = [one for one in hosts if _version(one) == family]
    return [f"{one}:{port}" for one in fitting or ["[::1]" if family == 6 else "127.0.0.1"]]


def _version(host: str) -> int:
    try:
        return ipaddress.ip_address(host.strip("[]")).version
    except ValueError:
        return 0


def code_of(link: str, *, coloured: bool) -> str:
    """The link as a QR code of half blocks."""
    import segno

    drawn = io.StringIO()
    segno.make(link, error="l", micro=False).terminal(drawn, border=2, compact=True)
    lines = drawn.getvalue().rstrip("\n").split("\n")
    return "\n".join(f"{WHITE_ON_BLACK}{one}{PLAIN}" if coloured else one for one in lines)
