"""The commands that the README shows are commands: each word, each flag, each input."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer

from mesh.edge.cli.app import app
from mesh.edge.cli.flags import input_source
from mesh.edge.join import parse_flags
from tests.tidy import places

FENCE = re.compile(r"^```sh\n(.*?)^```", re.M | re.S)
TEXT = (places.ROOT / "README.md").read_text()
LINES = [
    line.split("#")[0].strip().removeprefix(".venv/bin/")
    for block in FENCE.findall(TEXT)
    for line in block.splitlines()
    if re.match(r"(\.venv/bin/)?bacalhau-mesh ", line)
]
LINES += re.findall(r"`(bacalhau-mesh [^`]+)`", TEXT)


def check(line: str) -> None:
    """AssertionError for a word or flag that the command line does not have."""
    words = shlex.split(line)[1:]
    if words[0] == "join":
        parse_flags(words[1:])
        return
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        name = words.pop(0)
        assert name in command.commands, f"{name!r} of {line!r}"
        command = command.commands[name]
    options = {text for one in command.params for text in (*one.opts, *one.secondary_opts)}
    own = words[: words.index("--")] if "--" in words else words
    for number, word in enumerate(own):
        if word.startswith("-"):
            assert word.partition("=")[0] in options, f"{word!r} of {line!r}"
        if word in ("-i", "--input"):
            input_source(own[number + 1])


@pytest.mark.parametrize("line", LINES)
def test_it_is_one(line: str) -> None:
    check(line)


def test_there_are_some() -> None:
    assert len(LINES) > 5


@pytest.mark.parametrize(
    "line", ["bacalhau-mesh jobs list", "bacalhau-mesh job list --colour", "bacalhau-mesh wasm go"]
)
def test_the_rule_sees(line: str) -> None:
    with pytest.raises(AssertionError):
        check(line)
