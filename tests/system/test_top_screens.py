"""Whole screens of `top` in a real terminal at real nodes, calm, split and healed, as kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.screens import Screens, normalised
from tests.system.split_story import NEAR, SplitStory
from tests.system.terminals import Terminal


@pytest.fixture
def story(tmp_path: Path) -> Iterator[SplitStory]:
    with SplitStory(tmp_path) as story:
        yield story


def everything(screens: Screens, chapter: str, *wanted: str) -> None:
    """The tables of a chapter, and what is under the cursor."""
    for key, tab in (("1", "nodes"), ("3", "executions"), ("2", "jobs")):
        screens.keys(key)
        screens.are(f"{chapter}-{tab}", *wanted)


@pytest.mark.real("tmux")
@pytest.mark.real("loopback")
@pytest.mark.real("wasm")
@pytest.mark.slow
def test_a_split_from_a_calm_mesh_to_one_accepted_result(story: SplitStory, tmp_path: Path) -> None:
    story.calm()
    (tmp_path / "wide").mkdir()
    with Terminal(tmp_path, 80, 24) as narrow, Terminal(tmp_path / "wide", 200, 50) as wide:
        screens = Screens(narrow, wide)
        for terminal in (narrow, wide):
            terminal.run("top", *story.socket_of(NEAR))
            terminal.shows("survey")
        everything(screens, "calm", "3 of 3 nodes heard")
        screens.keys("Down", "Enter")
        screens.are("calm-story", "job watch", "STORY", "because hold can start it at")
        screens.keys("Escape", "Home")
        story.split()
        everything(screens, "split", "SPLIT", "galley cannot be heard here", "their side")
        story.finish()
        screens.are("split-done", "SPLIT", "provisional")
        story.heal()
        everything(screens, "healed", "HEALED", "done twice", "every answer is settled")
        # In its story the lines of the two sides may stand in either order.
        screens.keys("/", *"survey", "Enter", "Enter")
        wide.shows("its result is accepted", "its result is a duplicate, that of e-")
        screens.keys("?")
        screens.are("help", "Ctrl-Z")
        screens.keys("q")
        for terminal in (narrow, wide):
            terminal.shows("ended with 0")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "bacalhau-mesh 0a1b2c3d · asked bridge · 3 of 3 nodes heard      19:05:33 UTC",
            "bacalhau-mesh CLUSTER · asked bridge · 3 of 3 nodes heard TIME UTC",
        ),
        (
            "hold        ● alive       12 s     0.6 ms    1     ·    7%   1.9/2 8.1G/8.4G  70G/90G",
            "hold ● alive AGE AGE 1 · LOAD FREE FREE FREE",
        ),
        (
            "x   ● alive  1 min  asked  ·  ·  7%  8/8  16G/16G  70G/90G  0/1 scripted 1  wasm 50",
            "x ● alive AGE asked · · LOAD FREE FREE FREE ENGINES AND MORE",
        ),
        ("NAME▲  LOAD  CPU  MEMORY  DISK  GPU ENGINES", "NAME▲ LOAD CPU MEMORY DISK ENGINES"),
        (
            "x   ● alive  1 min  asked  ·  ·  7%  8/8 docker 29.1 scripted 1 wasm 50.0.1  os=linux",
            "x ● alive AGE asked · · LOAD FREE ENGINES AND MORE",
        ),
        ("▶ running   survey   0/1   1     ·  2 min", "▶ running survey 0/1 1 · AGE"),
        (
            "e-0a1b2c3d on bridge, e-11111111 on hold, e-0a1b2c3d again.",
            "e-1 on bridge, e-2 on hold, e-1 again.",
        ),
        ("+0.014 s  bridge  starts e-0a1b2c3d.", "+T bridge starts e-1."),
        ("+2 min 05 s  after 1.5 s", "+T after AGE"),
        ("1 Nodes 3   4 Events 117", "1 Nodes 3 4 Events N"),
    ],
)
def test_what_is_left_out_of_a_screen(line: str, told: str) -> None:
    assert normalised(line) == f"{told}\n"
