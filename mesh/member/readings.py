"""Frozen snapshots of what a member knows, for doors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesh.gossip.core import PeerReading
from mesh.gossip.events import PeerState
from mesh.member.commands import AttemptReading, JobReading, NodeDetail
from mesh.member.facts import Facts
from mesh.member.history import history_of
from mesh.member.registers import CapacityRegister
from scheduler.attempts import AttemptView
from scheduler.instant import Hlc, Instant, hlc_wall_ms
from scheduler.intents import DRAINING, NodeIntent
from scheduler.job_view import JobView
from scheduler.jobs import AttemptState, JobState, NodeReading, Waiting
from scheduler.versions import VersionView


def read_job(
    facts: Facts,
    job: JobView,
    version: VersionView | None,
    waiting: Waiting | None,
    *,
    settled: bool,
    attempts: bool,
    history: bool,
    all_versions: bool = False,
) -> JobReading:
    """One version of a job as folded now: `version` is None while none is known."""
    replaced = None if _wins(job, version) else version
    if replaced is not None:
        waiting, settled = None, False
    readings: tuple[AttemptReading, ...] = ()
    if attempts:
        of = None if all_versions or version is None else version.dot
        counted = (one for one in job.attempts.values() if of in (None, one.version))
        in_order = sorted(counted, key=lambda one: (one.placed_hlc, one.id))
        readings = tuple(read_attempt(facts, job, one) for one in in_order)
    number = 0 if version is None else version.number
    lines = history_of(facts, job) if history else ()
    if not all_versions:
        lines = tuple(one for one in lines if one.version_number == number or not number)
    modified_hlc = job.modified_hlc if replaced is None else _modified_hlc(job, replaced)
    return JobReading(
        id=job.id,
        name=job.name,
        namespace=job.namespace,
        spec=None if version is None else facts.specs.get(version.spec),
        state=job.state() if replaced is None else job.state_of(replaced),
        message=job.message(facts.name_of) if replaced is None else _replaced_by(job, replaced),
        settled=settled,
        version_number=number,
        revision=job.revision if replaced is None else _revision(job, modified_hlc),
        created_ms=hlc_wall_ms(job.created_hlc),
        modified_ms=hlc_wall_ms(modified_hlc),
        owner=None if job.owner is None else job.owner[1],
        accepting_node=job.birth.author,
        counts=job.summary(version),
        waiting=waiting,
        attempts=readings,
        history=lines,
        submitter=job.births[job.birth].body["submitter"],
    )


def _wins(job: JobView, version: VersionView | None) -> bool:
    """Whether a version is the latest, which it is as long as none is known."""
    return version is None or job.version is None or version.dot == job.version.dot


def _modified_hlc(job: JobView, version: VersionView) -> Hlc:
    """Of the last news of a replaced version's attempts."""
    told = (
        max(one.placed_hlc, one.observed_hlc)
        for one in job.attempts.values()
        if one.version == version.dot
    )
    return max(told, default=version.hlc)


def _revision(job: JobView, modified_hlc: Hlc) -> int:
    """Records about the job up to then, so that it counts on over versions."""
    return sum(hlc <= modified_hlc for hlc, _ in job.dots.items())


def _replaced_by(job: JobView, version: VersionView) -> str:
    """Why a version that another replaced ended as it did; empty when its state says it all."""
    state = job.state_of(version)
    if state is JobState.FAILED:
        failed = job.slots_of(version.dot).first_failed()
        return "" if failed is None else failed.observation.message
    if state is JobState.COMPLETED:
        return ""
    order = job.versions_in_order()
    after = order[order.index(version) + 1]
    stops = sorted(after.seen_stops - version.seen_stops)
    return next(
        (job.stops[one] for one in stops if one in job.stops),
        f"Version {after.number} replaced it.",
    )


def read_attempt(facts: Facts, job: JobView, attempt: AttemptView) -> AttemptReading:
    """One attempt as folded now."""
    version = job.versions.get(attempt.version)
    accepted = job.slots_of(attempt.version).accepted(attempt.index)
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
    told = facts.view.intents.of(reading.node)
    standing = told if told is not None and told.standing else None
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
        rtt_ms=0.0 if peer is None else peer.rtt_ms or 0.0,
        load=None if register.load_tenths is None else register.load_tenths / 10,
        **({} if standing is None else _intent_facts(facts, standing)),
    )


def _intent_facts(facts: Facts, told: NodeIntent) -> Mapping[str, Any]:
    said_ms = hlc_wall_ms(told.hlc)
    drains = told.standing == DRAINING
    return {
        "intent": told.standing,
        "intent_reason": told.reason,
        "intent_by": facts.name_of(told.dot.author),
        "intent_since_ms": said_ms,
        "intent_until_ms": said_ms + told.deadline_s * 1000 if drains else 0,
    }


def _texts(mapping: Mapping[str, str]) -> Mapping[str, str]:
    return dict(sorted(mapping.items()))
