"""Times as people say them (pure)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NEVER = "-"
_SECOND, _MINUTE, _HOUR, _DAY, _YEAR = 1000, 60_000, 3_600_000, 86_400_000, 31_536_000_000
_UNITS = ((_YEAR, "year"), (_DAY, "day"), (_HOUR, "h"), (_MINUTE, "min"), (_SECOND, "s"))
LAST_MS = 253_402_300_799_999
"""The end of year 9999, the last that RFC 3339 and a calendar here can write."""


def span_text(span_ms: int) -> str:
    """A length of time in its largest unit, rounded down: `8 s`, `3 min`, `2 h`, `1 day`."""
    for unit_ms, word in _UNITS:
        if span_ms >= unit_ms:
            count = span_ms // unit_ms
            plural = "s" if count > 1 and word in ("day", "year") else ""
            return f"{count} {word}{plural}"
    return "0 s"


def age_text(time_ms: int, now_ms: int) -> str:
    """How long ago, for a narrow column: `3 min`; `-` where the time is not known.

    A time that lies ahead, as another machine's clock may say, counts as now.
    """
    return span_text(now_ms - time_ms) if time_ms > 0 else NEVER


def ago_text(time_ms: int, now_ms: int) -> str:
    """`now`, `8 s ago`, `3 min ago`; `-` where the time is not known."""
    if time_ms <= 0:
        return NEVER
    return "now" if now_ms - time_ms < _SECOND else f"{span_text(now_ms - time_ms)} ago"


def exact_text(time_ms: int) -> str:
    """`2026-11-25 14:03:22` in UTC; `-` where the time is not known."""
    return moment(time_ms).strftime("%Y-%m-%d %H:%M:%S") if time_ms > 0 else NEVER


def clock_text(time_ms: int) -> str:
    """`14:03:22` in UTC; `-` where the time is not known."""
    return moment(time_ms).strftime("%H:%M:%S") if time_ms > 0 else NEVER


def day_or_clock_text(time_ms: int, now_ms: int) -> str:
    """`14:03:22` of today, `Nov 25` of another day, both in UTC; `-` where it is not known."""
    if time_ms <= 0 or moment(time_ms).date() == moment(now_ms).date():
        return clock_text(time_ms)
    return moment(time_ms).strftime("%b %d")


def moment(time_ms: int) -> datetime:
    """A time of records in UTC; beyond the calendar's end, that end."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=min(time_ms, LAST_MS))
