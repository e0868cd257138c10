import hashlib
import sqlite3
import threading
from pathlib import Path

import pytest

from mesh.ledger.ledger import StoredEnvelope
from mesh.member.events import Flushed, Persist
from mesh.node import store as store_module
from mesh.node.store import SCHEMA_VERSION, FlushFailed, Store, StoreError
from scheduler.ids import blob_digest, node_id_from_bytes

AUTHOR = node_id_from_bytes(b"a" * 16)


def envelope(number: int, *, epoch: int = 7, size: int = 100) -> StoredEnvelope:
    data = number.to_bytes(4, "big") * (size // 4)
    return StoredEnvelope(AUTHOR, epoch, number, 1, hashlib.sha256(data).digest(), data)


class Answers:
    """What the writer reported, and a way to wait for it."""

    def __init__(self) -> None:
        self.given: list[Flushed | FlushFailed] = []
        self._changed = threading.Condition()

    def __call__(self, answer: Flushed | FlushFailed) -> None:
        with self._changed:
            self.given.append(answer)
            self._changed.notify_all()

    def wait(self, count: int) -> list[Flushed | FlushFailed]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.given) >= count, timeout=10)
            return self.given


def write(path: Path, *persists: Persist) -> list[Flushed | FlushFailed]:
    store, answers = Store(path), Answers()
    store.start(answers)
    for persist in persists:
        store.persist(persist)
    store.close()
    return answers.given


def test_everything_comes_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "mesh.sqlite"
    blob = b"spec"
    far = envelope(3, epoch=(1 << 64) - 1)
    answers = write(
        path,
        Persist(
            1,
            envelopes=(envelope(2), envelope(1)),
            blobs=((blob_digest(blob), blob),),
            certificates=((b"s" * 16, b"der"),),
            peers=(("n-1", ("h:1", "g:2")), ("n-0", ())),
        ),
        Persist(2, envelopes=(far, envelope(2)), peers=(("n-1", ("h:9",)),)),
    )
    assert answers == [Flushed(1), Flushed(2)]
    store = Store(path)
    restored = store.load()
    assert restored.envelopes == (envelope(2), envelope(1), far)
    assert restored.certificates == (b"der",)
    assert restored.peers == (("n-0", ()), ("n-1", ("h:9",)))
    assert dict(restored.blobs) == {blob_digest(blob): blob}
    assert blob_digest(b"other") not in restored.blobs
    assert store.read_blob(blob_digest(blob)) == blob
    store.close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_all_that_waits_shares_one_transaction(tmp_path: Path) -> None:
    store, answers = Store(tmp_path / "mesh.sqlite"), Answers()
    for token in range(50):
        store.persist(Persist(token, envelopes=(envelope(token),)))
    store.start(answers)
    assert answers.wait(50) == [Flushed(token) for token in range(50)]
    assert store.transactions == 1
    store.persist(Persist(50, envelopes=(envelope(50),)))
    answers.wait(51)
    assert store.transactions == 2
    store.close()


def test_flushed_survives_a_process_that_just_stops(tmp_path: Path) -> None:
    """The files as another process would find them at any moment after `Flushed`."""
    path, copy = tmp_path / "mesh.sqlite", tmp_path / "copy"
    store, answers = Store(path), Answers()
    store.start(answers)
    copy.mkdir()
    for token in range(20):
        store.persist(Persist(token, envelopes=(envelope(token),)))
        answers.wait(token + 1)
        for file in tmp_path.glob("mesh.sqlite*"):
            (copy / file.name).write_bytes(file.read_bytes())
        (copy / "mesh.sqlite-shm").unlink(missing_ok=True)
        crashed = Store(copy / "mesh.sqlite")
        assert crashed.load().envelopes == tuple(envelope(one) for one in range(token + 1))
        crashed.close()
        for file in copy.iterdir():
            file.unlink()
    store.close()


def test_torn_log_loses_only_the_unfinished_transaction(tmp_path: Path) -> None:
    path = tmp_path / "mesh.sqlite"
    store, answers = Store(path), Answers()
    store.start(answers)
    for token in range(5):
        store.persist(Persist(token, envelopes=(envelope(token),)))
        answers.wait(token + 1)
    wal = (tmp_path / "mesh.sqlite-wal").read_bytes()
    main = path.read_bytes()
    store.close()
    for cut in (1, 5000):
        torn = tmp_path / f"torn{cut}"
        torn.mkdir()
        (torn / "mesh.sqlite").write_bytes(main)
        (torn / "mesh.sqlite-wal").write_bytes(wal[:-cut])
        again = Store(torn / "mesh.sqlite")
        found = again.load().envelopes
        assert found == tuple(envelope(one) for one in range(len(found)))
        assert 3 <= len(found) < 5
        again.close()


def test_damaged_rows_are_dropped_and_can_come_again(tmp_path: Path) -> None:
    path = tmp_path / "mesh.sqlite"
    blob = b"spec"
    write(
        path,
        Persist(
            1,
            envelopes=tuple(envelope(number) for number in range(3)),
            blobs=((blob_digest(blob), blob),),
            peers=(("n-1", ("h:1",)),),
        ),
    )
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE envelopes SET data = x'00' WHERE first_seq = 1")
        connection.execute("UPDATE blobs SET data = x'00'")
        connection.execute("UPDATE peers SET addresses = x'ff'")
    connection.close()
    store = Store(path)
    restored = store.load()
    assert restored.envelopes == (envelope(0), envelope(2))
    assert restored.peers == ()
    assert store.read_blob(blob_digest(blob)) is None
    assert store.damaged == 2
    answers = Answers()
    store.start(answers)
    store.persist(Persist(2, envelopes=(envelope(1),), blobs=((blob_digest(blob), blob),)))
    answers.wait(1)
    store.close()
    store = Store(path)
    assert store.load().envelopes == (envelope(0), envelope(2), envelope(1))
    assert store.read_blob(blob_digest(blob)) == blob
    store.close()


