"""What the engine's answers mean (pure): failures and sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from runtime.engines.docker_client import EngineFacts
from runtime.engines.docker_options import CannotRun, Image
from runtime.engines.docker_wire import EngineRefused
from scheduler.jobs import Failure, Refusal

MAX_WORDS = 400
"""Of the engine's own words in a sentence."""
KILLED_OR_ASKED_TO_END = (128 + 9, 128 + 15)
"""What an engine does to its containers when it goes, or comes back after a crash."""
_NOISE = (
    "failed to create shim task: ",
    "failed to create task for container: ",
    "OCI runtime create failed: ",
    "runc create failed: ",
    "container_linux.go:",
    "unable to start container process: ",
    "Error response from daemon: ",
)
_INIT_FAILED = re.compile(
    r"\s*(?:\[FATAL tini \(\d+\)\] exec (?P<command>.+) failed: (?P<reason>[^\n]+)"
    r"|ERROR \(catatonit:\d+\): failed to exec pid1: (?P<other_reason>[^\n]+))\s*"
)
"""How the engines' init processes say that the command cannot be run."""
INIT_FAILED_CODES = (1, 126, 127)
"""What they exit with then; older ones of Podman's with 1."""
_NO_SUCH_IMAGE = re.compile(
    r"manifest unknown|manifest for \S+ not found|failed to resolve reference \S+ .*: not found"
    r"|does not exist or may require|access to the resource is denied|name unknown"
    r"|repository name not known|unauthorized: authentication required|no basic auth credentials"
    r"|no match(?:ing manifest)? for|no image found in (?:manifest|image index)"
    r"|invalid reference format",
    re.IGNORECASE,
)
"""The word of a registry, or of an engine that needs none for it. What is said of the way there (a
name without an address, a time-out, a proxy's page, too many requests) is none of these."""
_NO_PROGRAM = ("executable file not found", "no such file or directory", "permission denied")


def plain_words(words: str) -> str:
    """The engine's words in one line, without the names of its inner parts, with no full stop."""
    words = re.sub(r"\s+", " ", words).strip()
    for noise in _NOISE:
        words = words.replace(noise, "")
    return words[:MAX_WORDS].removesuffix(": unknown").rstrip(". ")


def not_pulled(image: str, words: str) -> CannotRun:
    """The engine lacks the image and cannot get it."""
    refusal = Refusal.IMAGE_UNAVAILABLE
    if _NO_SUCH_IMAGE.search(words):
        refusal = Refusal.IMAGE_MISSING
    return CannotRun(
        refusal,
        f"The image {image} is not on this node and the engine cannot pull it "
        f"({plain_words(words)}): check its name, or bring it with docker load.",
    )


def image_names(listed: Any) -> tuple[str, ...]:
    """What an engine's list of images names, the newest first; nothing where it is no such list."""
    named: list[tuple[int, str]] = []
    for one in listed if isinstance(listed, list) else ():
        tags = [tag for tag in one.get("RepoTags") or () if not tag.startswith("<none>")]
        digests = [name for name in one.get("RepoDigests") or () if not name.startswith("<none>")]
        named += [(-int(one.get("Created") or 0), name) for name in tags or digests]
    return tuple(name for _, name in sorted(named))


def check_platform(image: str, has: Image, facts: EngineFacts) -> None:
    """CannotRun for an image that was built for another kind of machine."""
    if (has.os, has.architecture) != (facts.os, facts.architecture):
        raise CannotRun(
            Refusal.IMAGE_MISSING,
            f"The image {image} is built for {has.os}/{has.architecture}, this node runs "
            f"{facts.os}/{facts.architecture}: use an image for several platforms, or a constraint "
            "on the label arch.",
        )


def not_created(image: str, refused: EngineRefused) -> CannotRun:
    """The engine does not take what the job asks for."""
    words = plain_words(refused.words)
    if "container-init binary not found" in words:
        return CannotRun(
            Failure.ENGINE, "The engine of this node lacks its init: install catatonit."
        )
    if refused.status == 400:
        return CannotRun(Failure.MODULE_INVALID, f"The engine refuses the job: {words}.")
    return CannotRun(Failure.ENGINE, f"The engine cannot make a container of {image}: {words}.")


def not_started(image: str, refused: EngineRefused) -> CannotRun:
    """The container is there and cannot begin."""
    words = plain_words(refused.words)
    if "docker-init" in words:
        return CannotRun(
            Failure.ENGINE,
            "The engine of this node lacks docker-init: install tini or docker-init.",
        )
    if "could not select device driver" in words:
        return CannotRun(
            Failure.ENGINE, "The engine of this node has no driver for GPUs: the job needs one."
        )
    if "error mounting" not in words and any(one in words for one in _NO_PROGRAM):
        return CannotRun(Failure.MODULE_INVALID, _no_command(image, words))
    failure = Failure.MODULE_INVALID if refused.status == 400 else Failure.ENGINE
    return CannotRun(failure, f"The container cannot be started: {words}.")


def _no_command(image: str, reason: str) -> str:
    return f"The image {image} cannot run this command ({reason}): check Entrypoint and Parameters."


def ran_for_s(state: Mapping[str, Any], wall_s: float) -> float:
    """Seconds since a container began, by the wall clock that it and we share; 0 at least."""
    text = re.sub(r"(\.[0-9]{1,6})[0-9]*", r"\1", str(state.get("StartedAt", "")))
    try:
        return max(0.0, wall_s - datetime.fromisoformat(text).timestamp())
    except ValueError:
        return 0.0


def how_it_ended(
    state: Mapping[str, Any] | None,
    *,
    stopped: bool,
    engine_left: bool,
    memory_bytes: int,
    image: str,
    stderr: str,
) -> tuple[int | None, str, str]:
    """(exit code, failure, sentence) of the `State` of a container that has ended; None is one that
    somebody has removed. `stopped`: at our asking. `engine_left`: the engine was away meanwhile, or
    has just left. `stderr`: its end."""
    if stopped:
        return None, "", "The container was ended at our asking."
    if state is None or state.get("Status") == "removing":
        sentence = "The container was removed by somebody else while it ran."
        return None, Failure.ENGINE.value, sentence
    code = int(state.get("ExitCode", 0))
    if state.get("OOMKilled") and code:  # true also where only a child died and all went well
        sentence = f"The container needed more memory than its limit of {memory_bytes} bytes: "
        return code, Failure.OUT_OF_MEMORY.value, sentence + "ask for more in Resources.Memory."
    if engine_left and code in KILLED_OR_ASKED_TO_END:
        sentence = "The Docker engine went away, and its containers with it."
        return None, Failure.ENGINE.value, sentence
    if code in INIT_FAILED_CODES and (match := _INIT_FAILED.fullmatch(stderr)):
        reason = match["other_reason"] or f"{match['command']}: {match['reason']}"
        return None, Failure.MODULE_INVALID.value, _no_command(image, plain_words(reason))
    return code, "", ""
