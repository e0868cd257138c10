"""A version is what its record says."""

from __future__ import annotations

from scheduler.versions import VersionView
from tests.scheduler.histories import BEN, Ledger


def test_a_version_is_read_off_its_record() -> None:
    ledger = Ledger()
    birth = ledger.birth()
    stop = ledger.stop(birth)
    ledger.version(birth, author=BEN, number=2, count=7, retry_program=1, seen_stops=(stop,))
    dot, record = ledger.facts[-1]
    version = VersionView.of_record(dot, record)
    assert (version.dot, version.author, version.hlc) == (dot, BEN, record.hlc)
    assert (version.number, version.count, version.retry_program) == (2, 7, True)
    assert version.seen_stops == {stop}
