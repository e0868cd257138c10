"""One reading of each member, joined from its registers and its reachability."""

from __future__ import annotations

from mesh.gossip.events import PeerState
from mesh.member.commands import ListNodes, NodeDetail, SubmitJob
from mesh.member.events import CapacityMeasured, LocalDataScanned, Persist
from scheduler.ids import blob_digest
from scheduler.jobs import DataEntry
from tests.mesh.member.stage import CAPACITY, Stage, scripted_job


def pair() -> Stage:
    stage = Stage("a", "b")
    stage.connect("a", "b")
    stage.advance(2)
    return stage


def seen(stage: Stage, at: str, name: str) -> NodeDetail:
    details = stage.ask(at, ListNodes())
    assert isinstance(details, tuple)
    return next(one for one in details if one.reading.name == name)


def test_what_a_node_offers_is_known_elsewhere() -> None:
    stage = pair()
    entry = DataEntry("/srv/readings", 20_000_000, 5)
    stage.tell("b", LocalDataScanned((entry,), ("/srv",)))
    stage.advance(1)
    reading = seen(stage, "a", "b").reading
    assert reading.data == (entry,)
    assert reading.writable == ("/srv",)


def test_a_change_of_capacity_is_told_and_the_same_again_is_not() -> None:
    stage = pair()
    told = len(stage.performed)
    stage.tell("b", CAPACITY)
    stage.settle()
    assert len(stage.performed) == told, "the same capacity is no news"
    stage.tell("b", CapacityMeasured(CAPACITY.capacity, {}, {"site": "ship"}, (), ()))
    stage.advance(1)
    reading = seen(stage, "a", "b").reading
    assert (reading.engines, reading.labels["site"]) == ((), "ship")


def test_a_dead_node_is_unreachable_here_and_alive_again_when_it_is_back() -> None:
    stage = pair()
    stage.kill("b")
    stage.advance(15)
    assert seen(stage, "a", "b").state is PeerState.UNREACHABLE
    assert not seen(stage, "a", "b").reading.reachable
    stage.boot("b")
    stage.advance(15)
    assert seen(stage, "a", "b").state is PeerState.ALIVE
    assert seen(stage, "a", "b").reading.reachable


def test_a_module_that_came_with_a_job_is_told_of_by_all_who_keep_it_and_sent_once() -> None:
    stage = pair()
    module = b"a module"
    digest = blob_digest(module)
    task = {
        "Name": "main",
        "Engine": {"Type": "scripted", "Params": {}},
        "InputSources": [
            {"Target": "/m", "Source": {"Type": "mesh", "Params": {"Digest": digest}}}
        ],
    }
    job = scripted_job(Tasks=[task])
    stage.ask("a", SubmitJob(job, blobs=(module,)))
    for at in ("a", "b"):
        readings = stage.members[at].facts.readings.values()
        assert all(digest in one.blobs for one in readings), at
    stage.performed.clear()
    stage.ask("a", SubmitJob(job, blobs=(module,)))
    written = [one for _, one in stage.performed if isinstance(one, Persist)]
    assert all(digest not in dict(one.blobs) for one in written)
