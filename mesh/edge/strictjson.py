"""JSON from strangers, read strictly: what two readers could understand differently is refused."""

from __future__ import annotations

import json
import math
from typing import Any


class NotJson(ValueError):
    """The text is not one strict JSON document; the sentence says where or why."""


def parse_json_untrusted(raw: bytes) -> Any:
    """The value of UTF-8 JSON; NotJson for duplicate keys, NaN, half surrogates, depth."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJson(f"the body is not UTF-8 text (byte {error.start})") from None
    if not text.strip():
        raise NotJson("the body is empty: a JSON document is expected")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object_without_duplicates,
            parse_constant=_refuse_constant,
            parse_float=_finite_float,
        )
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except NotJson:
        raise
    except UnicodeEncodeError:
        raise NotJson("a text holds half of a surrogate pair, which no UTF-8 can carry") from None
    except RecursionError:
        raise NotJson("the document is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"{error.msg} (line {error.lineno}, column {error.colno})") from None
    except ValueError as error:
        raise NotJson(f"the document holds a number that cannot be read: {error}") from None
    return value


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise NotJson(f"the key {key!r} stands twice in one object")
            seen.add(key)
    return value


def _refuse_constant(name: str) -> float:
    raise NotJson(f"{name} is not a JSON number")


def _finite_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise NotJson(f"{text[:40]} is too large for a number")
    return number
