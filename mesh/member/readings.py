"""Frozen snapshots of what a member knows, for doors."""

from __future__ import annotations

from collections.abc import Mapping

from mesh.gossip.core import PeerReading
from mesh.gossip.events import PeerState
from mesh.member.commands import AttemptReading, JobReading, NodeDetail
from mesh.member.facts import Facts
from mesh.member.history import history_of
from mesh.member.registers import CapacityRegister
from scheduler.instant import Instant, hlc_wall_ms
from scheduler.job_view import JobView
from scheduler.jobs import AttemptState, NodeReading, Waiting
from scheduler.slots import AttemptView


def read_job(
    facts: Facts,
    job: JobView,
    waiting: Waiting | None,
    *,
    settled: bool,
    attempts: bool,
    history: bool,
) -> JobReading:
    """One job as folded now."""
    version = job.version
    readings: tuple[AttemptReading, ...] = ()
    if attempts:
        in_order = sorted(job.attempts.values(), key=lambda one: (one.placed_hlc, one.id))
        readings = tuple(read_attempt(facts, job, one) for one in in_order)
    return JobReading(
        id=job.id,
        name=job.name,
        namespace=job.namespace,
        spec=facts.spec_of(job),
        state=job.state(),
        message=job.message(),
        settled=settled,
        version_number=0 if version is None else version.number,
        revision=job.revision,
        created_ms=hlc_wall_ms(job.created_hlc),
        modified_ms=hlc_wall_ms(job.modified_hlc),
        owner=None if job.owner is None else job.owner[1],
        accepting_node=job.birth.author,
        counts=job.summary(),
        waiting=waiting,
        attempts=readings,
        history=history_of(facts, job) if history else (),
    )


def read_attempt(facts: Facts, job: JobView, attempt: AttemptView) -> AttemptReading:
    """One attempt as folded now."""
    version = job.versions.get(attempt.version)
    winning = job.version is not None and attempt.version == job.version.dot
    accepted = job.accepted(attempt.index) if winning else None
    modified = max(attempt.observed_hlc, attempt.placed_hlc)
    return AttemptReading(
        id=attempt.id,
        job=job.id,
        version_number=0 if version is None else version.number,
        index=attempt.index,
        number=attempt.number,
        node=attempt.node,
        node_name=facts.name_of(attempt.node),
        owner=attempt.owner,
        term=attempt.term,
        score=attempt.score,
        observation=attempt.observation,
        accepted=accepted is not None and accepted.id == attempt.id,
        stop_reason=attempt.stop_reason,
        created_ms=hlc_wall_ms(attempt.placed_hlc),
        started_ms=hlc_wall_ms(attempt.started_hlc),
        modified_ms=hlc_wall_ms(modified),
        revision=int(attempt.state) + 1,
        next_best=attempt.next_best,
        refusals=attempt.refusals,
        reasons=attempt.reasons,
    )


def read_node(
    facts: Facts,
    reading: NodeReading,
    register: CapacityRegister,
    peer: PeerReading | None,
    *,
    boot: int,
    addresses: tuple[str, ...],
    started: Instant,
    now: Instant,
) -> NodeDetail:
    """One member; `peer` is None for ourselves, whose boot, addresses and start are given."""
    live = list(facts.view.live_on(reading.node))
    since_s = started.monotonic_s if peer is None else peer.since_s
    return NodeDetail(
        reading=reading,
        state=PeerState.ALIVE if peer is None else peer.state,
        is_self=peer is None,
        boot=boot if peer is None else peer.boot,
        addresses=addresses if peer is None else peer.addresses,
        version=register.version,
        engine_versions=_texts(register.engines),
        used=facts.view.used(reading.node),
        running=sum(one.holds_capacity for one in live),
        queued=sum(one.state is AttemptState.ASSIGNED for one in live),
        since_ms=round(now.wall_ms - (now.monotonic_s - since_s) * 1000),
        linked=peer is None or peer.linked,
    )


def _texts(mapping: Mapping[str, str]) -> Mapping[str, str]:
    return dict(sorted(mapping.items()))
