"""What the style words of drawn lines look like on a terminal (rich's styles)."""

from __future__ import annotations

import os
from collections.abc import Mapping

from rich.style import Style
from rich.text import Text

from mesh.edge.render_columns import Line

PALETTE: Mapping[str, Style] = {
    "": Style(),
    "good": Style(color="green"),
    "work": Style(color="cyan"),
    "warn": Style(color="yellow"),
    "bad": Style(color="red", bold=True),
    "dim": Style(dim=True),
    "bold": Style(bold=True),
    "head": Style(bold=True, underline=True),
    "alarm": Style(color="white", bgcolor="red", bold=True),
    "calm": Style(color="black", bgcolor="green"),
    "chosen": Style(reverse=True),
    "key": Style(reverse=True),
}
"""The terminal's own sixteen colours: they fit its background, and take few bytes."""
MONOCHROME: Mapping[str, Style] = {
    **{word: Style() for word in PALETTE},
    "bad": Style(bold=True),
    "warn": Style(bold=True),
    "dim": Style(dim=True),
    "bold": Style(bold=True),
    "head": Style(bold=True, underline=True),
    "alarm": Style(bold=True, reverse=True),
    "calm": Style(reverse=True),
    "chosen": Style(reverse=True),
    "key": Style(reverse=True),
}


def palette() -> Mapping[str, Style]:
    """With colours, or without where the person wants none (NO_COLOR, set to anything)."""
    return MONOCHROME if os.environ.get("NO_COLOR") else PALETTE


def rich_line(line: Line, styles: Mapping[str, Style]) -> Text:
    """A line as rich prints it."""
    return Text.assemble(*((text, styles[style]) for text, style in line), no_wrap=True)
