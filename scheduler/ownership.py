"""Who decides for a job: the accepting node or else the candidate; and the fence between owners.

A lease here is an economy, not a lock: without consensus nothing can exclude a second owner on the
other side of a split. The fence (term, owner id) makes every node agree on which of two counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from scheduler.ids import JobId, NodeId, node_id_to_bytes, uuid_bytes
from scheduler.jobs import NodeReading

ORCHESTRATE = "orchestrate"
FIRST_TERM = 1
MAX_TAKEOVER_WAIT_S = 300.0
"""Five minutes: a link that flaps all day costs a job twelve terms an hour, not one a second."""


class Fence(NamedTuple):
    """A claim on a job; compared as a pair, since two sides may reach the same term."""

    term: int
    owner: NodeId


def rendezvous(job: JobId, nodes: Iterable[NodeId]) -> NodeId:
    """The node with the greatest SHA-256 over job id and node id; ValueError when there is none.

    Everyone who knows the same nodes names the same one, and a node that leaves moves no job but
    its own.
    """
    return max(nodes, key=lambda node: (_weight(job, node), node))


def candidate(job: JobId, members: Iterable[NodeReading]) -> NodeId | None:
    """The reachable member with the role `orchestrate` that ranks first for this job, if any."""
    eligible = [one.node for one in members if one.reachable and ORCHESTRATE in one.roles]
    return rendezvous(job, eligible) if eligible else None


def is_stale(claim: tuple[int, NodeId], greatest: tuple[int, NodeId] | None) -> bool:
    """A greater claim on the job is known: work placed under this one is refused (P5, I12)."""
    return greatest is not None and Fence(*claim) < Fence(*greatest)


def takeover_wait_s(base_s: float, term: int) -> float:
    """How long the owner at this term must have been silent before another may take over.

    `base_s` for term 1, twice as long with each takeover, five minutes at most; 0 stays 0.
    """
    doublings = min(max(term - FIRST_TERM, 0), _MOST_DOUBLINGS)
    return min(base_s * 2.0**doublings, MAX_TAKEOVER_WAIT_S)


_MOST_DOUBLINGS = 64
"""Beyond any bound: a term is a stranger's number and may be 2^53."""


def _weight(job: JobId, node: NodeId) -> bytes:
    return hashlib.sha256(uuid_bytes(job) + node_id_to_bytes(node)).digest()
