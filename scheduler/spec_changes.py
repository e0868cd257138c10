"""What differs between two job documents, one line for each place (pure)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_ABSENT = object()
MAX_SHOWN_CHARS = 200
"""Of one value: a module given inline is not for reading."""


def spec_changes(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """`path: old -> new` for what changed, `path: added new`, `path: removed old`."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            inner = f"{path}.{key}" if path else str(key)
            yield from spec_changes(before.get(key, _ABSENT), after.get(key, _ABSENT), inner)
    elif isinstance(before, list) and isinstance(after, list):
        for at in range(max(len(before), len(after))):
            old, new = (one[at] if at < len(one) else _ABSENT for one in (before, after))
            yield from spec_changes(old, new, f"{path}[{at}]")
    elif before is _ABSENT:
        yield f"{path}: added {_shown(after)}"
    elif after is _ABSENT:
        yield f"{path}: removed {_shown(before)}"
    elif before != after:
        yield f"{path}: {_shown(before)} -> {_shown(after)}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN_CHARS else text[: MAX_SHOWN_CHARS - 3] + "..."
