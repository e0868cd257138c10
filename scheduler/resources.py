"""Amounts as users write them: CPU as Kubernetes does, bytes as people do, GPUs as a whole number.

CPU is `500m`, `0.5` or `2`. Bytes are a number and a unit in any case: `kb mb gb tb pb` (also
`k m g t p`) are powers of 1000, `kib mib gib tib pib` (also `ki mi gi ti pi`) powers of 1024, none
or `b` is plain bytes. Fractions are rounded up to whole thousandths of a core and whole bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from scheduler.jobs import Resources
from scheduler.reading import Problems, Reader, Table, read_map, shown

DEFAULT_TEXTS: Mapping[str, str] = {"CPU": "500m", "Memory": "512mb"}
"""Bacalhau's defaults for a task that asks for nothing; 512,000,000 bytes."""
MAX_CPU_MILLI = 1_000_000_000
"""A million cores: beyond any machine, within every reader's integers."""
MAX_BYTES = (1 << 53) - 1
"""9 PB: exact in every reader's numbers."""
MAX_GPU = 1024

_AMOUNT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([a-z]{0,3})")
_UNITS: Mapping[str, int] = {"": 1, "b": 1} | {
    prefix + suffix: base**power
    for power, prefix in enumerate("kmgtp", start=1)
    for base, suffixes in ((1000, ("", "b")), (1024, ("i", "ib")))
    for suffix in suffixes
}


def read_resources(problems: Problems, path: str, value: Any) -> dict[str, str]:
    """The amounts as texts in lower case, checked, defaults filled in."""
    read = read_map(problems, path, value, RESOURCES)
    return {**DEFAULT_TEXTS, **{key: amount for key, amount in read.items() if amount}}


def resources_of(texts: Mapping[str, str]) -> Resources:
    """The amounts that checked texts mean."""
    return Resources(
        cpu_milli=_cpu_milli(texts["CPU"]) or 0,
        memory_bytes=_bytes(texts["Memory"]) or 0,
        disk_bytes=_bytes(texts.get("Disk", "0")) or 0,
        gpu=int(texts.get("GPU", "0")),
    )


def show_cpu(cpu_milli: int) -> str:
    """Thousandths of a core for people: `0.5`, `2`."""
    return f"{cpu_milli / 1000:.3f}".rstrip("0").rstrip(".")


def show_bytes(size_bytes: int) -> str:
    """Bytes for people, in powers of 1000: `512 MB`, `1.5 kB`."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    size = float(size_bytes)
    units = ["kB", "MB", "GB", "TB"]
    size /= 1000
    while size >= 999.95 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.1f}".removesuffix(".0") + f" {units[0]}"


def _cpu_milli(amount: str) -> int | None:
    match = _AMOUNT.fullmatch(amount)
    if match is None or match[2] not in ("", "m") or " " in amount:
        return None
    return _times(match[1], 1 if match[2] else 1000)


def _bytes(amount: str) -> int | None:
    match = _AMOUNT.fullmatch(amount)
    if match is None or match[2] not in _UNITS:
        return None
    return _times(match[1], _UNITS[match[2]])


def _times(amount: str, unit: int) -> int:
    """Rounded up to a whole."""
    if "." not in amount:
        return int(amount) * unit
    exact = Fraction(amount) * unit
    return -(-exact.numerator // exact.denominator)


def _amount(problems: Problems, path: str, value: Any) -> str | None:
    """An amount in lower case; a bare number is taken as its text; "" means not given."""
    if type(value) is str:
        return value.strip(" ").lower()
    if (type(value) is int and value.bit_length() <= 64) or type(value) is float:
        return str(value)
    problems.add(path, f"must be an amount such as the default, not {shown(value)}")
    return None


def _reader(rule: str, maximum: int, parse: Any, *, zero: bool) -> Reader:
    def read(problems: Problems, path: str, value: Any) -> str | None:
        amount = _amount(problems, path, value)
        if not amount:
            return amount
        parsed = parse(amount)
        if parsed is None:
            problems.add(path, f"{shown(value)} is not {rule}")
            return None
        if parsed > maximum:
            problems.add(path, f"{shown(value)} is more than any machine has")
            return None
        if parsed == 0 and not zero:
            problems.add(path, "must be more than 0; leave it out for the default")
            return None
        return amount

    return read


_CPU = _reader("a number of cores such as 500m, 0.5 or 2", MAX_CPU_MILLI, _cpu_milli, zero=False)
_SIZE_RULE = "a size such as 512mb, 1.5gb or 2GiB"
_GPU_FORM = re.compile(r"[0-9]{1,9}")

RESOURCES = Table(
    "Resources",
    {
        "CPU": _CPU,
        "Memory": _reader(_SIZE_RULE, MAX_BYTES, _bytes, zero=False),
        "Disk": _reader(_SIZE_RULE, MAX_BYTES, _bytes, zero=True),
        "GPU": _reader(
            "a whole number of GPUs",
            MAX_GPU,
            lambda amount: int(amount) if _GPU_FORM.fullmatch(amount) else None,
            zero=True,
        ),
    },
)
