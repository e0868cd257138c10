"""Pictures of the seeded mesh for tests of what is drawn from them."""

from __future__ import annotations

from mesh.edge.feed_reader import Picture
from mesh.edge.render_columns import Line, Look, line_text
from tests.mesh.edge.feed_server import fixture_frames


def picture_of(name: str) -> Picture:
    """What the frames of `calm`, `split` or `healed` make out."""
    picture = Picture()
    for frame in fixture_frames(name):
        picture.apply(frame["event"], frame["data"])
    return picture


def look_at(picture: Picture, *, exact: bool = False) -> Look:
    """Three seconds after the last event."""
    return Look(max(one["Time"] for one in picture.events) + 3_000, exact)


def texts(lines: list[Line]) -> list[str]:
    """Lines without their styles."""
    return [line_text(one) for one in lines]
