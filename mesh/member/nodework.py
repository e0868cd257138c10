"""What one node has in hand and what it would not take, from the jobs known here (pure)."""

from __future__ import annotations

from collections import Counter

from mesh.member.commands import NodeWork
from mesh.member.facts import Facts
from mesh.member.readings import read_attempt
from scheduler.ids import NodeId
from scheduler.jobs import AttemptState

RECENT_REFUSALS = 10
"""Told one by one; the others are counted by reason."""


def node_work(facts: Facts, node: NodeId) -> NodeWork:
    """Attempts under way on the node, and its refusals, newest first."""
    live, refused = [], []
    for job in facts.view.jobs.values():
        for attempt in job.attempts.values():
            if attempt.node != node:
                continue
            if attempt.state is AttemptState.REFUSED:
                refused.append((job, attempt))
            elif not attempt.state.terminal:
                live.append(read_attempt(facts, job, attempt))
    refused.sort(key=lambda pair: (pair[1].observed_hlc, pair[1].id), reverse=True)
    counts = Counter(attempt.observation.reason for _, attempt in refused)
    return NodeWork(
        live=tuple(sorted(live, key=lambda one: (one.created_ms, one.id))),
        refused=tuple(read_attempt(facts, *pair) for pair in refused[:RECENT_REFUSALS]),
        refusals=dict(sorted(counts.items(), key=lambda one: (-one[1], one[0]))),
    )
