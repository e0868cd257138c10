from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from textual import events

from mesh.edge.cli.connect import Endpoint
from mesh.edge.palette import MONOCHROME
from mesh.edge.tui.rows import RowsTable
from tests.mesh.edge.feed_server import FeedServer, fixture_frames
from tests.mesh.edge.tui.screens import Screen, on_screen


@pytest.fixture
def calm() -> Iterator[FeedServer]:
    with FeedServer(fixture_frames("calm")) as server:
        yield server


def job_rows(server: FeedServer) -> dict[str, Any]:
    frames = fixture_frames("calm")
    return {row["Name"]: row for frame in frames for row in frame["data"].get("Jobs", ())}


@pytest.mark.parametrize(
    ("size", "states"),
    [
        ((80, 24), "▶ 4 running … 2 queued"),
        ((200, 50), "▶ 4 running … 2 queued"),
        ((40, 10), "▶ 4 … 2 ✗ 1 ■ 1 ✓ 4 · 1 provisional"),
    ],
)
def test_four_tables(calm: FeedServer, size: tuple[int, int], states: str) -> None:
    async def look(screen: Screen) -> None:
        await screen.shows("vibration", "STATE▲", states)
        await screen.press("1")
        await screen.shows("engine-room", "NAME▲")
        await screen.press("3")
        await screen.shows("e-")
        await screen.press("tab")
        await screen.shows("WHAT HAPPENED")
        await screen.press("tab")
        await screen.shows("NAME▲")
        await screen.press("shift+tab")
        await screen.shows("WHAT HAPPENED")

    on_screen(calm, look, size=size)


def test_change_is_shown(calm: FeedServer) -> None:
    async def look(screen: Screen) -> None:
        await screen.shows("map-server")
        row = job_rows(calm)["map-server"]
        calm.tell("changes", {"Jobs": [row | {"State": "Failed", "Message": "It fell over."}]})
        await screen.shows("It fell over.")
        calm.tell("changes", {"Gone": {"Jobs": [row["ID"]]}})
        await screen.shows("2 Jobs 11", without="map-server")

    on_screen(calm, look)


def test_split_and_heal() -> None:
    frames = fixture_frames("healed")
    with FeedServer(frames[:3]) as server:

        async def look(screen: Screen) -> None:
            await screen.shows("5 of 5 nodes heard", without="SPLIT")
            server.tell(frames[3]["event"], frames[3]["data"])
            await screen.shows("SPLIT", "galley and lab cannot be heard", "5 executions asked")
            server.tell(frames[4]["event"], frames[4]["data"])
            await screen.shows("HEALED", "1 duplicate kept", without="SPLIT")

        on_screen(server, look)


def test_filter(calm: FeedServer) -> None:
    async def look(screen: Screen) -> None:
        await screen.shows("vibration-fft", "fuel-report")
        await screen.press("slash", *"spectra", "space", *"queued")
        await screen.shows("filter:", "spectra-eval", without="fuel-report")
        await screen.press("backspace", "enter")
        await screen.shows("only: spectra queue", without="filter:")
        await screen.press("escape")
        await screen.shows("fuel-report", without="only:")
        await screen.press("slash", *"qq")
        await screen.shows("filter:  qq", "Nothing here has all of these", without="vibration-fft")
        await screen.press("escape")
        await screen.shows("fuel-report", without="filter:")

    on_screen(calm, look)


def names(screen: Screen) -> list[str]:
    table = screen.app._main.table()
    return [table.rows.row(table.rows.at(at))["Name"] for at in range(len(table.rows))]  # type: ignore[index]


def test_sort_by_key_and_by_mouse(calm: FeedServer) -> None:
    async def look(screen: Screen) -> None:
        await screen.shows("STATE▲")
        await screen.press("s")
        await screen.shows("JOB▲")
        assert names(screen) == sorted(names(screen))
        await screen.press("S")
        await screen.shows("JOB▼")
        assert names(screen) == sorted(names(screen), reverse=True)
        table = screen.app._main.table()
        await screen.pilot.click(table, offset=(2, 0))
        await screen.shows("STATE▲")
        await screen.pilot.click(table, offset=(2, 0))
        await screen.shows("STATE▼")

    on_screen(calm, look)


def test_mouse_goes_and_opens(calm: FeedServer) -> None:
    async def look(screen: Screen) -> None:
        await screen.shows("ais-listener")
        table = screen.app._main.table()
        await screen.pilot.click(table, offset=(20, 3))
        await screen.shows(" j-ca1888e9 ais-listener:")
        await screen.pilot.click(table, offset=(20, 3))
        await screen.shows("job ais-listener", "STORY")
        await screen.press("escape")
        await screen.shows("STATE▲")
        tabs = screen.app._main.query_one("#tabs")
        await screen.pilot.click(tabs, offset=(3, 0))
        await screen.shows("NAME▲")

    on_screen(calm, look)


