"""Requirements on labels, with Kubernetes' meaning: whoever lacks a key is not equal to anything.

Selector text: requirements parted by commas, each `key=value`, `key==value`, `key!=value`, `key in
(a,b)`, `key notin (a,b)`, `key` (has it), `!key` (lacks it), `key>1` or `key<1`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scheduler.errors import SelectorError
from scheduler.jobs import Constraint
from scheduler.reading import (
    Problems,
    Table,
    choice,
    list_of,
    pattern,
    read_map,
    shown,
    text,
)

OPERATORS = ("=", "==", "!=", "in", "notin", "exists", "!", "gt", "lt")
MAX_CONSTRAINTS = 128
"""Far beyond what people write; every node checks each of them for every placement."""
MAX_SELECTOR_CHARS = 16 * 1024
MAX_VALUE_CHARS = 255
FAVOUR = "favour_"

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_KEY_FORM = (
    r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
)
_TOKEN = re.compile(r"\s*(==|!=|[=!<>(),]|[^\s=!<>(),]+)")
_MARKS = ("", "=", "==", "!=", "!", "<", ">", "(", ")", ",")
_SYMBOLS: Mapping[str, str] = {"=": "=", "==": "==", "!=": "!=", ">": "gt", "<": "lt"}

label_key = pattern(
    _KEY_FORM,
    "is not a label key: 1 to 63 letters, digits, '-', '_' or '.', a letter or digit at both ends; "
    "a prefix in lower case and '/' may stand before",
)


def matches(constraint: Constraint, labels: Mapping[str, str]) -> bool:
    """Whether labels meet one requirement; of a soft one, its key without the prefix counts."""
    value = labels.get(constraint.key.removeprefix(FAVOUR))
    match constraint.operator:
        case "=" | "==" | "in":
            return value is not None and value in constraint.values
        case "!=" | "notin":
            return value is None or value not in constraint.values
        case "exists":
            return value is not None
        case "!":
            return value is None
    if value is None or not _INTEGER.fullmatch(value):
        return False
    bound = int(constraint.values[0])
    return int(value) > bound if constraint.operator == "gt" else int(value) < bound


def show_constraint(constraint: Constraint) -> str:
    """One requirement as selector text."""
    values = ",".join(constraint.values)
    match constraint.operator:
        case "exists":
            return constraint.key
        case "!":
            return f"!{constraint.key}"
        case "in" | "notin":
            return f"{constraint.key} {constraint.operator} ({values})"
        case "gt" | "lt":
            return f"{constraint.key}{'>' if constraint.operator == 'gt' else '<'}{values}"
    return f"{constraint.key}{constraint.operator}{values}"


def read_constraints(problems: Problems, path: str, value: Any) -> list[Any] | None:
    """The requirements of a spec: a list of `{"Key", "Operator", "Values"}`, wrong ones as None."""
    if isinstance(value, list) and len(value) > MAX_CONSTRAINTS:
        problems.add(path, f"has {len(value)} entries where {MAX_CONSTRAINTS} are allowed")
        return None
    read: list[Any] | None = list_of(_read_constraint)(problems, path, value)
    return read


def _read_constraint(problems: Problems, path: str, value: Any) -> Constraint | None:
    read = read_map(problems, path, value, CONSTRAINT)
    if "Key" not in read or "Operator" not in read:
        return None
    values = tuple(read.get("Values", ()))
    wrong = _values_problem(read["Operator"], values)
    if wrong:
        problems.add(f"{path}.Values", wrong)
        return None
    return Constraint(read["Key"], read["Operator"], values)


def _values_problem(operator: str, values: tuple[str, ...]) -> str:
    if operator in ("in", "notin"):
        return "" if values else f"must not be empty for the operator {operator}"
    if operator in ("exists", "!"):
        return f"must be empty for the operator {operator}" if values else ""
    if len(values) != 1:
        return f"must hold exactly one value for the operator {operator}, not {len(values)}"
    if operator in ("gt", "lt") and not _INTEGER.fullmatch(values[0]):
        return f"must be a whole number for the operator {operator}, not {shown(values[0])}"
    return ""


def label_value(problems: Problems, path: str, value: Any) -> str | None:
    """A reader of label values: what people write after `=`."""
    checked = text(problems, path, value)
    if checked is None or (
        len(checked) <= MAX_VALUE_CHARS and not re.search(r"[\x00-\x1f\x7f]", checked)
    ):
        return checked
    problems.add(path, f"must have at most {MAX_VALUE_CHARS} characters and no control characters")
    return None


CONSTRAINT = Table(
    "a constraint",
    {"Key": label_key, "Operator": choice(*OPERATORS), "Values": list_of(label_value)},
    required=("Key", "Operator"),
)


def parse_selector_untrusted(selector: str) -> tuple[Constraint, ...]:
    """The requirements that selector text means, all of which must hold; none for blank text.

    Raises SelectorError with one sentence.
    """
    if len(selector) > MAX_SELECTOR_CHARS:
        raise SelectorError(f"the selector is longer than {MAX_SELECTOR_CHARS} characters")
    tokens = _Tokens(selector)
    found: list[Constraint] = []
    while tokens.peek():
        found.append(_requirement(tokens))
        if len(found) > MAX_CONSTRAINTS:
            raise SelectorError(f"the selector has more than {MAX_CONSTRAINTS} requirements")
        if tokens.peek():
            tokens.expect(",")
            if not tokens.peek():
                raise SelectorError(f"selector {shown(selector)} ends with a comma; remove it")
    return tuple(found)


class _Tokens:
    def __init__(self, selector: str) -> None:
        self.selector = selector
        self._tokens = _TOKEN.findall(selector)
        self._next = 0

    def peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self._next += 1
        return token

    def expect(self, wanted: str) -> None:
        token = self.take()
        if token != wanted:
            raise SelectorError(
                f"{self._where()}: expected '{wanted}', found {shown(token or 'the end')}"
            )

    def word(self) -> str:
        token = self.take()
        if token in _MARKS:
            raise SelectorError(
                f"{self._where()}: expected a word, found {shown(token or 'the end')}"
            )
        return token

    def _where(self) -> str:
        return f"selector {shown(self.selector)} cannot be read"


def _requirement(tokens: _Tokens) -> Constraint:
    if tokens.peek() == "!":
        tokens.take()
        return _checked(tokens.word(), "!", ())
    key = tokens.word()
    token = tokens.peek()
    if token in ("", ","):
        return _checked(key, "exists", ())
    tokens.take()
    if token in ("in", "notin"):
        return _checked(key, token, _values(tokens))
    if token not in _SYMBOLS:
        raise SelectorError(
            f"selector {shown(tokens.selector)}: {shown(token)} after {shown(key)} is no operator; "
            "use =, ==, !=, in, notin, > or <"
        )
    value = "" if tokens.peek() in ("", ",") else tokens.word()
    return _checked(key, _SYMBOLS[token], (value,))


def _values(tokens: _Tokens) -> tuple[str, ...]:
    tokens.expect("(")
    found: list[str] = []
    while True:
        found.append("" if tokens.peek() in (",", ")") else tokens.word())
        if tokens.peek() != ",":
            break
        tokens.take()
    tokens.expect(")")
    return tuple(found)


def _checked(key: str, operator: str, values: tuple[str, ...]) -> Constraint:
    problems = Problems()
    label_key(problems, "key", key)
    for value in values:
        label_value(problems, "value", value)
    for problem in problems.found():
        raise SelectorError(f"selector: {problem.message}")
    wrong = _values_problem(operator, values)
    if wrong:
        raise SelectorError(f"selector: the value of {key} {wrong}")
    return Constraint(key, operator, values)
