from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mesh.edge.page_token import TOKEN_FILE, PageToken


def test_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    token = PageToken(tmp_path)
    assert token.current() == ""
    made = token.made()
    assert len(made) == 26
    assert token.made() == PageToken(tmp_path).made() == made
    assert stat.S_IMODE((tmp_path / TOKEN_FILE).stat().st_mode) == 0o600


def test_a_new_one_is_seen_by_who_holds_the_old(tmp_path: Path) -> None:
    node, command = PageToken(tmp_path), PageToken(tmp_path)
    old = node.made()
    new = command.renew()
    assert new != old
    assert not node.opens(old)
    assert node.opens(new)


@pytest.mark.parametrize("text", ["", "short", "x" * 26 + "!", "A" * 26, "\xff\xfe"])
def test_a_damaged_file_opens_nothing_and_is_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / TOKEN_FILE).write_bytes(text.encode("latin-1"))
    token = PageToken(tmp_path)
    assert token.current() == ""
    assert not token.opens("")
    assert not token.opens(text)
    assert token.opens(token.made())


@pytest.mark.parametrize("given", ["", "wrong", "é", "a" * 26])
def test_no_other_opens(tmp_path: Path, given: str) -> None:
    token = PageToken(tmp_path)
    assert not token.opens(given)
    token.made()
    assert not token.opens(given)
