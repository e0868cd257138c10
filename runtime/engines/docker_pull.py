"""Pull an image by the engine; ended by cancelling, which the engine notices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio

from runtime.engines.docker_answers import not_pulled
from runtime.engines.docker_wire import EngineRefused, JsonLines, asking

DEFAULT_TAG = "latest"
REGISTRY_WAIT_S = 120.0
"""The engine says nothing until the registry has answered, and tries several names and addresses:
a machine without a network takes most of a minute to say so."""
PROGRESS_S = 2.0
"""Between two words on how far a pull is: people look at it, and each is a line of the log."""
_HERE = ("Pull complete", "Already exists")
_MEGABYTE = 1_000_000


class PullProgress:
    """How far a pull is, from the engine's lines (pure)."""

    def __init__(self, image: str) -> None:
        self._image = image
        self._layers: dict[str, tuple[int, int]] = {}
        """Bytes that came, and bytes in all as far as the engine has said."""
        self._here: set[str] = set()

    def take(self, line: Any) -> None:
        """One line; those that are about no layer are passed over."""
        if not isinstance(line, dict) or not isinstance(line.get("id"), str):
            return
        layer, status = line["id"], str(line.get("status", ""))
        if status.startswith("Pulling from"):
            return  # its id is the tag
        came, whole = self._layers.get(layer, (0, 0))
        detail = line.get("progressDetail")
        if status == "Downloading" and isinstance(detail, dict):
            came, whole = _amount(detail.get("current")), _amount(detail.get("total"))
        elif status == "Download complete" or status in _HERE:
            came = whole
        self._layers[layer] = (came, whole)
        if status in _HERE:
            self._here.add(layer)

    def sentence(self) -> str:
        """In half a line; the bytes of layers whose turn has not come are not known yet."""
        if not self._layers:
            return f"pulling {self._image}"
        came, whole = (sum(part) / _MEGABYTE for part in zip(*self._layers.values(), strict=True))
        layers = f"{len(self._here)} of {len(self._layers)} layers are here"
        return f"pulling {self._image}: {came:.1f} of {whole:.1f} MB, {layers}"


def _amount(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0


def split_reference(image: str) -> tuple[str, str]:
    """(repository, tag or digest): a port in the registry's name is no tag."""
    if "@" in image:
        repository, _, digest = image.partition("@")
        return repository, digest
    head, slash, last = image.rpartition("/")
    name, colon, tag = last.partition(":")
    return head + slash + name, tag if colon else DEFAULT_TAG


async def pull_image(
    socket: str, image: str, headers: Mapping[str, str], tell: Callable[[str], Awaitable[None]]
) -> None:
    """Bring an image; `tell` hears now and then how far it is. CannotRun with the engine's own
    words where that fails; EngineAway."""
    repository, tag = split_reference(image)
    query = {"fromImage": repository, "tag": tag}
    progress, told, told_s = PullProgress(image), "", trio.current_time()
    try:
        async with asking(
            socket, "POST", "/images/create", query, headers, wait_s=REGISTRY_WAIT_S
        ) as answer:
            lines = JsonLines(answer)
            while True:
                with trio.move_on_after(PROGRESS_S) as patience:
                    line = await lines.next()
                    if line is None:
                        return
                    if isinstance(line, dict) and line.get("error"):
                        raise not_pulled(image, str(line["error"]))
                    progress.take(line)
                if told_s + PROGRESS_S > trio.current_time() and not patience.cancelled_caught:
                    continue
                if (sentence := progress.sentence()) != told:
                    told, told_s = sentence, trio.current_time()
                    await tell(sentence)
    except EngineRefused as refused:
        raise not_pulled(image, refused.words) from None
