from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from mesh.gossip.events import CloseLink, Dial, LinkId, Send, StartTimer
from mesh.gossip.messages import Blobs, decode_untrusted
from mesh.member.events import Answer, Changed, MemberEffect, Persist, RunAttempt, SendBlobs
from mesh.node.frames import MESSAGES
from mesh.node.perform import make_performers
from runtime.attempt import CleanUp, WakeAt
from scheduler.ids import AttemptId, blob_digest
from storage.blobs import BlobStore

LINK = LinkId(3)
ATTEMPT = AttemptId("e-1")


class Recorder:
    """Stands for any outlet: each call by its name and arguments."""

    def __init__(self, calls: list[tuple[Any, ...]], nursery: trio.Nursery) -> None:
        self._calls = calls
        self._nursery = nursery

    def start_soon(self, *task: Any) -> None:
        self._nursery.start_soon(*task)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **named: self._calls.append((name, *arguments, *named.values()))


@pytest.fixture
def calls() -> list[tuple[Any, ...]]:
    return []


@pytest.fixture
def performers(calls, tmp_path: Path, nursery: trio.Nursery) -> dict[type, Callable[[Any], None]]:
    outlet: Any = Recorder(calls, nursery)
    blobs = BlobStore(tmp_path)
    blobs.keep_bytes(b"spec")
    blobs.keep_bytes(b"x" * (1 << 20))
    return make_performers(links=outlet, store=outlet, blobs=blobs, executor=outlet, doors=outlet)


@pytest.mark.parametrize(
    ("effect", "call"),
    [
        (Send(LINK, b"m", True), ("send", LINK, MESSAGES, b"m", True)),
        (Dial("h:1"), ("dial", "h:1")),
        (CloseLink(LINK, "why"), ("close", LINK, "why")),
        (Persist(4), ("persist", Persist(4))),
        (Answer(1, "reply"), ("answered", Answer(1, "reply"))),
        (Changed(jobs=("j",)), ("changed", Changed(jobs=("j",)))),
        (RunAttempt(ATTEMPT, CleanUp()), ("perform", ATTEMPT, CleanUp())),
    ],
)
async def test_each_effect_has_its_outlet(performers, calls, effect: Any, call: tuple) -> None:
    performers[type(effect)](effect)
    assert calls == [call]


async def test_blobs_that_are_here_and_fit_are_sent(performers, calls) -> None:
    here, large = blob_digest(b"spec"), blob_digest(b"x" * (1 << 20))
    performers[SendBlobs](SendBlobs(LINK, (blob_digest(b"absent"), large, here)))
    with trio.fail_after(5):
        while not calls:  # noqa: ASYNC110 - a thread reads the disk
            await trio.sleep(0.005)
    [(name, link, channel, body, bulk)] = calls
    assert (name, link, channel, bulk) == ("send", LINK, MESSAGES, True)
    assert decode_untrusted(body) == Blobs((b"spec",))


async def test_no_effect_is_without_one(performers) -> None:
    assert set(MemberEffect.__args__) == {*performers, StartTimer}


async def test_what_is_the_members_own_is_refused(performers) -> None:
    with pytest.raises(AssertionError):
        performers[RunAttempt](RunAttempt(ATTEMPT, WakeAt(1.0)))
