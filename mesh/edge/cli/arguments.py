"""How a command is told which job or node it is about; a shell completes both."""

from __future__ import annotations

from typing import Annotated

import typer

from mesh.edge.cli.completion import jobs_that_begin, nodes_that_begin

JobArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID|NAME",
        help="A job's id, the beginning of one, or its name.",
        autocompletion=jobs_that_begin,
    ),
]
NodeArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID|NAME",
        help="A node's id, the beginning of one, or its name.",
        autocompletion=nodes_that_begin,
    ),
]
