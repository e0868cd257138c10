"""The flags of `join`: both ways to read them say the same."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mesh.edge.cli.errors import CommandFailed, Exit
from mesh.edge.join import FLAGS, parse_flags
from mesh.node import config


def test_every_flag_is_a_setting() -> None:
    settings = {*config._SETTINGS, "data_dir", "config"}
    assert {flag.setting for flag in FLAGS} == settings


def test_what_was_given() -> None:
    given = parse_flags(
        ["--name", "a", "--label", "x=1", "--label=y=2", "--no-mdns", "--lab", "-", "--peer=h:1"]
    )
    assert {name: one for name, one in given.items() if one is not None} == {
        "name": "a",
        "label": ["x=1", "y=2"],
        "no_mdns": True,
        "lab": "-",
        "peer": ["h:1"],
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--nmae", "x"], "No such option: --nmae. Did you mean --name?"),
        (["--data"], "--data-dir"),
        (["--quite-another"], "No such option: --quite-another."),
        (["here"], "flags only"),
        (["--name"], "--name"),
        (["--no-mdns=yes"], "--no-mdns"),
    ],
)
def test_bad_usage(arguments: list[str], told: str) -> None:
    with pytest.raises(CommandFailed) as failed:
        parse_flags(arguments)
    assert failed.value.code is Exit.BAD_INPUT
    assert told in failed.value.message


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["join", "--help"], 0, "--allow-faults"),
        (["join", "--nmae", "x"], 2, "Did you mean --name?"),
        (["join", "--timing", "fast"], 2, "none of lan, wan"),
    ],
)
def test_the_process(arguments: list[str], code: int, told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mesh", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
