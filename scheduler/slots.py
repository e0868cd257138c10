"""The slots of one version, kept up to date attempt by attempt.

A version may have 5,000 slots and change 20,000 times: nothing here walks over all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scheduler.attempts import AttemptView
from scheduler.ids import AttemptId
from scheduler.instant import Hlc
from scheduler.jobs import AttemptState
from scheduler.lifecycle import SlotState, Tried, slot_state
from scheduler.versions import VersionView

_SENT_BACK = (AttemptState.REFUSED, AttemptState.CANCELLED)
_NEVER = Hlc(1 << 63)


class SlotTable:
    """The slots of one version, which may be known later than attempts of it."""

    __slots__ = (
        "_attempts",
        "_crowded",
        "_members",
        "_states",
        "_tried_again",
        "_untouched_from",
        "_version",
        "_waits_since",
    )

    def __init__(self) -> None:
        self._version: VersionView | None = None
        self._attempts: dict[int, list[AttemptView]] = {}
        self._states: dict[int, SlotState] = {}
        self._members: dict[SlotState, dict[int, None]] = {}
        """Slots by their state; one without any has no entry: there is a table for every job."""
        self._tried_again: dict[int, None] = {}
        """Slots that have had more than one attempt."""
        self._crowded: dict[int, None] = {}
        """Of those, the ones with more live attempts than they want."""
        self._untouched_from = 0
        self._waits_since = _NEVER
        """No attempt that waits was placed before this; the one that was may wait no more."""

    def know(self, version: VersionView) -> None:
        """The version's own record is here: from now on its slots have states."""
        self._version = version
        for index in self._attempts:
            self._derive(index)

    def place(self, attempt: AttemptView) -> None:
        """One more attempt of a slot."""
        attempts = self._attempts.setdefault(attempt.index, [])
        attempts.append(attempt)
        if len(attempts) > 1:
            self._tried_again[attempt.index] = None
        self._derive(attempt.index)

    def remove(self, attempt: AttemptView) -> None:
        """An attempt gave way to another placement under the same id."""
        index, attempts = attempt.index, self._attempts[attempt.index]
        attempts.remove(attempt)
        if attempts:
            self._derive(index)
            return
        # As if it had never been placed: in another order of the same records it never was.
        del self._attempts[index]
        self._tried_again.pop(index, None)
        self._crowded.pop(index, None)
        before = self._states.pop(index, None)
        if before is not None:
            self._leave(before, index)
        self._untouched_from = min(self._untouched_from, index)

    def moved(self, attempt: AttemptView) -> None:
        """What is known of an attempt has changed."""
        self._derive(attempt.index)

    # --- readings ---------------------------------------------------------------------------------

    def count(self, state: SlotState) -> int:
        """Slots in this state, those never placed among the open ones."""
        known = len(self._members.get(state, ()))
        if state is not SlotState.OPEN or self._version is None:
            return known
        return known + self._version.count - len(self._states)

    def summary(self) -> Mapping[str, int]:
        """Slots by what became of them: done, running, waiting, failed."""
        return {
            "done": self.count(SlotState.DONE),
            "running": self.count(SlotState.ACTIVE),
            "waiting": self.count(SlotState.OPEN) + self.count(SlotState.ASSIGNED),
            "failed": self.count(SlotState.FAILED),
        }

    def state(self, index: int) -> SlotState | None:
        """The state of a slot that was placed; None of any other, and beyond the count."""
        return self._states.get(index)

    def placed(self) -> list[int]:
        """Slots that were ever placed, in order."""
        return sorted(self._states)

    def attempts(self, index: int) -> list[AttemptView]:
        """Attempts of a slot by (number, id)."""
        return sorted(self._attempts.get(index, ()), key=lambda one: (one.number, one.id))

    def successes(self, index: int) -> list[AttemptView]:
        """Attempts that succeeded, the accepted one first: `first_complete` (P1, P4)."""
        done = [one for one in self._attempts.get(index, ()) if one.completed_hlc]
        return sorted(done, key=_acceptance)

    def accepted(self, index: int) -> AttemptView | None:
        """The slot's accepted result: an arg-min over its successes (P1, P4)."""
        done = [one for one in self._attempts.get(index, ()) if one.completed_hlc]
        return min(done, key=_acceptance, default=None)

    def open_indexes(self) -> Iterator[int]:
        """Open slots: those that were placed before, then those that never were, in order."""
        yield from sorted(self._members.get(SlotState.OPEN, ()))
        if self._version is None:
            return
        while self._untouched_from in self._attempts:
            self._untouched_from += 1
        for index in range(self._untouched_from, self._version.count):
            if index not in self._attempts:
                yield index

    def waiting(self, *, placed_before: Hlc = _NEVER) -> list[AttemptView]:
        """Attempts that wait at their nodes and are the only live ones of their slots."""
        if placed_before <= self._waits_since:  # as nearly always: most have begun long before
            return []
        found = [
            next(one for one in self._attempts[index] if one.live)
            for index in self._members.get(SlotState.ASSIGNED, ())
            if index not in self._crowded
        ]
        self._waits_since = min((one.placed_hlc for one in found), default=_NEVER)
        return [one for one in found if one.placed_hlc < placed_before]

    def crowded(self) -> Iterator[list[AttemptView]]:
        """The live attempts, by id, of each slot that has more than one and no result."""
        for index in sorted(self._crowded):
            if self._states[index] is not SlotState.DONE:
                yield self._live(index)

    def duplicates(self) -> list[AttemptView]:
        """Live attempts of slots that have an accepted result, by id."""
        done = [index for index in self._crowded if self._states[index] is SlotState.DONE]
        return sorted((one for index in done for one in self._live(index)), key=lambda one: one.id)

    def duplicate_count(self) -> int:
        """Successes beside the accepted one, over all slots."""
        if not self._tried_again:
            return 0
        return sum(max(0, len(self.successes(index)) - 1) for index in self._tried_again)

    def first_failed(self) -> AttemptView | None:
        """The last attempt of the first slot that has failed; rather one that failed than others,
        and rather that of a slot where nothing was given up for lost."""
        failed = self._members.get(SlotState.FAILED)
        if not failed:
            return None
        return max(
            self.attempts(min(failed, key=lambda one: (self._is_given_up(one), one))),
            key=lambda one: (
                one.given_up or one.state is AttemptState.FAILED,
                one.number,
                one.id,
            ),
        )

    def _is_given_up(self, index: int) -> bool:
        return any(one.given_up for one in self._attempts[index])

    def _live(self, index: int) -> list[AttemptView]:
        return sorted((one for one in self._attempts[index] if one.live), key=lambda one: one.id)

    def _leave(self, state: SlotState, index: int) -> None:
        del self._members[state][index]
        if not self._members[state]:
            del self._members[state]

    def _derive(self, index: int) -> None:
        version = self._version
        if version is None or index >= version.count:
            return
        attempts = self._attempts[index]
        now = slot_state(
            _tried(attempts),
            retry_attempts=version.retry_attempts,
            retry_program=version.retry_program,
        )
        before = self._states.get(index)
        if before is not now:
            if before is not None:
                self._leave(before, index)
            self._states[index] = now
            self._members.setdefault(now, {})[index] = None
        if now is SlotState.ASSIGNED:
            self._waits_since = min(self._waits_since, *(one.placed_hlc for one in attempts))
        if index in self._tried_again:
            wanted = 0 if now is SlotState.DONE else 1
            if sum(one.live for one in attempts) > wanted:
                self._crowded[index] = None
            else:
                self._crowded.pop(index, None)


def _acceptance(one: AttemptView) -> tuple[Hlc, int, AttemptId]:
    return (one.completed_hlc, one.term, one.id)


def _tried(attempts: list[AttemptView]) -> list[Tried]:
    if len(attempts) == 1:  # nearly every slot
        (one,) = attempts
        return [Tried(one.observation, one.taken, given_up=one.given_up)]
    newest = max((one.number for one in attempts if one.state not in _SENT_BACK), default=0)
    return [
        Tried(one.observation, one.taken, replaced=one.number < newest, given_up=one.given_up)
        for one in attempts
    ]
