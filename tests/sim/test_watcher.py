from __future__ import annotations

import inspect

from sim.watcher import Watcher, Watchers, Wrong

TOLD = [name for name in vars(Watcher) if not name.startswith("_")]


def test_everyone_is_told_everything_in_order() -> None:
    told: list[tuple[str, str]] = []

    def listener(who: str) -> Watcher:
        watcher = Watcher()
        for name in TOLD:
            setattr(watcher, name, lambda *_, name=name: told.append((who, name)))
        return watcher

    watchers = Watchers(listener("one"), listener("two"))
    watchers.add(listener("three"))
    for name in TOLD:
        arguments = len(inspect.signature(getattr(Watcher, name)).parameters) - 1
        getattr(watchers, name)(*[None] * arguments)
    assert told == [(who, name) for name in TOLD for who in ("one", "two", "three")]


def test_what_is_wrong_names_its_invariant() -> None:
    wrong = Wrong("I4", "a job is gone")
    assert (wrong.invariant, str(wrong)) == ("I4", "I4: a job is gone")
