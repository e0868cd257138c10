"""What the page does with a feed of given frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mesh.edge.feed_server import FeedServer, fixture_frames, whole_snapshot
from tests.system.browser import Browser, browser
from tests.system.mesh_processes import until
from tests.system.page_stage import page_server

pytestmark = [pytest.mark.real("chromium")]
ROWS = "document.querySelectorAll('#jobs tbody tr').length"
AT_A_TIME = 100
Serve = Callable[..., FeedServer]


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as tab:
        tab.view(1280, 800)
        yield tab


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[FeedServer] = []

    def begin(frames: Any, port: int = 0) -> FeedServer:
        servers.append(page_server(frames, port))
        return servers[-1]

    yield begin
    for server in servers:
        server.stop()


def show(tab: Browser, server: FeedServer, place: str = "") -> None:
    tab.open("about:blank")
    tab.comes("location.href === 'about:blank'")
    tab.open(f"http://127.0.0.1:{server.port}/#/{place}")
    tab.shows("#live", "live")


def many_jobs(count: int) -> dict[str, Any]:
    """A snapshot of so many jobs, whose tally knows of two more."""
    data = whole_snapshot("calm")["data"]
    known = next(one for one in data["Jobs"] if one["State"] == "Completed")
    rows = [
        {**known, "ID": f"j-{number:04}", "Name": f"many-{number:04}", "Created": number + 1}
        for number in range(count)
    ]
    mesh = {**data["Mesh"], "Jobs": {"Completed": count + 2}}
    return {"event": "snapshot", "data": {**data, "Mesh": mesh, "Jobs": rows, "Executions": []}}


def test_a_count_shows_its_jobs(tab: Browser, serve: Serve) -> None:
    show(tab, serve(fixture_frames("calm")))
    tab.shows("#counts", "1 failed")
    failed = (
        "[...document.querySelectorAll('#counts button')].find((one) => /fail/.test(one.innerText))"
    )
    tab.value(f"{failed}.click()")
    tab.shows("#jobs-note", "1 of 12 jobs fits the filter")
    assert tab.value(ROWS) == 1
    assert "parse-log" in tab.text("#jobs tbody")
    assert tab.value(f"{failed}.getAttribute('aria-pressed')") == "true"
    tab.value(f"{failed}.click()")
    tab.comes(f"{ROWS} === 12")


def test_many_jobs_are_shown_some_at_a_time(tab: Browser, serve: Serve) -> None:
    server = serve([many_jobs(250)])
    show(tab, server)
    tab.shows("#jobs-note", "100 of 250 jobs are shown", "250 of 252")
    assert tab.value(ROWS) == AT_A_TIME
    assert "many-0249" in tab.text("#jobs tbody tr"), "the newest first"
    tab.click("#jobs-more")
    assert tab.value(ROWS) == 2 * AT_A_TIME
    assert "many-0149" in tab.value("document.activeElement.innerText"), "where it goes on"
    tab.shows("#jobs-all", "Look at all 252 jobs")
    asked = len(server.last_ids)
    tab.click("#jobs-all")
    until(lambda: len(server.last_ids) == asked + 1, "all of it is asked for")
    assert server.last_ids[-1] == "", "all of it is asked for anew"


def test_a_row_that_changes_keeps_what_has_the_focus(tab: Browser, serve: Serve) -> None:
    server = serve([many_jobs(3)])
    show(tab, server)
    tab.value("document.querySelector('#jobs a').focus()")
    job = many_jobs(3)["data"]["Jobs"][2]
    server.tell("changes", {"Jobs": [{**job, "Message": "changed meanwhile"}]})
    tab.shows("#jobs tbody", "changed meanwhile")
    assert tab.value("document.activeElement.innerText") == "many-0002"
    server.tell("changes", {"Gone": {"Jobs": [job["ID"]]}})
    tab.comes(f"{ROWS} === 2")


def test_an_empty_mesh(tab: Browser, serve: Serve) -> None:
    data = whole_snapshot("calm")["data"]
    mesh = {**data["Mesh"], "Members": 1, "Reachable": 1, "Jobs": {}, "Provisional": 0}
    alone = {"Mesh": mesh, "Nodes": data["Nodes"][:1], "Piece": 1, "More": False}
    show(tab, serve([{"event": "snapshot", "data": alone}]))
    tab.shows("#jobs-note", "No jobs yet", "bacalhau-mesh job run")
    tab.shows("#events-none", "Nothing yet")
    assert tab.text("#counts").split() == ["1", "node"]


def test_many_nodes_are_shown_some_at_a_time(tab: Browser, serve: Serve) -> None:
    data = whole_snapshot("calm")["data"]
    rows = [{**data["Nodes"][1], "ID": f"n-{at:02}", "Name": f"node-{at:02}"} for at in range(30)]
    rows[29]["State"] = "unreachable"
    show(tab, serve([{"event": "snapshot", "data": {**data, "Nodes": rows}}]))
    nodes = "document.querySelectorAll('#nodes tbody tr').length"
    tab.comes(f"{nodes} === 12")
    assert "node-29" in tab.text("#nodes tbody tr"), "what is in trouble comes first"
    tab.click("#nodes-all")
    tab.comes(f"{nodes} === 30")
    tab.shows("#nodes-all", "Show fewer")


def test_a_long_story_begins_with_its_end(tab: Browser, serve: Serve) -> None:
    server = serve(fixture_frames("calm"))
    job = next(one["ID"] for one in whole_snapshot("calm")["data"]["Jobs"])
    items = [
        {
            "Seq": at + 1,
            "Time": 10**6 * (1000 + 1500 * at),
            "NodeName": "lab",
            "Sentence": f"lab does step {at}",
            "Because": "It was next" if at % 2 else "",
            "Depth": at % 3,
        }
        for at in range(400)
    ]
    path = f"/api/v1/mesh/jobs/{job}/story"
    server.answers["GET", path] = {"CreateTime": 10**9, "Items": items}
    show(tab, server, f"job/{job}")
    tab.shows(".story", "+9 min 58 s", "does step 399", "because it was next")
    lines = "document.querySelectorAll('.story li').length"
    assert tab.value(lines) == 300
    at_depth = "document.querySelector('.story [data-depth=\"%d\"] div')"
    style = "parseInt(getComputedStyle(%s).marginLeft)"
    margins = [tab.value(style % (at_depth % depth)) for depth in range(3)]
    assert margins == sorted(set(margins)), "each step below what it follows from"
    tab.click(".earlier")
    tab.comes(f"{lines} === 400")
    tab.shows(".story", "+0.000 s")


def test_an_older_job_is_asked_for(tab: Browser, serve: Serve) -> None:
    server = serve([many_jobs(3)])
    whole = whole_snapshot("calm")["data"]
    job = next(one for one in whole["Jobs"] if one["Name"] == "thumbnails")
    parts = [one for one in whole["Executions"] if one["JobID"] == job["ID"]]
    server.of_job[job["ID"]] = {"Piece": 1, "More": False, "Jobs": [job], "Executions": parts}
    show(tab, server, f"job/{job['ID']}")
    tab.shows("#detail h1", "thumbnails")
    shown = "document.querySelectorAll('#detail .executions tbody tr').length"
    tab.comes(f"{shown} === {len(parts)}")
    show(tab, server, "job/j-nobody-knows-this")
    tab.shows("#detail .why", "It is not known here")


def test_a_node_that_goes_and_comes_back(tab: Browser, serve: Serve) -> None:
    server = serve(fixture_frames("calm"))
    show(tab, server)
    server.stop()
    tab.shows("#said", "bridge does not answer", "tries again by itself")
    tab.shows("#live", "not live")
    tab.shows("#nodes tbody", "galley")
    again = serve(fixture_frames("split"), server.port)
    tab.shows("#said", "The mesh is split")
    assert again.last_ids[0] == f"1-{len(fixture_frames('calm'))}", "it goes on where it was"


def test_a_node_that_was_updated_brings_its_page(tab: Browser, serve: Serve) -> None:
    server = serve(fixture_frames("calm"))
    show(tab, server)
    tab.value("window.first = true")
    server.stop()
    snapshot = whole_snapshot("calm")
    mesh = {**snapshot["data"]["Mesh"], "Version": "99.0.0"}
    serve([{**snapshot, "data": {**snapshot["data"], "Mesh": mesh}}], server.port)
    tab.comes("!window.first")
    tab.shows("#place", "version 99.0.0")


def test_a_page_that_was_left_holds_no_connection(tab: Browser, serve: Serve) -> None:
    server = serve(fixture_frames("calm"))
    # A browser opens six to one server, and keeps pages for the way back.
    for _ in range(8):
        show(tab, server)
    tab.call("Page.navigateToHistoryEntry", entryId=earlier(tab))
    tab.shows("#live", "live")


def earlier(tab: Browser) -> int:
    history = tab.call("Page.getNavigationHistory")
    return int(history["entries"][history["currentIndex"] - 2]["id"])


def test_a_program_that_prints_much_is_shown_with_its_end(tab: Browser, serve: Serve) -> None:
    server = serve(fixture_frames("calm"))
    job = next(one["ID"] for one in whole_snapshot("calm")["data"]["Jobs"])
    line = b'data: {"value": {"Type": 1, "Line": "\\u001b[31mline %d\\n"}}\n\n'
    server.answers["GET", f"/api/v1/mesh/jobs/{job}/logs"] = [line % at for at in range(5000)]
    show(tab, server, f"job/{job}")
    tab.shows("#detail", "That is all of it", "line 4999")
    assert tab.value("document.querySelector('.logs').childNodes.length") == 3000
    assert "[31m" not in tab.text(".logs"), "what is meant for a terminal is taken out"
    at_end = "(box) => box.scrollTop + box.clientHeight > box.scrollHeight - 5"
    assert tab.value(f"({at_end})(document.querySelector('.logs'))")


PICTURE_LAW = """(async () => {
  const { Picture, jobsInOrder, jobIsOver } = await import("/page/picture.js");
  let seed = SEED;
  const chance = (below) => (seed = (seed * 48271) % 2147483647) % below;
  const states = ["Running", "Pending", "Queued", "Completed", "Failed", "Stopped"];
  const live = { Running: 0, Pending: 1, Queued: 1 };
  const id = () => `j-${chance(4000)}`;
  const row = () => (
    { ID: id(), State: states[chance(6)], Created: chance(50), Modified: chance(1000) });
  const rows = (count) => Array.from({ length: count }, row);
  const order = (a, b) => (live[a.State] ?? 2) - (live[b.State] ?? 2)
    || b.Created - a.Created || (a.ID < b.ID ? -1 : 1);
  const picture = new Picture();
  picture.jobsKept = 100;
  picture.apply("snapshot", { Piece: 1, More: false, Mesh: {}, Jobs: rows(200) });
  for (let step = 0; step < 200; step++) {
    const Jobs = rows(chance(20)), Gone = { Jobs: [id()] };
    picture.apply("changes", chance(3) ? { Jobs } : { Jobs, Gone });
    if (chance(3)) continue;
    const told = jobsInOrder(picture.shown);
    const wanted = [...picture.shown.jobs.values()].sort(order);
    const same = told.length === wanted.length && told.every((one, at) => one === wanted[at]);
    if (!same) return `wrong order at ${step}`;
    const over = told.filter(jobIsOver).length;
    // What is over goes beyond 100, looked at every 200 rows; at most 20 come in a step.
    if (over > Math.max(0, 100 - (told.length - over)) + 220) return `${over} that are over`;
  }
  return "well";
})()"""


@pytest.mark.parametrize("seed", range(1, 6))
def test_jobs_stay_in_order_whatever_comes(tab: Browser, serve: Serve, seed: int) -> None:
    show(tab, serve(fixture_frames("calm")))
    assert tab.value(PICTURE_LAW.replace("SEED", str(seed))) == "well"


SOON = """const later = window.setTimeout;
window.setTimeout = (call, after, ...rest) => later(call, after === 30000 ? 20 : after, ...rest);"""
HIDE = """Object.defineProperty(document, "hidden", { get: () => %s, configurable: true });
document.dispatchEvent(new Event("visibilitychange"));"""


def test_a_page_that_nobody_looks_at_rests(tab: Browser, serve: Serve) -> None:
    server = serve(fixture_frames("calm"))
    script = tab.call("Page.addScriptToEvaluateOnNewDocument", source=SOON)["identifier"]
    show(tab, server)
    tab.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script)
    tab.value(HIDE % "true")
    tab.shows("#live", "paused")
    server.tell("changes", fixture_frames("split")[-1]["data"])
    assert len(server.last_ids) == 1
    tab.value(HIDE % "false")
    tab.shows("#said", "The mesh is split")
    assert server.last_ids[1:] == [f"1-{len(fixture_frames('calm'))}"], "where it was"


def test_the_browser_had_nothing_to_say(serve: Serve, tmp_path: Path) -> None:
    with browser(tmp_path) as other:
        for name in ("calm", "split", "healed"):
            show(other, serve(fixture_frames(name)))
        assert other.complaints == []
