"""Pull an image by the engine; ended by cancelling, which the engine notices."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.engines.docker_answers import not_pulled
from runtime.engines.docker_wire import EngineRefused, JsonLines, asking

DEFAULT_TAG = "latest"
REGISTRY_WAIT_S = 120.0
"""The engine says nothing until the registry has answered, and tries several names and addresses:
a machine without a network takes most of a minute to say so."""


def split_reference(image: str) -> tuple[str, str]:
    """(repository, tag or digest): a port in the registry's name is no tag."""
    if "@" in image:
        repository, _, digest = image.partition("@")
        return repository, digest
    head, slash, last = image.rpartition("/")
    name, colon, tag = last.partition(":")
    return head + slash + name, tag if colon else DEFAULT_TAG


async def pull_image(socket: str, image: str, headers: Mapping[str, str]) -> None:
    """Bring an image. CannotRun with the engine's own words where that fails; EngineAway."""
    repository, tag = split_reference(image)
    query = {"fromImage": repository, "tag": tag}
    try:
        async with asking(
            socket, "POST", "/images/create", query, headers, wait_s=REGISTRY_WAIT_S
        ) as answer:
            lines = JsonLines(answer)
            while (line := await lines.next()) is not None:
                if isinstance(line, dict) and line.get("error"):
                    raise not_pulled(image, str(line["error"]))
    except EngineRefused as refused:
        raise not_pulled(image, refused.words) from None
