"""The page in a real browser, on a real mesh."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest
import wasmtime

from tests.runtime.programs import module, write
from tests.system.browser import Browser, browser
from tests.system.mesh_processes import (
    Mesh,
    execution_states,
    executions,
    placed_on,
    scripted_job,
    until,
    wasm_job,
)

pytestmark = [pytest.mark.real("chromium"), pytest.mark.real("loopback"), pytest.mark.real("wasm")]

MARKUP = "<img src=x onerror=\"document.title='harmed'\"><b>bold</b>"

TICKING = module(
    f"""(loop $again (local.set $n (i32.const 0))
          (loop $pause (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $pause (i32.lt_u (local.get $n) (i32.const 50000000))))
          {write(1, 1024, 5)} (br $again))""",
    uses=("fd_write",),
    data=r'(data (i32.const 1024) "tick\n")',
)
"""Prints until it is stopped, with a pause that only a program can make."""


def stays_calm(tab: Browser, origin: str) -> None:
    """No complaint in the console, nothing asked of anybody else."""
    assert tab.complaints == []
    assert [one for one in tab.asked if not one.startswith(origin)] == []


def job_id_of(tab: Browser, name: str) -> str:
    found = "[...document.querySelectorAll('#jobs tbody tr')]"
    return str(tab.value(f"{found}.find((row) => row.innerText.includes({name!r}))?.dataset.id"))


NAMES = ("harbour", "quay", "tower")


def test_nodes_and_jobs(mesh: Mesh, tmp_path: Path) -> None:
    mesh.started(*NAMES)
    harbour = mesh["harbour"]
    origin = f"http://{harbour.page['api_addresses'][0]}/"
    with browser(tmp_path) as tab:
        tab.open(origin)
        for name in NAMES:
            tab.shows("#nodes tbody", name, "alive")
        tab.shows("#live", "live")
        done = harbour.api.submit(scripted_job(Name="quick", Labels={"team": "sea"}))
        tab.shows("#jobs tbody", "quick", "Completed")
        hostile = scripted_job(Labels={"note": MARKUP}, Name=MARKUP)
        assert harbour.api.submit(hostile).status == 200
        tab.shows("#jobs tbody", MARKUP)
        assert tab.value("document.querySelectorAll('#jobs img, #jobs b').length") == 0

        tab.value(f"location.hash = '#/job/{done.body['JobID']}'")
        tab.shows("#detail", "quick", "Completed", "team=sea", "played", "That is all of it")
        tab.shows(".story", "harbour")
        tab.value(f"location.hash = '#/job/' + {job_id_of(tab, 'onerror')!r}")
        tab.shows("#detail", MARKUP)
        assert tab.value("document.querySelectorAll('#detail img, #detail b').length") == 0
        assert MARKUP in str(tab.value("document.title"))
        stays_calm(tab, origin)


PARTS = """[...document.querySelectorAll("#detail .executions tbody tr")].map((row) => [
  row.dataset.id, row.querySelector("td:nth-child(3)").innerText,
  row.innerText.includes("its result is accepted"), row.innerText.includes("duplicate"),
])"""


def test_a_split_its_end_and_what_was_done_twice(mesh: Mesh, tmp_path: Path) -> None:
    mesh.started(*NAMES, options={"harbour": ["--allow-faults"]})
    harbour = mesh["harbour"]
    origin = f"http://{harbour.page['api_addresses'][0]}/"
    with browser(tmp_path) as tab:
        tab.open(origin)
        tab.view(1280, 800)
        tab.shows("#counts", "3 nodes")
        job = harbour.api.submit(scripted_job(4000, Name="survey", Count=3)).body["JobID"]
        until(
            lambda: execution_states(harbour.api.job(job)) == ["Running"] * 3,
            "its three parts run",
            told=lambda: harbour.api.job(job),
        )
        there = [one for one in placed_on(harbour.api.job(job)) if one != "harbour"]
        assert there, "work is spread"
        assert harbour.run_socket("faults", "cut", "quay", "tower").code == 0
        tab.shows("#said", "The mesh is split", "harbour cannot hear", "quay", "tower")
        tab.shows("#said-more", "On our side: 1 of 3 nodes", "The other side was asked for")
        assert str(tab.value("document.title")).startswith("split: ")
        tab.shows("#nodes tbody", "unreachable")
        # What they did on the other side is not known here: it is done again on ours.
        harbour.api.finished(job)
        tab.shows("#jobs tbody", "survey", "Completed", "3 of 3", "provisional")
        tab.shows("#counts", "not settled yet")

        assert harbour.run_socket("faults", "heal").code == 0
        tab.shows("#said", "The mesh is whole again", "came twice", "survey")
        tab.shows("#said-more", "Every finished job is settled")
        tab.shows("#jobs tbody", "settled", "duplicate")
        tab.click("#said a")
        tab.shows("#detail .title", "survey", "Completed", "settled")
        tab.shows("#detail .story", "its result is a duplicate")
        known = executions(harbour.api.job(job))
        accepted = {one["ID"]: bool(one["Mesh"]["Accepted"]) for one in known}
        assert sum(accepted.values()) == 3
        assert len(accepted) >= 3 + len(there)
        shown = tab.value(PARTS)
        assert {one[0]: one[2] for one in shown} == accepted
        # A replacement may have been stopped by the heal: only what ended twice is called so.
        ended = {one["ID"] for one in known if one["Mesh"]["State"] == "Succeeded"}
        assert {one[0] for one in shown if one[3]} == {one for one in ended if not accepted[one]}
        tab.click("#banner-close")
        assert tab.text("#said") == ""
        stays_calm(tab, origin)


def test_a_jobs_output_is_followed(lone_mesh: Mesh, tmp_path: Path) -> None:
    node = lone_mesh["alone"]
    origin = f"http://{node.page['api_addresses'][0]}/"
    ticking = bytes(wasmtime.wat2wasm(TICKING))
    job = node.api.run(wasm_job(ticking), ticking)
    with browser(tmp_path) as tab:
        tab.open(f"{origin}#/job/{job}")
        first = tab.shows(".logs", "tick")
        until(lambda: len(tab.text(".logs")) > len(first), "more of it appears")
        node.api.stop_job(job)
        tab.shows("#detail .lead", "Stopped")
        stays_calm(tab, origin)


def test_a_link_for_a_phone(mesh: Mesh, tmp_path: Path) -> None:
    mesh.started("ship", options={"ship": ["--no-mdns", "--page", "127.0.0.1:0"]})
    ship = mesh["ship"]
    printed = ship.run_socket("page")
    assert printed.code == 0, printed.stderr
    link = printed.stdout.splitlines()[0]
    address = ship.page["page_address"]
    with browser(tmp_path) as tab:
        tab.open(f"http://{address}/")
        tab.shows("main", "opens with its link", "bacalhau-mesh page")
        tab.value("document.getElementById('token').focus()")
        tab.press("not-this-one", "Enter")
        tab.shows("main", "This link is not valid")
        tab.value("document.getElementById('token').focus()")
        tab.press(link.partition("token=")[2], "Enter")
        tab.shows("#nodes tbody", "ship", "alive")
    with browser(tmp_path) as tab:
        tab.open(link)
        tab.shows("#nodes tbody", "ship", "alive")
        assert tab.value("location.search") == ""
        tab.call("Page.reload")
        tab.shows("#nodes tbody", "ship", "alive")
        stays_calm(tab, f"http://{address}/")
        assert ship.run_socket("page", "--renew").code == 0
        # The old link's feed ends with the next thing that it would tell.
        assert ship.api.submit(scripted_job()).status == 200
        tab.shows("#said", "not valid any more")
    connection = http.client.HTTPConnection(address, timeout=5)
    connection.request("GET", "/api/v1/orchestrator/jobs")
    assert connection.getresponse().status == 401
    connection.close()
