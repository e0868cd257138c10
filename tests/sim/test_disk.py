from __future__ import annotations

from random import Random

import pytest

from mesh.ledger.ledger import StoredEnvelope
from mesh.member.events import Persist
from scheduler.ids import NodeId, blob_digest
from sim.clock import Clock
from sim.disk import Boundary, Drive, DriveSettings

SPEC = b"a spec"


def _persist(token: int) -> Persist:
    envelope = StoredEnvelope(NodeId("n"), 1, token, 1, b"hash", b"data %d" % token)
    blobs = ((blob_digest(SPEC), SPEC),)
    return Persist(token, (envelope,), blobs, ((b"serial", b"der"),), (("n", ("10.0.0.1:1",)),))


class Rig:
    def __init__(self, seed: int = 1) -> None:
        self.clock = Clock()
        self.flushed: list[int] = []
        self.written: list[int] = []
        self.crashes = 0
        self.drive = Drive(
            clock=self.clock,
            random=Random(seed),
            settings=DriveSettings(),
            written=lambda persist: self.written.append(persist.token),
            flushed=self.flushed.append,
            crash=self._crash,
        )

    def _crash(self) -> None:
        self.crashes += 1
        self.drive.lose()

    def tokens(self) -> list[int]:
        return [one.first_seq for one in self.drive.disk.restored().envelopes]

    def advance(self) -> None:
        until_s = self.clock.now_s + 10.0
        while self.clock.step(until_s):
            pass


def test_a_write_takes_its_time_and_is_there_as_a_whole() -> None:
    rig = Rig()
    rig.drive.persist(_persist(1))
    assert rig.drive.disk.restored().envelopes == ()
    rig.advance()
    restored = rig.drive.disk.restored()
    assert rig.flushed == rig.written == rig.tokens() == [1]
    assert restored.blobs == {blob_digest(SPEC): SPEC}
    assert restored.certificates == (b"der",)
    assert restored.peers == (("n", ("10.0.0.1:1",)),)
    assert rig.drive.disk.read_blob(blob_digest(SPEC)) == SPEC


def test_what_is_written_twice_is_there_once_in_the_first_place() -> None:
    rig = Rig()
    for token in (1, 2, 1):
        rig.drive.persist(_persist(token))
        rig.advance()
    assert rig.tokens() == [1, 2]


@pytest.mark.parametrize(
    ("boundary", "on_disk"), [(Boundary.BEFORE, [1]), (Boundary.AFTER, [1, 2])]
)
def test_a_process_dies_at_the_boundary_it_was_told(boundary: Boundary, on_disk: list[int]) -> None:
    rig = Rig()
    rig.drive.arm(boundary, 2)
    rig.drive.persist(_persist(1))
    rig.advance()
    assert (rig.crashes, rig.flushed) == (0, [1])
    rig.drive.persist(_persist(2))
    rig.advance()
    assert (rig.crashes, rig.flushed, rig.tokens()) == (1, [1], on_disk)
    rig.drive.persist(_persist(3))
    rig.advance()
    assert (rig.crashes, rig.flushed[-1]) == (1, 3)


def test_a_process_that_dies_loses_what_it_had_begun_to_write() -> None:
    rig = Rig()
    rig.drive.persist(_persist(1))
    rig.drive.lose()
    rig.advance()
    assert (rig.tokens(), rig.flushed, rig.written) == ([], [], [])


def test_disarmed_nothing_dies() -> None:
    rig = Rig()
    rig.drive.arm(Boundary.BEFORE, 1)
    rig.drive.disarm()
    rig.drive.persist(_persist(1))
    rig.advance()
    assert (rig.crashes, rig.flushed) == (0, [1])


def test_an_old_copy_lacks_the_last_writes() -> None:
    rig = Rig()
    for token in range(1, 6):
        rig.drive.persist(_persist(token))
        while rig.clock.step(rig.clock.now_s + 10.0):
            pass
    rig.drive.disk.roll_back(2)
    assert [one.token for one in rig.drive.disk.written()] == [1, 2, 3]
    assert [one.first_seq for one in rig.drive.disk.restored().envelopes] == [1, 2, 3]
    rig.drive.disk.roll_back(9)
    assert rig.drive.disk.restored().envelopes == ()
    assert rig.drive.disk.read_blob(blob_digest(SPEC)) is None
