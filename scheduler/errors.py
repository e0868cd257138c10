"""What is wrong with what a user wrote: every problem at once, each with its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class SpecProblem(NamedTuple):
    """One thing to put right: where (`Tasks[0].Engine.Type`, "" for the whole), and what."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class SpecError(ValueError):
    """A document that is no job this release takes; its text has one line per problem."""

    def __init__(self, problems: Sequence[SpecProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SelectorError(ValueError):
    """A label selector that cannot be read; its text is one sentence."""
