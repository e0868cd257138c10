"""Many seeds, on all processors: nothing wrong is seen, and everything that can go wrong did."""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from sim.drawing import swarm
from sim.faults import Fault
from sim.sometimes import Path
from sim.trial import Outcome, Trial

SEEDS = range(1, 201)
COMPLETED_MIN = 5
VOID_SHARE_MAX = 0.02

Run = tuple[int, str, str, int, int, Counter[str]]
"""Seed, outcome, sentence, jobs completed, splits and crashes, what was reached."""


def run_swarm(seed: int) -> Run:
    """One run, told in values that another process can send."""
    plan = swarm(seed)
    verdict = Trial(plan).run()
    reached = verdict.sometimes + Counter(fault.name for fault in plan.faults)
    hurts = verdict.crashes + verdict.splits
    return seed, verdict.outcome.name, verdict.sentence, verdict.completed, hurts, reached


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        return list(pool.map(run_swarm, SEEDS, chunksize=5))


@pytest.mark.slow
def test_nothing_wrong_is_seen(runs: list[Run]) -> None:
    failed = [
        f"{outcome}: {sentence}; see it: python -m sim run --swarm --seed {seed}"
        for seed, outcome, sentence, *_ in runs
        if outcome not in (Outcome.RIGHT.name, Outcome.VOID.name)
    ]
    assert not failed, "\n".join(failed)


@pytest.mark.slow
def test_runs_prove_something(runs: list[Run]) -> None:
    void = [seed for seed, _, _, done, hurts, _ in runs if done < COMPLETED_MIN or not hurts]
    assert len(void) <= VOID_SHARE_MAX * len(runs), f"too little happened in seeds {void}"


@pytest.mark.slow
def test_every_fault_and_every_path_was_met(runs: list[Run]) -> None:
    reached = Counter[str]()
    for *_, one in runs:
        reached += Counter(dict.fromkeys(one, 1))
    names = [fault.name for fault in Fault] + [path.name for path in Path]
    never = [name for name in names if not reached[name]]
    print(*sorted(f"{reached[name]:4} runs: {name}" for name in names), sep="\n")
    assert not never, f"{len(runs)} seeds never met {never}"
