"""Reading documents that strangers wrote: tables of known keys, and readers that note problems.

A document is what JSON and YAML decode to. A `Reader` takes (problems, path, value) and gives back
the checked value, or None after noting why not; it never raises. `read_map` matches the keys of a
map against a `Table` as Go does (any case), refuses every key the table lacks with the nearest
right name, and reads the rest. null stands for an absent key everywhere.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduler.errors import SpecProblem

MAX_PROBLEMS = 100
"""More help nobody; the last line counts the rest."""
MAX_ITEMS = 4096
"""Entries of one list or map: what a record allows for its own lists."""
MAX_TEXT_CHARS = 1 << 20
"""No text can be longer than the largest spec."""
MAX_NAME_CHARS = 255
"""What file systems and the stock client's tables hold."""
MIN_LIKENESS = 0.7
"""Of 1: two letters swapped in a short word pass, `gitlfs` for `ipfs` does not."""
MAX_SHOWN_CHARS = 60
"""How much of a wrong value is repeated to its author."""

# Explicit ranges, not Unicode categories: every release of Python must give the same answer.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_HALF = re.compile(r"[\ud800-\udfff]")
_INVISIBLE = re.compile(
    r"[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


class Problems:
    """What was found so far."""

    def __init__(self) -> None:
        self._found: list[SpecProblem] = []
        self._left_out = 0

    def add(self, path: str, message: str) -> None:
        """Note one problem."""
        if len(self._found) < MAX_PROBLEMS:
            self._found.append(SpecProblem(path, message))
        else:
            self._left_out += 1

    @property
    def count(self) -> int:
        return len(self._found) + self._left_out

    @property
    def full(self) -> bool:
        return len(self._found) >= MAX_PROBLEMS

    def found(self) -> tuple[SpecProblem, ...]:
        """All of them, in the order of the document's tables."""
        if not self._left_out:
            return tuple(self._found)
        return (*self._found, SpecProblem("", f"and {self._left_out} more problems"))


Reader = Callable[[Problems, str, Any], Any]


@dataclass(frozen=True, slots=True)
class Table:
    """The keys that one kind of map may have."""

    title: str
    """How sentences call such a map."""
    keys: dict[str, Reader]
    required: tuple[str, ...] = ()
    by_lower: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_lower", {key.lower(): key for key in self.keys})


def read_map(problems: Problems, path: str, value: Any, table: Table) -> dict[str, Any]:
    """What a map holds by the table's spelling of its keys; absent and wrong ones are left out."""
    if not isinstance(value, dict):
        problems.add(path, f"must be a map ({table.title}), not {shown(value)}")
        return {}
    raw = value
    if not value.keys() <= table.keys.keys():
        raw = _matched_keys(problems, path, value, table)
    read: dict[str, Any] = {}
    for key, reader in table.keys.items():
        item = raw.get(key)
        if item is not None:
            result = reader(problems, f"{path}.{key}" if path else key, item)
            if result is not None:
                read[key] = result
        elif key in table.required:
            problems.add(below(path, key), "is required")
    return read


def _matched_keys(
    problems: Problems, path: str, value: dict[Any, Any], table: Table
) -> dict[str, Any]:
    raw: dict[str, Any] = {}
    for key, item in value.items():
        if type(key) is not str:
            problems.add(path, f"has the key {shown(key)}; keys are texts")
            continue
        name = table.by_lower.get(key.lower()) if len(key) <= MAX_SHOWN_CHARS else None
        if name is None:
            if not problems.full:
                problems.add(below(path, key), _unknown_key(key, table))
        elif name in raw:
            problems.add(below(path, name), "is written twice, in different cases; keep one")
        else:
            raw[name] = item
    return raw


def _unknown_key(key: str, table: Table) -> str:
    near = nearest(key, table.keys)
    if near:
        return f"is not a field of {table.title}; did you mean {near}?"
    known = ", ".join(name for name, read in table.keys.items() if read is not ignored) or "none"
    return f"is not a field of {table.title}; it has {known}"


def nearest(word: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    """The known word most like this one, in any case; "" when none is near."""
    if len(word) > MAX_SHOWN_CHARS:
        return ""
    by_lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=MIN_LIKENESS)
    return by_lower[close[0]] if close else ""


def below(path: str, key: str) -> str:
    """The path of one key of the map at `path`."""
    if not re.fullmatch(r"[A-Za-z0-9_./-]{1,60}", key):
        return f"{path}[{shown(key)}]"
    return f"{path}.{key}" if path else key


def shown(value: Any) -> str:
    """A wrong value in a few harmless characters."""
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list | tuple | set | frozenset):
        return "a list"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else "an integer beyond 64 bits"
    if isinstance(value, str):
        return repr(value[:MAX_SHOWN_CHARS]) + ("..." if len(value) > MAX_SHOWN_CHARS else "")
    if isinstance(value, float):
        return repr(value)
    return f"a {type(value).__name__}"


