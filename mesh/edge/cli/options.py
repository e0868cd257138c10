"""What all client commands share: where the node is, and how an answer is shown."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from mesh.edge.cli.errors import bad_input

if TYPE_CHECKING:
    from mesh.edge.cli.connect import NodeApi
    from mesh.edge.render import Table

FORMULA_SIGNS = ("=", "+", "-", "@")
NARROW, WIDE = 80, 100_000
"""Columns where the terminal does not say, and where there is none."""


class Output(str, Enum):
    """How an answer is shown."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"


OutputOption = Annotated[Output, typer.Option("--output", help="How the answer is shown.")]
WideOption = Annotated[
    bool, typer.Option("--wide", help="Whole ids, exact times in UTC, and every column.")
]
NamespaceOption = Annotated[
    str,
    typer.Option("--namespace", help="Where a job's name is looked up; 'default' if not given."),
]


class ClientCommand(TyperCommand):
    """A command that talks to a node: it takes the flags that say to which one."""

    def __init__(self, *args: Any, params: Sequence[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, params=[*(params or ()), *map(kept_option, ENDPOINT)], **kwargs)


@dataclass(frozen=True, slots=True)
class KeptFlag:
    """A flag that several commands share: `ctx.meta` has its value under the long name."""

    names: str
    """As `-f,--follow`, or `--wait/--no-wait`."""
    help: str
    kind: Any = str
    metavar: str | None = None
    repeated: bool = False
    default: Any = None
    """"", 0 or False by kind where it is not given."""
    least: int | None = None

    @property
    def key(self) -> str:
        """The long name."""
        return self.names.rpartition(",")[2].partition("/")[0]


ENDPOINT: Sequence[KeptFlag] = (
    KeptFlag("--api-host", "The node's API: a host, HOST:PORT or a URL."),
    KeptFlag("--api-port", "The port of the node's API.", int),
    KeptFlag("--data-dir", "Ask the node that runs on this folder."),
)


def kept_option(flag: KeptFlag) -> TyperOption:
    """The flag as an option of a command."""

    def keep(ctx: typer.Context, param: Any, value: Any) -> None:
        if flag.least is not None and value < flag.least:
            raise typer.BadParameter(f"{value} is below {flag.least}", ctx=ctx, param=param)
        ctx.meta[flag.key] = list(value) if flag.repeated else value

    switch = flag.kind is bool
    default = flag.default
    if default is None and not flag.repeated:
        default = {str: "", int: 0, bool: False}[flag.kind]
    return TyperOption(
        param_decls=flag.names.split(","),
        type=flag.kind,
        is_flag=switch,
        multiple=flag.repeated,
        metavar=flag.metavar,
        default=default,
        help=flag.help,
        callback=keep,
        expose_value=False,
        show_default=bool(default) and not switch,
    )


def connect(ctx: typer.Context) -> NodeApi:
    """The node that the command line, the environment or the machine names."""
    from mesh.edge.cli.connect import NodeApi, choose_endpoint

    return NodeApi(
        choose_endpoint(
            api_host=ctx.meta["--api-host"],
            api_port=ctx.meta["--api-port"] or None,
            data_dir=ctx.meta["--data-dir"],
        )
    )


def show(document: Any, output: Output, as_text: Callable[[int], str]) -> None:
    """Print an answer; `as_text` gets the columns there are. CommandFailed for CSV: no table."""
    if output is Output.JSON:
        print(json.dumps(document, indent=2))
    elif output is Output.YAML:
        sys.stdout.write(yaml_text(document))
    elif output is Output.CSV:
        raise bad_input("this answer is no table", "Use --output json or --output yaml")
    else:
        print(as_text(columns()))


def show_table(
    document: Any,
    output: Output,
    make: Callable[[int | None], Table],
    *,
    wide: bool = False,
) -> None:
    """Print a list; `make` gets the time now in ms, or None for whole ids and exact times."""
    if output is Output.CSV:
        print_csv(make(None))
        return
    now_ms = None if wide else time.time_ns() // 1_000_000
    show(document, output, lambda width: make(now_ms).text(width))


def print_csv(table: Table) -> None:
    """A table for a spreadsheet. A cell that one would take for a formula gets an apostrophe."""
    import csv

    from mesh.edge.render import plain

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(table.headers)
    for row in table.rows:
        cells = [plain(cell) for cell in row]
        writer.writerow([f"'{one}" if one.startswith(FORMULA_SIGNS) else one for one in cells])


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
