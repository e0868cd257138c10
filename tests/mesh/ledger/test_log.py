from __future__ import annotations

from random import Random
from typing import Any

import pytest
from pycrdt import Array, Doc

from mesh.ledger.envelope import NO_HASH
from mesh.ledger.log import CLIENT_ID, ROOT, EnvelopeLog, LogBroken
from tests.mesh.ledger.samples import ledger_of, written


class PanicException(BaseException):
    """Named as the one that Rust code raises through pycrdt."""


class Panicking:
    """An array that panics when it is appended to, and when it is read if `also_read`."""

    def __init__(self, array: Any, *, also_read: bool) -> None:
        self._array = array
        self._also_read = also_read

    def append(self, data: bytes) -> None:
        self._array.append(b"half of " + data)
        raise PanicException("index out of bounds")

    def __getitem__(self, index: int) -> bytes:
        if self._also_read:
            raise PanicException("poisoned")
        return self._array[index]


def test_envelopes_are_found_by_seq_and_position() -> None:
    envelopes = written(ledger_of("a"), [2, 5, 1])
    log = EnvelopeLog()
    assert (len(log), log.last_seq, log.head) == (0, 0, NO_HASH)
    for envelope in envelopes:
        log.append(envelope)
    assert (len(log), log.last_seq, log.head) == (3, 9, envelopes[-1].hash)
    assert [log.position(seq) for seq in range(1, 11)] == [0, 0, 0, 1, 1, 1, 1, 1, 2, 3]
    assert [log.last_seq_at(position) for position in range(3)] == [3, 8, 9]
    assert [log.data(position) for position in range(3)] == [one.data for one in envelopes]
    assert type(log.data(0)) is bytes


@pytest.mark.parametrize("seed", range(5))
def test_a_thousand_elements_are_the_same_bytes_however_they_were_grouped(seed: int) -> None:
    random = Random(seed)
    elements = [random.randbytes(random.randrange(1, 200)) for _ in range(1_000)]
    singly: Doc[Array[bytes]] = Doc(client_id=CLIENT_ID)
    for element in elements:
        singly.get(ROOT, type=Array).append(element)
    grouped: Doc[Array[bytes]] = Doc(client_id=CLIENT_ID)
    start = 0
    while start < len(elements):
        size = random.randrange(1, 65)
        grouped.get(ROOT, type=Array).extend(elements[start : start + size])
        start += size
    assert grouped.get_update() == singly.get_update()
    reader: Doc[Array[bytes]] = Doc()
    reader.apply_update(singly.get_update())
    assert [bytes(one) for one in reader.get(ROOT, type=Array)] == elements


def test_a_panic_while_appending_leaves_the_log_whole() -> None:
    envelopes = written(ledger_of("a"), [1] * 70)
    log, calm = EnvelopeLog(), EnvelopeLog()
    for envelope in envelopes[:-1]:
        log.append(envelope)
        calm.append(envelope)
    log._envelopes = Panicking(log._envelopes, also_read=False)  # type: ignore[assignment]
    log.append(envelopes[-1])
    calm.append(envelopes[-1])
    assert log.document() == calm.document()
    assert log.head == calm.head
    assert log.data(69) == envelopes[-1].data


def test_a_document_that_cannot_be_read_back_says_so() -> None:
    envelopes = written(ledger_of("a"), [1, 1])
    log = EnvelopeLog()
    log.append(envelopes[0])
    log._envelopes = Panicking(log._envelopes, also_read=True)  # type: ignore[assignment]
    with pytest.raises(LogBroken):
        log.append(envelopes[1])


def test_other_base_exceptions_are_not_taken_for_panics() -> None:
    class Interrupting:
        def append(self, data: bytes) -> None:
            raise KeyboardInterrupt

    log = EnvelopeLog()
    log._envelopes = Interrupting()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        log.append(written(ledger_of("a"), [1])[0])
