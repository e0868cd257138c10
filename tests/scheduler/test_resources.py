from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import SpecError
from scheduler.jobs import Resources
from scheduler.reading import Problems
from scheduler.resources import read_resources, resources_of, show_bytes, show_cpu

CPU = {
    "500m": 500,
    "0.5": 500,
    "1": 1000,
    "2.25": 2250,
    "0.0001": 1,
    " 250m ": 250,
    2: 2000,
    0.1: 100,
}
BYTES = {
    "512Mb": 512_000_000,
    "512mb": 512_000_000,
    "1kb": 1000,
    "1k": 1000,
    "1KiB": 1024,
    "64Mi": 64 * 1024**2,
    "1.5gb": 1_500_000_000,
    "2 GB": 2_000_000_000,
    "1Ti": 1024**4,
    "7": 7,
    "7b": 7,
    1000: 1000,
}


def parsed(mapping: object) -> Resources:
    problems = Problems()
    texts = read_resources(problems, "", mapping)
    if problems.found():
        raise SpecError(problems.found())
    return resources_of(texts)


@pytest.mark.parametrize(("written", "milli"), CPU.items())
def test_cpu_is_written_as_kubernetes_does(written, milli):
    assert parsed({"CPU": written}).cpu_milli == milli


@pytest.mark.parametrize(("written", "size_bytes"), BYTES.items())
def test_bytes_are_written_as_people_do(written, size_bytes):
    found = parsed({"Memory": written, "Disk": written})
    assert (found.memory_bytes, found.disk_bytes) == (size_bytes, size_bytes)


def test_defaults():
    wanted = Resources(cpu_milli=500, memory_bytes=512_000_000)
    assert parsed({}) == wanted
    assert parsed({"CPU": "", "Memory": None, "Disk": "0", "gpu": "0"}) == wanted


WRONG: list[tuple[str, object]] = [
    *(
        ("CPU", value)
        for value in ("-1", "0", 0, "abc", "1e18", "500mm", "0x10", "٣", "1 m", "nan")
    ),
    ("CPU", True),
    ("CPU", float("nan")),
    ("CPU", float("inf")),
    ("CPU", 10**30),
    ("CPU", []),
    ("CPU", {}),
    ("CPU", "9999999999"),
    *(("Memory", value) for value in ("-1Gi", "1Zi", "1 G B", "٣Gi", "0", "mb", "1.2.3", "9999pb")),
    *(("Disk", value) for value in ("NaN", "-1", "1e3", float("nan"), b"1")),
    *(("GPU", value) for value in ("0.5", "-1", "one", 0.5, "1000000", 99999)),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_what_is_no_amount_is_refused_by_name(key, value):
    with pytest.raises(SpecError) as caught:
        parsed({key: value})
    assert [problem.path for problem in caught.value.problems] == [key]


def test_every_wrong_amount_is_named():
    with pytest.raises(SpecError) as caught:
        parsed({"CPU": "x", "Memry": "1gb", "GPU": "y"})
    assert [problem.path for problem in caught.value.problems] == ["Memry", "CPU", "GPU"]
    assert "did you mean Memory?" in str(caught.value)


@pytest.mark.parametrize(("milli", "shown"), [(500, "0.5"), (2000, "2"), (10, "0.01"), (0, "0")])
def test_show_cpu(milli, shown):
    assert show_cpu(milli) == shown


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1500, "1.5 kB"),
        (512_000_000, "512 MB"),
        (999_960, "1 MB"),
        (20_000_000, "20 MB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_show_bytes(size_bytes, shown):
    assert show_bytes(size_bytes) == shown


@given(st.integers(1, 10**6))
def test_a_shown_cpu_is_the_same_cpu(milli):
    assert parsed({"CPU": show_cpu(milli)}).cpu_milli == milli
