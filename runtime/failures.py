"""What went wrong on this machine, in words for people and as the event that tells it."""

from __future__ import annotations

from pathlib import Path

from runtime.attempt import EngineEnded, InputsFailed
from scheduler.jobs import Failure, Refusal
from storage.errors import (
    InputMissing,
    NotAllowed,
    StorageError,
    disk_full_words,
    is_disk_full,
)


def input_failure(error: Exception, results: Path) -> InputsFailed:
    """An input could not be brought; `results` is where it was to be put."""
    if isinstance(error, InputMissing):
        return InputsFailed(Refusal.INPUT_MISSING.value, str(error))
    if isinstance(error, NotAllowed):
        return InputsFailed(Refusal.POLICY.value, str(error))
    if isinstance(error, StorageError):
        return InputsFailed(Failure.INPUT.value, str(error))
    if isinstance(error, OSError) and is_disk_full(error):
        sentence = f"Its inputs could not be brought: {disk_full_words(results)}"
        return InputsFailed(Failure.INPUT.value, sentence)
    if isinstance(error, OSError):
        return InputsFailed(Failure.INPUT.value, f"An input could not be read: {error.strerror}.")
    return InputsFailed(Failure.INPUT.value, f"An input could not be brought: {error!r}.")


def engine_broke(kind: str, error: Exception, results: Path) -> EngineEnded:
    """An engine raised what it should have told."""
    if isinstance(error, OSError) and is_disk_full(error):
        return engine_failure(f"The {kind} engine could not go on: {disk_full_words(results)}")
    return engine_failure(f"The {kind} engine failed: {error!r}.")


def engine_failure(sentence: str) -> EngineEnded:
    """Nothing has run."""
    return EngineEnded(None, Failure.ENGINE.value, sentence, "", "", 0, 0)
