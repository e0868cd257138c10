import io

import pytest

from mesh.gossip.events import DialFailed, LinkClosed, LinkId, LinkOpened
from mesh.member.commands import Submitted
from mesh.member.events import Answer, AttemptReported
from mesh.node.observe import RECENT, Observer
from runtime.attempt import AttemptEvent, EngineEnded, EngineStarted, InputsFailed, InputsReady
from scheduler.ids import AttemptId, JobId, NodeId

PEER = NodeId("n-abcdefghijklmnop")
ATTEMPT = AttemptId("e-0123456789abcdef")


def opened(link: int) -> LinkOpened:
    return LinkOpened(LinkId(link), PEER, True, "10.0.0.8:1235", b"")


def reported(event: AttemptEvent) -> AttemptReported:
    return AttemptReported(ATTEMPT, event)


@pytest.mark.parametrize(
    ("items", "lines"),
    [
        ([opened(1)], ["peer n-abcdefghij at 10.0.0.8:1235"]),
        (
            [opened(1), opened(2), LinkClosed(LinkId(1), True)],
            ["peer n-abcdefghij at 10.0.0.8:1235"],
        ),
        ([opened(1), LinkClosed(LinkId(1), True)], [..., "peer n-abcdefghij left"]),
        ([opened(1), LinkClosed(LinkId(1), False)], [..., "peer n-abcdefghij lost"]),
        ([LinkClosed(LinkId(9), False), DialFailed("h:1", True)], []),
        ([Answer(1, Submitted(JobId("j-0123456789abc")))], ["job j-0123456789 accepted"]),
        ([Answer(1, Submitted(JobId("j-0123456789abc"), created=False)), Answer(2, "x")], []),
        ([reported(InputsReady()), reported(EngineStarted())], ["attempt e-0123456789 runs"]),
        (
            [reported(EngineEnded(3, "", "", "", "", 0, 0))],
            ["attempt e-0123456789 ended with exit code 3"],
        ),
        (
            [reported(EngineEnded(None, "trap", "It\x1b[31m trapped.", "", "", 0, 0))],
            ["attempt e-0123456789 failed, trap: It\N{REPLACEMENT CHARACTER}[31m trapped."],
        ),
        ([reported(InputsFailed("input", "No data."))], ["attempt e-0123456789 failed: No data."]),
    ],
)
def test_lines_for_people(items: list, lines: list) -> None:
    out = io.StringIO()
    observer = Observer(out)
    for item in items:
        observer.note(item)
    told = [line.partition(" ")[2] for line in out.getvalue().splitlines()]
    assert len(told) == len(lines)
    assert all(want in (..., got) for want, got in zip(lines, told, strict=True))
    assert sum(observer.counters.values()) == len(items)


def test_a_node_that_says_goodbye_tells_nothing_of_links_that_end_by_it() -> None:
    out = io.StringIO()
    observer = Observer(out)
    observer.note(opened(1))
    observer.stopping()
    observer.note(LinkClosed(LinkId(1), True))
    assert len(out.getvalue().splitlines()) == 1


def test_recent_events_are_bounded_and_a_closed_terminal_is_no_matter() -> None:
    out = io.StringIO()
    observer = Observer(out)
    out.close()
    for number in range(RECENT + 5):
        observer.say(str(number))
    assert [line for _, line in observer.recent][:2] == ["5", "6"]
    assert observer.counters["lines_lost"] == RECENT + 5
