"""Laws of the ledger: order, repetition and loss change nothing, and damage leaves no trace."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.ledger.ledger import Ledger, Received, Refusal, StoredEnvelope
from scheduler import cbor
from scheduler.ids import Dot, NodeId
from scheduler.records import Record
from tests.mesh.ledger.samples import ledger_of, receive, written

AUTHORS = ("a", "b", "c")
SIZES = ((3, 1, 2, 1, 4), (1, 1, 1), (2, 6, 1, 1))


def _sources() -> dict[tuple[NodeId, int], Ledger]:
    sources = {}
    for name, sizes in zip(AUTHORS, SIZES, strict=True):
        ledger = ledger_of(name)
        envelopes = written(ledger, sizes)
        ledger.flushed(envelopes)
        sources[envelopes[0].key] = ledger
    return sources


SOURCES = _sources()
ENVELOPES: list[bytes] = [
    data for key, source in SOURCES.items() for data in source.window(*key, 1)
]


class Reader:
    """A node that keeps what its ledger hands out, and pulls every gap it is told of."""

    def __init__(self) -> None:
        self.ledger = ledger_of("reader", *AUTHORS)
        self.records: list[tuple[Dot, Record]] = []
        self.stored: list[StoredEnvelope] = []

    def take(self, received: Received) -> None:
        assert not received.fork
        assert received.refused in (None, Refusal.HELD_FULL)
        self.records.extend(received.records)
        self.stored.extend(received.appended)

    def pull(self, author: NodeId, epoch: int, from_seq: int, max_envelopes: int) -> None:
        window = SOURCES[author, epoch].window(author, epoch, from_seq, max_envelopes=max_envelopes)
        self.take(self.ledger.receive_window_untrusted(window))

    def pull_all(self) -> None:
        self.ledger.flushed(self.stored)
        for key in SOURCES:
            have = self.ledger.context().get(key, (0, b""))[0]
            self.pull(*key, have + 1, 64)

    def by_author(self) -> dict[NodeId, list[tuple[Dot, Record]]]:
        return {key[0]: [one for one in self.records if one[0].author == key[0]] for key in SOURCES}


def _in_order() -> Reader:
    reader = Reader()
    reader.pull_all()
    return reader


EXPECTED = _in_order()

deliveries = st.lists(
    st.tuples(st.integers(0, len(ENVELOPES) - 1), st.booleans(), st.integers(1, 3)), max_size=60
)


@settings(max_examples=150, deadline=None)
@given(deliveries)
def test_any_order_repetition_or_loss_gives_the_same_records_and_bytes(
    delivered: list[tuple[int, bool, int]],
) -> None:
    reader = Reader()
    for place, pulls, max_envelopes in delivered:
        received = receive(reader.ledger, ENVELOPES[place])
        reader.take(received)
        if pulls and received.gap is not None:
            reader.pull(*received.gap, max_envelopes)
    reader.pull_all()
    assert reader.by_author() == EXPECTED.by_author()
    for key in SOURCES:
        assert reader.ledger.document(*key) == SOURCES[key].document(*key)
    assert reader.ledger.statistics()["held"] == 0
    again = ledger_of("reader", *AUTHORS)
    assert again.replay(reader.stored) == reader.records


def _mutated(data: bytes, random: Random) -> bytes:
    damage = random.randrange(4)
    if damage == 0:
        return data[: random.randrange(len(data))]
    if damage == 1:
        return data + random.randbytes(random.randrange(1, 9))
    mutated = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        mutated[random.randrange(len(mutated))] ^= 1 << random.randrange(8)
    return bytes(mutated)


def test_damaged_envelopes_leave_no_trace_but_a_counter() -> None:
    random = Random(20_261_125)
    reader = Reader()
    reader.pull_all()
    before = {key: reader.ledger.document(*key) for key in SOURCES}
    fresh = ledger_of("fresh", *AUTHORS)
    counted = 0
    for _ in range(2_000):
        data = random.choice(ENVELOPES)
        mutated = _mutated(data, random)
        if mutated == data:
            continue
        counted += 1
        for ledger in (fresh, reader.ledger):
            received = receive(ledger, mutated)
            assert (received.appended, received.records, received.gap) == ((), (), None)
            assert received.refused is not None or received.missing_certificate is not None
            assert not received.fork
    assert {key: reader.ledger.document(*key) for key in SOURCES} == before
    statistics = fresh.statistics()
    assert (statistics["logs"], statistics["held"]) == (0, 0)
    unproved = {"refused_malformed", "refused_signature", "refused_waiting_full", "waiting"}
    assert sum(statistics.get(name, 0) for name in unproved) == counted


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_noise_is_refused(data: bytes) -> None:
    ledger = ledger_of("fresh", *AUTHORS)
    assert receive(ledger, data) == Received(refused=Refusal.MALFORMED)


any_value = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, 2**64 - 1)
    | st.binary(max_size=64)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=9) | st.dictionaries(st.integers(0, 20), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(body=any_value, signature=st.binary(min_size=64, max_size=64))
def test_well_formed_nonsense_is_refused(body: object, signature: bytes) -> None:
    ledger = ledger_of("fresh", *AUTHORS)
    data = cbor.encode([cbor.encode(body), signature])
    assert receive(ledger, data) == Received(refused=Refusal.MALFORMED)
