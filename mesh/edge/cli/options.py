"""What all client commands share: where the node is, and how an answer is shown."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from mesh.edge.cli.connect import NodeApi, choose_endpoint

NARROW, WIDE = 80, 100_000
"""Columns where the terminal does not say, and where there is none."""


class Output(str, Enum):
    """How an answer is shown."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


OutputOption = Annotated[Output, typer.Option("--output", help="How the answer is shown.")]
NamespaceOption = Annotated[
    str,
    typer.Option("--namespace", help="Where a job's name is looked up; 'default' if not given."),
]
JobArgument = Annotated[
    str, typer.Argument(metavar="ID|NAME", help="A job's id, the beginning of one, or its name.")
]


class ClientCommand(TyperCommand):
    """A command that talks to a node: it takes the flags that say to which one."""

    def __init__(self, *args: Any, params: Sequence[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, params=[*(params or ()), *_endpoint_options()], **kwargs)


def _endpoint_options() -> list[TyperOption]:
    return [
        _endpoint_option("--api-host", "The node's API: a host, HOST:PORT or a URL.", str),
        _endpoint_option("--api-port", "The port of the node's API.", int),
        _endpoint_option("--data-dir", "Ask the node that runs on this folder.", str),
    ]


def _endpoint_option(name: str, text: str, kind: type) -> TyperOption:
    def keep(ctx: typer.Context, param: Any, value: Any) -> Any:
        ctx.meta[name] = value
        return value

    return TyperOption(param_decls=[name], type=kind, help=text, callback=keep, expose_value=False)


def connect(ctx: typer.Context) -> NodeApi:
    """The node that the command line, the environment or the machine names."""
    return NodeApi(
        choose_endpoint(
            api_host=ctx.meta.get("--api-host") or "",
            api_port=ctx.meta.get("--api-port"),
            data_dir=ctx.meta.get("--data-dir") or "",
        )
    )


def show(document: Any, output: Output, as_text: Callable[[int], str]) -> None:
    """Print an answer; `as_text` gets the columns there are."""
    if output is Output.JSON:
        print(json.dumps(document, indent=2))
    elif output is Output.YAML:
        sys.stdout.write(yaml_text(document))
    else:
        print(as_text(columns()))


def columns() -> int:
    """The width of the terminal; unbounded where the answer goes into a pipe or a file."""
    return shutil.get_terminal_size((NARROW, 24)).columns if sys.stdout.isatty() else WIDE


def yaml_text(document: Any) -> str:
    """A document as YAML, keys in their order."""
    import io

    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def say(text: str) -> None:
    """Something for the person at the terminal, not for the pipe."""
    print(text, file=sys.stderr, flush=True)


def parameters(**values: object) -> Mapping[str, Any]:
    """A query without what was not given."""
    return {name: value for name, value in values.items() if value not in ("", 0, None, False, [])}
