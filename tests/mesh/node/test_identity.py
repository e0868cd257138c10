import os
import stat
from pathlib import Path

import pytest

from mesh.node import identity
from mesh.node.certificates import ADMIT_LIFE_MS, DAY_MS
from mesh.node.identity import IdentityError, open_identity, root_from_lab_secret, write_file
from mesh.trust import ROLES
from tests.mesh.node.support import NOW_MS, make_trust


@pytest.fixture(autouse=True)
def _cheap_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "SCRYPT_N", 2)


def names_and_modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_first_start_founds_a_cluster_of_one(tmp_path: Path) -> None:
    trust = open_identity(tmp_path, lab_secret="", now_ms=NOW_MS)
    assert trust.own.roles == ROLES
    assert names_and_modes(tmp_path) == {
        "node.key": 0o600,
        "root.key": 0o600,
        "root.crt": 0o644,
        "node.crt": 0o644,
    }
    again = open_identity(tmp_path, lab_secret="", now_ms=NOW_MS)
    assert again.own == trust.own
    assert again.root.der == trust.root.der


def test_lab_members_share_a_root_and_nothing_else(tmp_path: Path) -> None:
    secret = "a long secret"
    for name in "ab":
        (tmp_path / name).mkdir()
    one = open_identity(tmp_path / "a", lab_secret=secret, now_ms=NOW_MS)
    two = open_identity(tmp_path / "b", lab_secret=secret, now_ms=NOW_MS)
    assert one.root.der == two.root.der
    assert one.own.node != two.own.node
    assert one.own.serial != two.own.serial
    assert two.read_certificate_untrusted(one.own.der) == one.own
    assert two.verify(one.own, b"m", one.sign(b"m"))
    assert not two.verify(one.own, b"n", one.sign(b"m"))
    assert not two.verify(two.own, b"m", one.sign(b"m"))
    assert not two.verify(one.own, b"m", b"short")
    assert "root.key" not in names_and_modes(tmp_path / "a")
    for path in (tmp_path / "a").iterdir():
        assert secret.encode() not in path.read_bytes()


def test_secrets_make_different_clusters() -> None:
    assert root_from_lab_secret("a").fingerprint != root_from_lab_secret("b").fingerprint


def test_lab_member_starts_again_without_the_secret(tmp_path: Path) -> None:
    first = open_identity(tmp_path, lab_secret="s", now_ms=NOW_MS)
    later = open_identity(tmp_path, lab_secret="", now_ms=NOW_MS + ADMIT_LIFE_MS)
    assert later.own == first.own
    assert later.root.private_key is None


@pytest.mark.parametrize("first", ["", "one secret"])
def test_folder_of_another_cluster(tmp_path: Path, first: str) -> None:
    before = open_identity(tmp_path, lab_secret=first, now_ms=NOW_MS)
    with pytest.raises(IdentityError, match="belongs to cluster") as caught:
        open_identity(tmp_path, lab_secret="other", now_ms=NOW_MS)
    assert before.root.fingerprint[:12] in str(caught.value)
    assert open_identity(tmp_path, lab_secret=first, now_ms=NOW_MS).own == before.own


@pytest.mark.parametrize(
    ("age_ms", "kept"),
    [(ADMIT_LIFE_MS // 3 - 2 * DAY_MS, True), (ADMIT_LIFE_MS // 3 + 2 * DAY_MS, False)],
)
def test_certificate_is_renewed_from_a_third_of_its_life_on(
    tmp_path: Path, age_ms: int, kept: bool
) -> None:
    first = open_identity(tmp_path, lab_secret="s", now_ms=NOW_MS)
    later = open_identity(tmp_path, lab_secret="s", now_ms=NOW_MS + age_ms)
    assert (later.own == first.own) is kept
    assert later.own.node == first.own.node


def test_clock_set_back_makes_a_certificate_of_today(tmp_path: Path) -> None:
    open_identity(tmp_path, lab_secret="s", now_ms=NOW_MS)
    later = open_identity(tmp_path, lab_secret="s", now_ms=NOW_MS - 30 * DAY_MS)
    assert later.own.not_before_ms < NOW_MS - 30 * DAY_MS


@pytest.mark.parametrize("name", ["node.key", "root.crt"])
def test_damaged_files_are_one_sentence(tmp_path: Path, name: str) -> None:
    open_identity(tmp_path, lab_secret="s", now_ms=NOW_MS)
    (tmp_path / name).write_bytes(b"garbage")
    with pytest.raises(IdentityError, match=name):
        open_identity(tmp_path, lab_secret="s", now_ms=NOW_MS)


def test_damaged_certificate_is_made_again_or_asked_for(tmp_path: Path) -> None:
    open_identity(tmp_path, lab_secret="s", now_ms=NOW_MS)
    (tmp_path / "node.crt").write_bytes(make_trust().own.der)
    with pytest.raises(IdentityError, match="--lab"):
        open_identity(tmp_path, lab_secret="", now_ms=NOW_MS)
    assert open_identity(tmp_path, lab_secret="s", now_ms=NOW_MS).own.roles == ROLES


def test_file_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(tmp_path / "f", b"old", mode=0o600)

    def fail(_: int) -> None:
        raise OSError("no")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no"):
        write_file(tmp_path / "f", b"new", mode=0o600)
    assert (tmp_path / "f").read_bytes() == b"old"
