"""What becomes of a test that needs a real part of the machine."""

from __future__ import annotations

import pytest

from tests.real_parts import PARTS, expected_parts, verdict


@pytest.mark.parametrize(
    ("absent", "expected", "what"),
    [
        (None, set(), "run"),
        (None, {"docker"}, "run"),
        ("not installed", set(), "skip"),
        ("not installed", {"wasm"}, "skip"),
        ("not installed", {"docker"}, "fail"),
    ],
)
def test_absent_part_skips_unless_expected(
    absent: str | None, expected: set[str], what: str
) -> None:
    got, reason = verdict("docker", absent, expected)
    assert got == what
    assert (absent or "") in reason


def test_expectation_is_a_comma_list_of_known_parts() -> None:
    assert expected_parts("") == frozenset()
    assert expected_parts(" wasm, docker ,") == {"wasm", "docker"}
    with pytest.raises(ValueError, match="names dokcer: the real parts are wasm"):
        expected_parts("wasm,dokcer")


@pytest.mark.parametrize("part", sorted(PARTS))
def test_every_probe_answers(part: str) -> None:
    reason = PARTS[part]()
    assert reason is None or reason


@pytest.mark.real("loopback")
def test_loopback_carries_multicast() -> None:
    assert PARTS["loopback"]() is None


@pytest.mark.real("wasm")
def test_wasmtime_assembles() -> None:
    assert PARTS["wasm"]() is None
