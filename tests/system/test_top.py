"""`bacalhau-mesh top` in a real terminal, at real nodes: whole, split, and whole again."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from tests.system.mesh_processes import Mesh, scripted_job, until
from tests.system.terminals import Terminal

pytestmark = [
    pytest.mark.real("tmux"), pytest.mark.real("loopback"), pytest.mark.real("wasm"),
    pytest.mark.slow,
]  # fmt: skip
NAMES = ("bridge", "galley", "hold")
SIZES = [(80, 24), (200, 50)]


@pytest.fixture(scope="module")
def trio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with Mesh(tmp_path_factory.mktemp("trio")) as mesh:
        yield mesh.started(*NAMES, options={"bridge": ["--allow-faults"]})


@pytest.fixture(params=SIZES, ids=["80x24", "200x50"])
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    with Terminal(tmp_path, *request.param) as terminal:
        yield terminal


def at(mesh: Mesh, name: str) -> tuple[str, str]:
    return "--data-dir", str(mesh[name].data_dir)


def normalised(screen: str) -> list[str]:
    """Lines with ids, times and what a machine has replaced, blanks as one."""
    patterns = (
        (r"\b([jen])-[0-9a-z]{8,}\b", r"\1-ID"),
        (r"\d\d:\d\d:\d\d", "TIME"),
        (r"\b\d+ (s|min|h|days?|ms)\b", "AGE"),
        (r"\b[0-9.]+ ms\b", "AGE"),
        (r"bacalhau-mesh [0-9a-f]{8}", "bacalhau-mesh ID"),
        (r"[0-9.?]+[TGMk]?/[0-9.]+[TGMk]?", "FREE"),
        (r"\b\d+%", "LOAD"),
    )
    for pattern, word in patterns:
        screen = re.sub(pattern, word, screen)
    return [" ".join(line.split()) for line in screen.splitlines()]


def test_whole_split_and_whole_again(trio: Mesh, terminal: Terminal) -> None:
    bridge = trio["bridge"].api
    name = f"watch-{os.urandom(3).hex()}"
    bridge.run(scripted_job(600_000, Name=name, Count=3))
    bridge.running(name)
    terminal.run("top", *at(trio, "bridge"))
    calm = normalised(terminal.shows("3 of 3 nodes heard", name, "q  quit"))
    assert calm[0] == "bacalhau-mesh ID · asked bridge · 3 of 3 nodes heard TIME UTC"
    assert any(line.startswith(f"▶ running {name}") for line in calm)
    terminal.keys("1")
    terminal.shows("NAME▲", "● alive", "galley", "asked")
    assert trio["bridge"].run_socket("faults", "cut", "galley", "hold").code == 0
    try:
        split = terminal.shows("SPLIT", "galley and hold cannot be heard here", "✗ unreachable")
        assert re.search(r" our side    1 node, \d executions? running", split)
        assert re.search(rf" their side  \d executions? asked of it: .*{name}", split)
    finally:
        assert trio["bridge"].run_socket("faults", "heal").code == 0
    terminal.shows("HEALED", "all 3 nodes are heard", without="✗ unreachable")
    terminal.keys("4")
    terminal.shows("WHAT HAPPENED")
    terminal.keys("2", "Enter")
    terminal.shows("STORY", "owner")
    terminal.keys("Enter")
    terminal.shows("OUTPUT")
    terminal.keys("Escape")
    terminal.shows("STORY")
    terminal.keys("Escape")
    terminal.shows("q  quit", name)
    terminal.keys("/", *name, "Enter", "x")
    terminal.shows(f"Stop {name}?")
    terminal.keys("y")
    terminal.shows("■ stopped")
    terminal.keys("q")
    terminal.shows("ended with 0")
    assert not terminal.in_full_screen()


def test_resize_and_monochrome(trio: Mesh, tmp_path: Path) -> None:
    with Terminal(tmp_path, 80, 24) as terminal:
        terminal.run("top", *at(trio, "hold"), environment={"NO_COLOR": "1"})
        terminal.shows("asked hold", "q  quit")
        coloured = re.findall(r"\x1b\[([0-9;]*)m", terminal.coloured())
        codes = {code for codes in coloured for code in codes.split(";")}
        assert codes <= {"", "0", "1", "2", "4", "7", "39", "49"}
        terminal.resize(160, 40)
        terminal.keys("1")
        terminal.shows("LABELS")
        terminal.resize(60, 12)
        terminal.shows("NAME▲", without="LABELS")
        terminal.resize(40, 10)
        narrow = terminal.shows("hold · 3 of 3 heard", "1 Nodes 2 Jobs 3 Executions 4 Events")
        assert re.search(r"NAME▲ +STATE +RUN +WAIT", narrow)
        assert re.search(r"\? +help +q +quit", narrow)
        assert sum("…" in line for line in narrow.splitlines()) <= 1, "the line about the row"
        terminal.keys("C-c")
        terminal.shows("ended with 0")


def test_terminal_is_restored_when_it_is_told_to_end(trio: Mesh, tmp_path: Path) -> None:
    with Terminal(tmp_path, 80, 24) as terminal:
        terminal.run("top", *at(trio, "galley"))
        terminal.shows("asked galley", "q  quit")
        [top] = psutil.Process(terminal.pid()).children()
        top.send_signal(signal.SIGTERM)
        terminal.shows(f"ended with {128 + signal.SIGTERM}")
        assert not terminal.in_full_screen()


BROKEN = """
import mesh.edge.tui.main as main
from mesh.__main__ import main as run

def hints_line(page):
    raise KeyError("Colour")

main.MainPage.hints_line = hints_line
run()
"""


def test_a_mistake_of_ours_gives_the_terminal_back_and_is_told_in_a_sentence(
    trio: Mesh, tmp_path: Path
) -> None:
    with Terminal(tmp_path, 80, 24) as terminal:
        environment = {"TMPDIR": str(tmp_path)}
        terminal.run("top", *at(trio, "galley"), environment=environment, program=("-c", BROKEN))
        screen = terminal.shows("ended with 1")
        assert not terminal.in_full_screen()
        assert "Error: a mistake in bacalhau-mesh itself ended this command: KeyError:" in screen
        assert "Traceback" not in screen
    [details] = tmp_path.glob("bacalhau-mesh-*.txt")
    assert "Traceback" in details.read_text()
    assert details.stat().st_mode & 0o077 == 0


def test_node_that_starts_again(trio: Mesh, tmp_path: Path) -> None:
    with Terminal(tmp_path, 80, 24) as terminal:
        others = ",".join(trio[one].page["api_addresses"][0] for one in ("hold", "galley"))
        environment = {"BACALHAU_MESH_API": others}
        terminal.run("top", "--any-node", environment=environment)
        terminal.shows("asked hold")
        trio["hold"].kill()
        terminal.shows("asked galley", "hold cannot be heard")
        terminal.keys("q")
        terminal.shows("ended with 0")
    trio["hold"].start().ready()
    until(lambda: trio["galley"].api.peers().get("hold") == "alive", "hold is back")
