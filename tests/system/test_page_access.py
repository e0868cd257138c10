"""The page for everybody: for those who do not see it, use no mouse, or look at it on a phone."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.mesh.edge.feed_server import FeedServer, fixture_frames
from tests.system.browser import Browser, browser
from tests.system.page_checks import (
    BROKEN,
    CONTROLS,
    FOCUSED,
    MOVING,
    PALE,
    REACHABLE,
    beyond,
    levels,
    name,
    role,
    tables,
    told,
)
from tests.system.page_stage import page_server

pytestmark = [pytest.mark.real("chromium")]
DESK, PHONE, SMALL_PHONE, ZOOMED = (1280, 800), (390, 844), (360, 640), (640, 400)
"""The last is a desk's window at 200 %."""
LONG = "a_name_without_an_end" * 14
VIEWS = ("calm", "split", "healed", "job", "node", "unknown", "entry")


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as tab:
        yield tab


@pytest.fixture(scope="module")
def meshes() -> Iterator[dict[str, FeedServer]]:
    servers = {word: page_server(fixture_frames(word)) for word in ("calm", "split", "healed")}
    yield servers
    for server in servers.values():
        server.stop()


def id_of(kind: str, called: str) -> str:
    rows = [row for frame in fixture_frames("calm") for row in frame["data"].get(kind, ())]
    return str(next(row["ID"] for row in rows if row["Name"] == called))


def opened(tab: Browser, meshes: dict[str, FeedServer], view: str) -> None:
    """The view, once all of it is there."""
    server = meshes[view if view in meshes else "healed"]
    job, origin = id_of("Jobs", "vibration-fft"), f"http://127.0.0.1:{server.port}"
    item = {"Seq": 1, "Kind": "job_created", "Time": 0, "NodeName": "bridge", "Depth": 0}
    item |= {"Sentence": f"bridge took the job {LONG}", "Because": "it was asked to"}
    frame = b'data: {"value": {"Type": 2, "Line": "%s\\n"}}\n\n' % LONG.encode()
    calls = f"/api/v1/mesh/jobs/{job}"
    server.answers["GET", f"{calls}/story"] = {"CreateTime": 0, "Items": [item]}
    server.answers["GET", f"{calls}/logs"] = [frame]
    tab.open("about:blank")
    tab.comes("location.href === 'about:blank'")
    if view == "entry":
        tab.open(f"{origin}/entry")
        tab.shows("main", "bacalhau-mesh page")
        return
    place = {"job": f"job/{job}", "node": f"node/{id_of('Nodes', 'lab')}", "unknown": "node/n-x"}
    tab.open(f"{origin}/#/{place.get(view, '')}")
    words = {"job": (LONG, "That is all of it"), "node": ("Addresses",), "unknown": ("Unknown",)}
    tab.shows("#live", "live")
    tab.shows("main", *words.get(view, ("vibration-fft",)))


@pytest.mark.parametrize("view", VIEWS)
def test_what_a_screen_reader_is_given(
    tab: Browser, meshes: dict[str, FeedServer], view: str
) -> None:
    tab.view(*DESK)
    opened(tab, meshes, view)
    tree = tab.tree()
    known = told(tree)
    assert [one for one in known if role(one) in CONTROLS and not name(one)] == []
    counts = Counter(map(role, known))
    assert (counts["main"], counts["banner"]) == (1, 1)
    assert counts["contentinfo"] == (0 if view == "entry" else 1)
    found = levels(tree)
    assert found[0] == 1
    assert found.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(found))
    for table, headers, cells in tables(tree):
        assert table
        assert headers > 2
        assert cells <= {headers}, table
        assert cells or view == "unknown"
    assert counts["table"] == {"job": 1, "node": 1, "entry": 0, "unknown": 0}.get(view, 2)
    regions = [one for one in known if role(one) == "region"]
    assert [one for one in regions if not name(one)] == []
    assert counts["status"] >= 1


def test_a_split_is_said_aloud(tab: Browser, meshes: dict[str, FeedServer]) -> None:
    tab.view(*DESK)
    opened(tab, meshes, "split")
    (said,) = [one for one in told(tab.tree()) if role(one) == "status" and said_in(tab, one)]
    live = {one["name"]: one["value"]["value"] for one in said["properties"]}
    assert live["live"] == "polite"
    assert "The mesh is split" in tab.text("#said")
    opened(tab, meshes, "calm")
    assert tab.value("document.getElementById('said').checkVisibility()"), "it is there before"


def said_in(tab: Browser, node: Any) -> bool:
    told = tab.call("DOM.describeNode", backendNodeId=node["backendDOMNodeId"])
    return "said" in told["node"].get("attributes", ())


@pytest.mark.parametrize("view", ["split", "job", "node", "entry"])
def test_everything_is_reached_by_tab_and_is_seen_to_be(
    tab: Browser, meshes: dict[str, FeedServer], view: str
) -> None:
    tab.view(*DESK)
    opened(tab, meshes, view)
    wanted = tab.value(REACHABLE)
    reached: dict[float, str] = {}
    for _ in range(wanted + 2):
        tab.press("Tab")
        one = tab.value(FOCUSED)
        if one is None or one["key"] in reached:
            break
        assert one["ringed"], one
        assert one["seen"], one
        reached[one["key"]] = one["what"]
    assert len(reached) == wanted, list(reached.values())


def focused(tab: Browser) -> str:
    return str(tab.value("document.activeElement.id || document.activeElement.textContent"))


def test_keys(tab: Browser, meshes: dict[str, FeedServer]) -> None:
    tab.view(*DESK)
    opened(tab, meshes, "calm")
    tab.press("Tab")
    assert focused(tab) == "Skip to the content"
    tab.press("Enter")
    tab.comes("document.activeElement.id === 'main'")
    tab.press("/")
    assert focused(tab) == "filter"
    tab.press("spectra")
    tab.shows("#jobs-note", "2 of 12 jobs fit the filter")
    tab.press("ArrowDown")
    assert focused(tab) == "spectra-train"
    tab.press("End")
    assert focused(tab) == "spectra-eval"
    tab.press("ArrowUp", "ArrowUp")
    assert focused(tab) == "spectra-train"
    tab.press("Enter")
    tab.shows("#detail h1", "spectra-train")
    tab.press("Escape")
    tab.comes("!document.getElementById('overview').hidden")
    assert focused(tab) == "spectra-train", "back where one was"
    tab.press("/", "Escape")
    assert tab.value("document.getElementById('filter').value") == ""
    tab.press("Escape")
    assert focused(tab) == "main"


@pytest.mark.parametrize("view", VIEWS)
def test_it_can_be_read_on_every_screen(
    tab: Browser, meshes: dict[str, FeedServer], view: str
) -> None:
    tab.view(*DESK)
    opened(tab, meshes, view)
    if view in meshes:
        job = next(row for one in fixture_frames("calm") for row in one["data"].get("Jobs", ()))
        long = {"Name": LONG, "Message": LONG, "Where": [LONG], "Owner": LONG, "Created": 0}
        meshes[view].tell("changes", {"Jobs": [{**job, **long, "ID": f"j-{LONG}"}]})
        tab.shows("#jobs", LONG)
    for dark in (False, True):
        tab.view(*DESK, dark=dark)
        ground = tab.value("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(15, 22, 23)") == dark
        assert tab.value(PALE) == []
    for size in (PHONE, SMALL_PHONE, ZOOMED, DESK):
        tab.view(*size, still=True)
        assert tab.value(beyond(size[0])) == [], size
        assert tab.value(BROKEN) == [], size
    assert tab.value(MOVING) == []
