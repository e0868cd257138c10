"""`docs/protocol.md` says what the code does: record tables, writers, golden vectors."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mesh.ledger import envelope
from mesh.ledger.validate import EVERY_MEMBER, WRITERS
from scheduler.records import KINDS, Kind

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "protocol.md").read_text()
SECTIONS = dict(re.findall(r"^### (\d+ `\w+`)\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL))


def section(kind: Kind) -> str:
    return SECTIONS[f"{int(kind)} `{kind.name.lower()}`"]


def test_every_kind_has_its_section_and_no_other_has() -> None:
    assert list(SECTIONS) == [f"{int(kind)} `{kind.name.lower()}`" for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name.lower())
def test_the_table_of_a_kind_is_the_one_in_the_code(kind: Kind) -> None:
    rows = re.findall(
        r"^\| (\d+) \| `(\w+)` \| ([^|]+) \| (yes|no) \| [^|]+ \|$", section(kind), re.M
    )
    assert rows == [
        (str(field.number), field.name, field.type.name, "yes" if field.required else "no")
        for field in KINDS[kind]
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name.lower())
def test_the_writers_of_a_kind_are_those_in_the_code(kind: Kind) -> None:
    (line,) = re.findall(r"^Only writer: (.*)\.$", section(kind), re.MULTILINE)
    roles, _, itself = line.partition(";")
    writers = WRITERS[kind]
    if writers is EVERY_MEMBER:
        assert line.startswith("every member")
    else:
        assert roles == " or ".join(f"`{role}`" for role in writers.roles)
        assert bool(itself) == (writers.about is not None)
        assert writers.about is None or f"(`{writers.about}` is the author)" in itself


def test_the_golden_vectors_are_printed_as_they_stand() -> None:
    vectors = json.loads((ROOT / "tests" / "fixtures" / "golden_vectors.json").read_text())
    printed = re.findall(r"^\| [^|]+ \| `([^`|]+)` \|$", PAGE.split("## Golden vectors")[1], re.M)
    assert printed[: 5 + len(Kind) + 2 * len(vectors["envelopes"]) + 1] == [
        *(str(vectors[name]) for name in ("private_key", "public_key", "node", "serial", "epoch")),
        *vectors["records"].values(),
        *(one[part] for one in vectors["envelopes"] for part in ("hash", "envelope")),
        vectors["document"],
    ]


def test_the_limits_of_an_envelope_are_those_in_the_code() -> None:
    assert envelope.MAX_ENVELOPE_BYTES == 16 * 1024
    assert "at most 16 KiB in all" in PAGE
    assert envelope.MAX_EPOCH == 253402300800000 << 16
    assert "integer from 1 to 253402300800000 x 2^16" in PAGE
    assert envelope.MAX_FIRST_SEQ == 2**53 - 16385
    assert "integer from 1 to 2^53 - 16385" in PAGE