@pytest.mark.parametrize("content", [b"not a database at all, but long enough" * 100])
def test_file_that_is_no_database_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mesh.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        Store(path)


def test_forward_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mesh.sqlite"
    write(path, Persist(1, envelopes=(envelope(1),)))
    monkeypatch.setattr(
        store_module, "_MIGRATIONS", (*store_module._MIGRATIONS, "CREATE TABLE later (x) STRICT;")
    )
    monkeypatch.setattr(store_module, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    with pytest.raises(StoreError):
        Store(path)  # a script that fails (STRICT wants a type) leaves the file as it was
    monkeypatch.setattr(
        store_module,
        "_MIGRATIONS",
        (*store_module._MIGRATIONS[:-1], "CREATE TABLE later (x INTEGER) STRICT;"),
    )
    store = Store(path)
    assert store.load().envelopes == (envelope(1),)
    store.close()
    monkeypatch.setattr(store_module, "SCHEMA_VERSION", SCHEMA_VERSION)
    with pytest.raises(StoreError, match="newer release"):
        Store(path)


def test_failed_write_poisons_the_store_until_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "mesh.sqlite"
    store, answers = Store(path), Answers()
    store.start(answers)
    store.persist(Persist(1, envelopes=(envelope(1),)))
    answers.wait(1)
    store._writing.execute("PRAGMA max_page_count = 1")  # a full disk, as SQLite sees it
    store.persist(Persist(2, envelopes=(envelope(2, size=100_000),)))
    store.persist(Persist(3))
    failures = answers.wait(3)[1:]
    assert type(failures[1]) is FlushFailed
    assert [one.token for one in failures] == [2, 3]
    assert isinstance(failures[0], FlushFailed)
    assert failures[0].full
    assert "is full" in failures[0].reason
    store._writing.execute("PRAGMA max_page_count = 100000")
    store.persist(Persist(4, envelopes=(envelope(4),)))
    assert type(answers.wait(4)[3]) is FlushFailed
    store.close()
    store = Store(path)
    assert store.load().envelopes == (envelope(1),)
    store.close()


def test_blob_of_a_closed_store_is_not_here(tmp_path: Path) -> None:
    store = Store(tmp_path / "mesh.sqlite")
    store.close()
    assert store.read_blob(blob_digest(b"x")) is None


def test_commits_are_flushed(tmp_path: Path) -> None:
    store = Store(tmp_path / "mesh.sqlite")
    assert store._writing.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._writing.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()


def test_schema_is_the_one_documented(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text()
    section = page.partition("## The file on disk")[2]
    store = Store(tmp_path / "mesh.sqlite")
    tables = [name for (name,) in store._writing.execute("SELECT name FROM sqlite_master")]
    for table in (name for name in tables if not name.startswith("sqlite_")):
        columns = store._writing.execute(f"PRAGMA table_info({table})").fetchall()
        row = next(line for line in section.splitlines() if line.startswith(f"| `{table}` |"))
        documented = [part.strip().split("`")[1] for part in row.split("|")[2].split(",")]
        assert documented == [column[1] for column in columns]
    assert f"`user_version` {SCHEMA_VERSION}" in section
    store.close()


def test_the_reserve_is_made_given_up_and_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "RESERVE_BYTES", 4096)
    store = Store(tmp_path / "mesh.sqlite")
    reserve = tmp_path / store_module.RESERVE
    assert reserve.stat().st_size == 4096
    store._writing.execute("PRAGMA max_page_count = 1")  # as a disk with no room left
    answers: list[object] = []
    store.start(answers.append)
    store.persist(Persist(1, blobs=((blob_digest(b"x" * 99_999), b"x" * 99_999),)))
    store.close()
    assert isinstance(answers[0], FlushFailed)
    assert answers[0].full
    assert not reserve.exists()
    Store(tmp_path / "mesh.sqlite").close()
    assert reserve.exists()


def test_no_reserve_is_made_where_there_is_no_room_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "RESERVE_BYTES", 1 << 60)
    Store(tmp_path / "mesh.sqlite").close()
    assert not (tmp_path / store_module.RESERVE).exists()


@pytest.mark.parametrize(("free", "full"), [(4096, True), (1 << 30, False)])
def test_shared_memory_that_finds_no_room_is_a_full_disk(tmp_path, monkeypatch, free, full):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    path = tmp_path / "mesh.sqlite"
    Store(path).close()

    def fails(path: Path) -> sqlite3.Connection:
        raise error

    monkeypatch.setattr(store_module, "_open", fails)
    monkeypatch.setattr(store_module, "free_bytes", lambda folder: free)
    said = "is full; free some space" if full else "cannot be used: disk I/O error"
    with pytest.raises(StoreError, match=said):
        Store(path)
    assert (tmp_path / store_module.RESERVE).exists() == (not full), "given up for the next try"