# --- readers -------------------------------------------------------------------------------------


def text(problems: Problems, path: str, value: Any) -> str | None:
    """Any text that a program can be given: no NUL, nothing that UTF-8 cannot write."""
    if type(value) is not str:
        quote = (
            f'; put it in quotes: "{value}"' if type(value) is int and abs(value) < 1 << 63 else ""
        )
        problems.add(path, f"must be a text, not {shown(value)}{quote}")
        return None
    if len(value) > MAX_TEXT_CHARS:
        problems.add(path, f"is longer than {MAX_TEXT_CHARS} characters")
        return None
    if "\0" in value or (not value.isascii() and _HALF.search(value)):
        problems.add(path, "holds a NUL or half a character, which no program can be given")
        return None
    return value


def word(problems: Problems, path: str, value: Any) -> str | None:
    """One line for people: 1 to 255 characters, none of them control or invisible ones."""
    checked = text(problems, path, value)
    if checked is None:
        return None
    if not 1 <= len(checked) <= MAX_NAME_CHARS:
        problems.add(path, f"must have 1 to {MAX_NAME_CHARS} characters, not {len(checked)}")
        return None
    if checked.isascii() and checked.isprintable():
        return checked
    if _CONTROL.search(checked) or _INVISIBLE.search(checked):
        problems.add(path, f"holds control or invisible characters: {ascii(checked)[:80]}")
        return None
    return checked


def pattern(form: str, rule: str) -> Reader:
    """A reader of texts that match the regular expression as a whole; `rule` says it in words."""
    compiled = re.compile(form)

    def read(problems: Problems, path: str, value: Any) -> str | None:
        checked = text(problems, path, value)
        if checked is None or compiled.fullmatch(checked):
            return checked
        problems.add(path, f"{shown(checked)} {rule}")
        return None

    return read


def whole(minimum: int, maximum: int, unit: str = "") -> Reader:
    """A reader of whole numbers within these bounds."""
    named = f"whole {unit}" if unit else "a whole number"

    def read(problems: Problems, path: str, value: Any) -> int | None:
        if type(value) is not int or not minimum <= value <= maximum:
            problems.add(path, f"must be {named} from {minimum} to {maximum}, not {shown(value)}")
            return None
        return value

    return read


def flag(problems: Problems, path: str, value: Any) -> bool | None:
    """true or false, nothing that only looks like it."""
    if type(value) is not bool:
        problems.add(path, f"must be true or false, not {shown(value)}")
        return None
    return value


def choice(*known: str) -> Reader:
    """A reader of one of these words in any case; gives the spelling listed."""
    by_lower = {one.lower(): one for one in known}

    def read(problems: Problems, path: str, value: Any) -> str | None:
        if type(value) is str and value.lower() in by_lower:
            return by_lower[value.lower()]
        near = nearest(value, known) if type(value) is str else ""
        hint = f"; did you mean {near}?" if near else f"; it is one of {', '.join(known)}"
        problems.add(path, f"{shown(value)} is not known{hint}")
        return None

    return read


def later(what: str) -> Reader:
    """A reader that refuses a field this release does not honour yet, by name."""

    def read(problems: Problems, path: str, value: Any) -> None:
        problems.add(path, f"{what} are not there yet; leave this out")

    return read


def ignored(problems: Problems, path: str, value: Any) -> None:
    """A reader of keys that the server makes: stored jobs carry them, here they mean nothing."""


def list_of(item: Reader, minimum: int = 0) -> Reader:
    """A reader of lists; what `item` cannot read stands as None, so that places keep numbers."""

    def read(problems: Problems, path: str, value: Any) -> list[Any] | None:
        if not isinstance(value, list):
            problems.add(path, f"must be a list, not {shown(value)}")
            return None
        if not minimum <= len(value) <= MAX_ITEMS:
            problems.add(path, f"must have {minimum} to {MAX_ITEMS} entries, not {len(value)}")
            return None
        return [item(problems, f"{path}[{index}]", one) for index, one in enumerate(value)]

    return read


def map_of(key: Reader, item: Reader) -> Reader:
    """A reader of maps whose keys are the user's own; keys are matched exactly."""

    def read(problems: Problems, path: str, value: Any) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            problems.add(path, f"must be a map, not {shown(value)}")
            return None
        if len(value) > MAX_ITEMS:
            problems.add(path, f"must have at most {MAX_ITEMS} entries, not {len(value)}")
            return None
        entries: dict[str, Any] = {}
        for name, one in value.items():
            place = below(path, name) if type(name) is str else path
            checked_name = key(problems, place, name)
            checked = item(problems, place, one)
            if checked_name is not None and checked is not None:
                entries[checked_name] = checked
        return entries

    return read


def nested(table: Table) -> Reader:
    """A reader of maps by a table."""
    return lambda problems, path, value: read_map(problems, path, value, table)
