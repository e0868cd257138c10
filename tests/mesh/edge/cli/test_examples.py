"""Every command and group has an example, and each is a command line that is understood."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from mesh.edge.cli.app import command_tree
from mesh.edge.cli.examples import EXAMPLES


def _commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, one in getattr(command, "commands", {}).items():
        yield from _commands(one, f"{path} {name}".strip())


COMMANDS = dict(_commands(command_tree()))


def test_each_command_has_one_example_and_no_other_has() -> None:
    assert sorted(EXAMPLES) == sorted(COMMANDS)


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_the_example_comes_first_and_is_understood(path: str) -> None:
    command = COMMANDS[path]
    assert command.help.startswith("\b\nExample: ")
    if EXAMPLES[path].startswith("eval"):
        return
    words = shlex.split(EXAMPLES[path])[len(path.split()) :]
    while hasattr(command, "commands"):  # a group: its example is of one of its commands
        command, words = command.commands[words[0]], words[1:]
    command.make_context(path, words, resilient_parsing=False)
