"""`completion SHELL`, and what a shell may complete: commands, flags, ids and names."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import typer

from mesh.edge.cli.paths import JOBS, NODES

PROGRAM = "bacalhau-mesh"
VARIABLE = "_BACALHAU_MESH_COMPLETE"
"""Set by the shell's script: the command line then answers what could come next."""
PATIENCE_S = 1.0
"""Who pressed Tab is at a prompt that stands still meanwhile; a node answers in milliseconds."""
NEWEST = 100
"""Jobs that are looked at: who types an older one's id has it from somewhere else."""


class Shell(str, Enum):
    """Shells that can be served."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(help="The shell that is to complete.")],
) -> None:
    """Print the script that makes a shell complete commands, flags, and ids of jobs and nodes.

    For bash, put `eval "$(bacalhau-mesh completion bash)"` into ~/.bashrc; for zsh the same with
    zsh into ~/.zshrc, below compinit; for fish write it to
    ~/.config/fish/completions/bacalhau-mesh.fish.
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    print(get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell.value))


def jobs_that_begin(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names and short ids of the newest jobs; none where no node answers."""
    from mesh.edge.render import short_id

    query = {"limit": NEWEST, "order_by": "created_at", "reverse": "true"}
    jobs = _asked(ctx, JOBS, query, "Items")
    names = [job["Name"] for job in jobs if job["Name"] != job["ID"]]
    return _beginning([*names, *(short_id(job["ID"]) for job in jobs)], incomplete)


def nodes_that_begin(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names and ids of members; none where no node answers."""
    nodes = _asked(ctx, NODES, {}, "Nodes")
    names = [node["Mesh"]["Name"] for node in nodes]
    # Ids only where one was begun: a list of both is twice as long and says no more.
    ids = [node["Info"]["NodeID"] for node in nodes] if incomplete.startswith("n-") else []
    return _beginning([*names, *ids], incomplete)


def _asked(ctx: typer.Context, path: str, query: dict[str, Any], key: str) -> list[Any]:
    from mesh.edge.cli.connect import NodeApi
    from mesh.edge.cli.errors import CommandFailed
    from mesh.edge.cli.options import connect

    for flag, unsaid in (("--api-host", ""), ("--api-port", 0), ("--data-dir", "")):
        ctx.meta.setdefault(flag, unsaid)
    try:
        api = NodeApi(connect(ctx).endpoint, patience_s=PATIENCE_S)
        return list(api.get(path, query)[key])
    except CommandFailed:
        return []


def _beginning(words: list[str], incomplete: str) -> list[str]:
    fitting = (word for word in words if word.startswith(incomplete) and word.isprintable())
    return list(dict.fromkeys(fitting))
