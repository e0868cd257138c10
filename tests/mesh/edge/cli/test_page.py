from __future__ import annotations

import json
from pathlib import Path

import pytest

from mesh.edge.cli.errors import CommandFailed, Exit
from mesh.edge.cli.page import code_of, node_facts, page, reachable
from mesh.edge.page_token import PageToken


def write_facts(folder: Path, page_address: str) -> None:
    facts = {"page_address": page_address, "api_addresses": ["127.0.0.1:1234"]}
    (folder / "node.json").write_text(json.dumps(facts))


@pytest.mark.parametrize(
    ("address", "own", "expected"),
    [
        ("192.0.2.7:1236", ["192.0.2.9:1235"], ["192.0.2.7:1236"]),
        ("ship.example:80", [], ["ship.example:80"]),
        ("0.0.0.0:1236", ["192.0.2.9:1235", "[2001:db8::1]:1235"], ["192.0.2.9:1236"]),
        ("[::]:1236", ["192.0.2.9:1235", "[2001:db8::1]:1235"], ["[2001:db8::1]:1236"]),
        ("0.0.0.0:1236", [], ["127.0.0.1:1236"]),
        ("0.0.0.0:1236", ["ship.example:1235"], ["127.0.0.1:1236"]),
    ],
)
def test_addresses_for_browsers(address: str, own: list[str], expected: list[str]) -> None:
    assert reachable(address, {"mesh_addresses": own}) == expected


def test_the_link_and_its_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_facts(tmp_path, "192.0.2.7:1236")
    page(tmp_path)
    told = capsys.readouterr()
    link = f"http://192.0.2.7:1236/?token={PageToken(tmp_path).current()}"
    assert told.out == f"{link}\n{code_of(link, coloured=False)}\n"
    assert "not encrypted" in told.err
    page(tmp_path, renew=True)
    assert capsys.readouterr().out.splitlines()[0] != link


def test_a_code_is_a_square_of_half_blocks() -> None:
    lines = code_of("http://192.0.2.7:1236/?token=a", coloured=False).split("\n")
    assert set("".join(lines)) <= set(" ▀▄█")
    (width,) = {len(line) for line in lines}
    assert 2 * len(lines) - width in (0, 1)
    assert width < 80
    assert "\x1b[97;40m" in code_of("x", coloured=True)


def test_on_this_machine_alone_no_token_is_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_facts(tmp_path, "")
    page(tmp_path)
    told = capsys.readouterr()
    assert told.out == "http://127.0.0.1:1234/\n"
    assert "--page" in told.err
    with pytest.raises(CommandFailed, match="no link is needed") as failed:
        page(tmp_path, renew=True)
    assert failed.value.code is Exit.BAD_INPUT


@pytest.mark.parametrize("text", [None, "", "{", "7"])
def test_no_node_is_a_sentence(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "node.json").write_text(text)
    with pytest.raises(CommandFailed, match="no node runs") as failed:
        node_facts(tmp_path)
    assert failed.value.code is Exit.NO_NODE


def test_a_token_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    write_facts(tmp_path, "192.0.2.7:1236")
    (tmp_path / "page.token.new").mkdir()
    with pytest.raises(CommandFailed, match="cannot be written"):
        page(tmp_path)