def test_cursor_stays_with_its_row(calm: FeedServer) -> None:
    async def look(screen: Screen) -> None:
        await screen.shows("vibration-fft")
        await screen.press("j", "j")
        table = screen.app._main.table()
        chosen = table.chosen_id
        row = job_rows(calm)["fuel-report"]
        new = [row | {"ID": f"j-new{at}", "Name": f"new-{at}", "State": "Running",
                      "Created": row["Created"] + 10**9} for at in range(3)]  # fmt: skip
        calm.tell("changes", {"Jobs": new})
        await screen.shows("2 Jobs 15")
        assert table.chosen_id == chosen
        assert table.cursor_index == 5
        await screen.press("home")
        calm.tell("changes", {"Jobs": [row | {"ID": "j-newer", "Name": "newer", "State": "Running",
                                              "Created": row["Created"] + 2 * 10**9}]})  # fmt: skip
        await screen.shows("newer")
        assert table.cursor_index == 0

    on_screen(calm, look)


def test_story_then_output(calm: FeedServer) -> None:
    row = job_rows(calm)["vibration-fft"]
    base = f"/api/v1/mesh/jobs/{row['ID']}"
    told = {"Seq": 1, "Time": 1_000_000_000, "NodeName": "bridge", "Depth": 0,
            "Sentence": "bridge placed it", "Because": ""}  # fmt: skip
    calm.answers["GET", f"{base}/story"] = {
        "JobID": row["ID"], "Name": "", "State": {"StateType": "Running"}, "Settled": False,
        "CreateTime": 0, "Items": [told],
    }  # fmt: skip
    frame = b'data: {"value": {"Type": 1, "Line": "step 1\\n\\u001b[2Jstep 2\\n"}}\n\n'
    calm.answers["GET", f"{base}/logs"] = [frame]

    async def look(screen: Screen) -> None:
        await screen.shows("vibration-fft")
        await screen.press("enter")
        await screen.shows("job vibration-fft", "+1.000 s  bridge  placed it.")
        await screen.press("enter")
        await screen.shows("execution e-", "step 1", "\\x1b[2Jstep 2", "it has ended")
        await screen.press("escape")
        await screen.shows("STORY")
        await screen.press("escape")
        await screen.shows("Enter  story")

    on_screen(calm, look)


def test_story_of_a_node_without_one_is_its_history(calm: FeedServer) -> None:
    row = job_rows(calm)["vibration-fft"]
    item = {"Time": "2026-11-25T09:46:40.000Z", "Event": {"Message": "Job submitted"}}
    path = f"/api/v1/orchestrator/jobs/{row['ID']}/history"
    calm.answers["GET", path] = {"Items": [item]}

    async def look(screen: Screen) -> None:
        await screen.shows("vibration-fft")
        await screen.press("enter")
        await screen.shows("09:46:40  job         Job submitted")

    on_screen(calm, look)


def test_node_page(calm: FeedServer) -> None:
    frames = fixture_frames("calm")
    node = next(one for one in frames[0]["data"]["Nodes"] if one["Name"] == "bridge")
    answer: dict[str, Any] = {"Refusals": {"capacity": 2}, "Refused": [], "Counters": None}
    calm.answers["GET", f"/api/v1/mesh/nodes/{node['ID']}"] = answer

    async def look(screen: Screen) -> None:
        await screen.press("1", "enter")
        await screen.shows("node bridge", "2 for want of capacity", "e-d901fb6e")

    on_screen(calm, look)


def call(method: str, path: str, **body: str) -> tuple[str, str, dict[str, str]]:
    return method, f"/api/v1/{path}", body


STOP = call("DELETE", "orchestrator/jobs/{job}", Namespace="default", Reason="Stopped from top")
RERUN = call(
    "PUT", "orchestrator/jobs/{job}/rerun", Namespace="default", Reason="Run again from top"
)
CORDON = call("PUT", "mesh/nodes/{node}/intent", Intent="cordoned")
DRAIN = call("PUT", "mesh/nodes/{node}/intent", Intent="draining")


@pytest.mark.parametrize(
    ("keys", "title", "wanted", "done"),
    [
        ("x", "Stop vibration-fft?", STOP, "vibration-fft is stopped."),
        ("r", "Run vibration-fft again?", RERUN, "vibration-fft runs again."),
        ("1c", "Cordon bridge?", CORDON, "bridge is cordoned."),
        ("1d", "Drain bridge?", DRAIN, "bridge is draining."),
    ],
)
def test_what_is_done_is_asked_first(
    calm: FeedServer, keys: str, title: str, wanted: tuple[str, str, Any], done: str
) -> None:
    node = fixture_frames("calm")[0]["data"]["Nodes"][0]["ID"]
    method, path, body = wanted
    path = path.format(job=job_rows(calm)["vibration-fft"]["ID"], node=node)
    calm.answers[method, path] = {"EvaluationID": "1"}

    async def look(screen: Screen) -> None:
        await screen.shows("vibration-fft")
        await screen.press(*keys)
        await screen.shows(title)
        await screen.press("n")
        await screen.shows("asked bridge")
        assert calm.asked == []
        await screen.press(keys[-1])
        await screen.shows(title)
        await screen.press("enter", "y")
        await screen.shows(done)
        assert calm.asked == [(method, path, body)]

    on_screen(calm, look)


def test_a_refusal_is_told(calm: FeedServer) -> None:
    async def look(screen: Screen) -> None:
        await screen.shows("vibration-fft")
        await screen.press("x", "y")
        await screen.shows("nothing at /api/v1/orchestrator/jobs/")

    on_screen(calm, look)


def test_nothing_to_stop(calm: FeedServer) -> None:
    async def look(screen: Screen) -> None:
        await screen.shows("fuel-report")
        await screen.press("slash", *"fuel", "enter", "x")
        await screen.shows("fuel-report is over already")

    on_screen(calm, look)


def test_help_and_quit(calm: FeedServer) -> None:
    async def look(screen: Screen) -> None:
        await screen.press("question_mark")
        await screen.shows("only rows with these words")
        await screen.press("escape")
        await screen.shows("STATE▲")
        await screen.press("q")

    assert on_screen(calm, look).return_code in (0, None)


def test_node_that_is_gone_and_comes_back() -> None:
    frames = fixture_frames("calm")
    server = FeedServer(frames)
    port = server.port
    again: list[FeedServer] = []

    async def look(screen: Screen) -> None:
        await screen.shows("vibration-fft")
        server.stop()
        await screen.shows("LOST", "it is asked again by itself")
        again.append(FeedServer(frames, port))
        await screen.shows("vibration-fft", without="LOST")

    try:
        on_screen(server, look)
        assert again[0].last_ids[0] == f"1-{len(frames)}"
    finally:
        for one in again:
            one.stop()


def test_another_node_when_the_first_is_gone() -> None:
    first = FeedServer(fixture_frames("calm"))
    with FeedServer(fixture_frames("healed")) as second:
        other = Endpoint("127.0.0.1", second.port)

        async def look(screen: Screen) -> None:
            await screen.shows("4 Events 15")
            first.stop()
            await screen.shows("4 Events 25", without="LOST")
            assert screen.app.endpoint == other

        on_screen(first, look, more=(other,))


def test_escape_and_a_letter_that_come_as_one(calm: FeedServer) -> None:
    async def look(screen: Screen) -> None:
        await screen.press("enter")
        await screen.shows("STORY")
        screen.app.post_message(events.Key("alt+s", "s"))
        await screen.shows("JOB▲", without="STORY")
        screen.app.post_message(events.Key("alt+up", None))
        await screen.press("1")
        await screen.shows("NAME▲")

    on_screen(calm, look)


@pytest.mark.parametrize("pages", [1, 3])
def test_keys_typed_ahead_go_to_the_page_that_is_then_shown(calm: FeedServer, pages: int) -> None:
    async def look(screen: Screen) -> None:
        await screen.press("down")
        table = screen.app._main.table()
        screen.typed_ahead(*["enter", "escape"] * pages, "end")
        await screen.until(lambda: table.cursor_index == len(table.rows) - 1, "at the end")
        await screen.shows("STATE▲", without="STORY")
        await screen.press("enter")
        await screen.shows("STORY")
        screen.typed_ahead("escape", "home")
        await screen.until(lambda: table.cursor_index == 0, "on top")
        await screen.shows("STATE▲", without="STORY")

    on_screen(calm, look)


def test_banners_leave_room_on_a_small_screen() -> None:
    with FeedServer(fixture_frames("split")) as server:

        async def look(screen: Screen) -> None:
            text = await screen.shows(" SPLIT ", "STATE▲")
            assert "our side" in text
            assert "vibration-f" in text
            await screen.pilot.resize_terminal(40, 10)
            text = await screen.shows(" SPLIT       galley and lab cannot be …", "vibration-f")
            assert "✗" in text
            table = screen.app._main.table()
            await screen.until(lambda: len(table.lines) >= 3, "laid out anew, two rows in sight")

        on_screen(server, look, size=(40, 20))


def test_resize(calm: FeedServer) -> None:
    async def look(screen: Screen) -> None:
        await screen.shows("vibration-fft", without="OWNER")
        await screen.pilot.resize_terminal(160, 40)
        await screen.shows("OWNER")
        await screen.pilot.resize_terminal(30, 8)
        await screen.shows("STATE▲", without="OWNER")

    on_screen(calm, look)


def test_monochrome(calm: FeedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def look(screen: Screen) -> None:
        await screen.shows("▶ running", "… queued", "✗ failed", "✓ completed", "■ stopped")
        table = screen.app.screen.query(RowsTable).first()
        assert table._palette is MONOCHROME

    on_screen(calm, look)


def test_empty_mesh() -> None:
    mesh = fixture_frames("calm")[0]["data"]["Mesh"] | {"Jobs": {}, "Provisional": 0}
    data = {"Piece": 1, "More": False, "Mesh": mesh, "Nodes": [], "Jobs": [], "Executions": []}
    with FeedServer([{"event": "snapshot", "data": data}]) as server:

        async def look(screen: Screen) -> None:
            await screen.shows("No jobs yet")
            await screen.press("enter", "x", "r", "j", "s")
            await screen.press("3", "enter", "4", "enter", "1", "enter", "c", "d")
            await screen.shows("No nodes are known.")

        on_screen(server, look)
