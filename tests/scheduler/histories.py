"""Records by hand and by chance, for tests of the fold and of decisions."""

from __future__ import annotations

from random import Random
from typing import Any

from scheduler.ids import (
    AttemptId,
    Dot,
    JobId,
    NodeId,
    attempt_id_from_bytes,
    job_id_from_bytes,
    named_job_id,
    node_id_from_bytes,
)
from scheduler.instant import Hlc
from scheduler.jobs import (
    AttemptState,
    Expiry,
    Failure,
    JobSpec,
    JobType,
    NodeReading,
    Refusal,
    Resources,
    Source,
    Task,
)
from scheduler.records import Kind, Record
from scheduler.view import View

NODES = tuple(sorted(node_id_from_bytes(bytes([number]) * 16) for number in range(1, 6)))
ANN, BEN, CAT, DAN, EVE = NODES
JOB = job_id_from_bytes(b"j" * 16)
OTHER_JOB = job_id_from_bytes(b"k" * 16)
SPEC_DIGEST = "5" * 64
Fact = tuple[Dot, Record]


def attempt_id(number: int) -> AttemptId:
    return attempt_id_from_bytes(number.to_bytes(16, "big"))


class Ledger:
    """Writes records under fresh dots, with a clock that ticks once a record; keeps them all."""

    def __init__(self, *, first_hlc: int = 1000) -> None:
        self.facts: list[Fact] = []
        self.hlc = first_hlc
        self._seqs: dict[tuple[NodeId, int], int] = {}

    def write(
        self,
        author: NodeId,
        kind: Kind,
        /,
        *,
        epoch: int = 1,
        hlc: int = 0,
        cause: Dot | None = None,
        **body: Any,
    ) -> Dot:
        self.hlc += 1
        seq = self._seqs[author, epoch] = self._seqs.get((author, epoch), 0) + 1
        dot = Dot(author, epoch, seq)
        self.facts.append((dot, Record(kind, Hlc(hlc or self.hlc), cause, body)))
        return dot

    def birth(self, author: NodeId = ANN, *, job: JobId = JOB, name: str = "", **more: Any) -> Dot:
        body: dict[str, Any] = {
            "namespace": "default",
            "name": name,
            "submitter": "",
            "spec": SPEC_DIGEST,
        }
        return self.write(author, Kind.JOB_CREATED, job=job, fold=1, **body, **more)

    def version(self, birth: Dot, *, author: NodeId = ANN, job: JobId = JOB, **fields: Any) -> Dot:
        body: dict[str, Any] = {
            "number": 1,
            "type": "batch",
            "count": 1,
            "priority": 0,
            "spec": SPEC_DIGEST,
            "seen_stops": (),
            "retry_attempts": 3,
            "retry_program": 0,
            "execution_timeout_s": 0,
            "queue_timeout_s": 0,
            "total_timeout_s": 0,
            "disconnect": {},
        }
        return self.write(author, Kind.VERSION_ADDED, job=job, birth=birth, **(body | fields))

    def claim(self, birth: Dot, author: NodeId = ANN, *, term: int = 1, job: JobId = JOB) -> Dot:
        return self.write(author, Kind.OWNER_CLAIMED, job=job, birth=birth, term=term)

    def place(
        self,
        birth: Dot,
        version: Dot,
        attempt: AttemptId,
        node: NodeId,
        *,
        author: NodeId = ANN,
        job: JobId = JOB,
        index: int = 0,
        number: int = 1,
        term: int = 1,
        score: int = 500,
    ) -> Dot:
        body: dict[str, Any] = {
            "score": score,
            "next_best": (),
            "refusals": {},
            "reasons": {"fit": 500},
        }
        body |= {"version": version, "index": index, "number": number, "term": term, "node": node}
        return self.write(
            author, Kind.ATTEMPT_PLACED, job=job, birth=birth, attempt=attempt, **body
        )

    def observe(
        self, birth: Dot, attempt: AttemptId, node: NodeId, state: AttemptState, **more: Any
    ) -> Dot:
        body: dict[str, Any] = {"job": JOB, "state": int(state)} | more
        return self.write(node, Kind.ATTEMPT_OBSERVED, birth=birth, attempt=attempt, **body)

    def stop(self, birth: Dot, *, author: NodeId = ANN, reason: str = "asked", **more: Any) -> Dot:
        body = {"job": JOB} | more
        return self.write(author, Kind.STOP_REQUESTED, birth=birth, reason=reason, **body)

    def ask_stop(
        self, birth: Dot, attempt: AttemptId, *, author: NodeId = ANN, reason: str = "", **more: Any
    ) -> Dot:
        body = {"job": JOB, "reason": reason} | more
        return self.write(author, Kind.ATTEMPT_STOP_REQUESTED, birth=birth, attempt=attempt, **body)

    def expire(
        self,
        birth: Dot,
        version: Dot,
        reason: Expiry | str = Expiry.TOTAL_TIMEOUT,
        *,
        author: NodeId = ANN,
        **more: Any,
    ) -> Dot:
        body: dict[str, Any] = {"job": JOB, "version": version, "elapsed_ms": 30_000}
        body |= {"reason": reason.value if isinstance(reason, Expiry) else reason} | more
        return self.write(author, Kind.JOB_EXPIRED, birth=birth, **body)

    def started(self, *, count: int = 1, **fields: Any) -> tuple[Dot, Dot]:
        """A job that ANN took in and owns: its birth and its version."""
        birth = self.birth()
        version = self.version(birth, count=count, **fields)
        self.claim(birth)
        return birth, version

    def view(self) -> View:
        return fold(self.facts)


def fold(facts: list[Fact]) -> View:
    view = View()
    for dot, record in facts:
        view.apply(dot, record)
    return view


def random_history(seed: int) -> list[Fact]:
    """Two jobs, three births, and whatever may be said about them, some of it against the rules."""
    random = Random(seed)
    ledger = Ledger()
    named = named_job_id("default", "tide")
    births = [
        (job, ledger.birth(random.choice(NODES), job=job, name="tide" if job == named else ""))
        for job in (JOB, named, named)
    ]
    versions = [_random_version(random, ledger, *one, ()) for one in births]
    claims = [(one, _random_claim(random, ledger, *one)) for one in births]
    attempts: list[tuple[JobId, Dot, AttemptId, NodeId]] = []
    stops: list[Dot] = []
    for step in range(random.randrange(5, 60)):
        job, birth = births[random.randrange(len(births))]
        what = random.random()
        if what < 0.05:
            versions.append(_random_version(random, ledger, job, birth, tuple(stops)))
        elif what < 0.10:
            claims.append(((job, birth), _random_claim(random, ledger, job, birth)))
        elif what < 0.14:
            stops.append(ledger.stop(birth, author=random.choice(NODES), reason=str(step), job=job))
        elif what < 0.17:
            author, version = random.choice(NODES), random.choice(versions)
            reason = random.choice(["a later release's", *Expiry])
            ledger.expire(birth, version, reason, author=author, job=job)
        elif what < 0.45:
            (job, birth), (owner, term) = random.choice(claims)
            node = random.choice(NODES)
            name = attempt_id(random.randrange(40))
            number = random.randrange(1, 4)
            ledger.place(
                birth,
                random.choice(versions),
                name,
                node,
                author=owner if random.random() < 0.95 else random.choice(NODES),
                job=job,
                index=random.randrange(3),
                number=number,
                term=term,
            )
            attempts.append((job, birth, name, node))
        elif attempts:
            _random_word(random, ledger, *random.choice(attempts))
    return ledger.facts


def _random_version(
    random: Random, ledger: Ledger, job: JobId, birth: Dot, seen: tuple[Dot, ...]
) -> Dot:
    return ledger.version(
        birth,
        author=random.choice(NODES),
        job=job,
        number=random.randrange(1, 3),
        count=random.randrange(1, 4),
        seen_stops=tuple(one for one in seen if random.random() < 0.5),
        retry_attempts=random.randrange(1, 4),
        retry_program=random.randrange(2),
        hlc=random.choice((0, 5000)),
    )


def _random_claim(random: Random, ledger: Ledger, job: JobId, birth: Dot) -> tuple[NodeId, int]:
    owner, term = random.choice(NODES), random.randrange(1, 3)
    ledger.claim(birth, owner, term=term, job=job)
    return owner, term


def _random_word(
    random: Random, ledger: Ledger, job: JobId, birth: Dot, attempt: AttemptId, node: NodeId
) -> None:
    if random.random() < 0.1:
        author = random.choice(NODES)
        ledger.ask_stop(birth, attempt, author=author, reason=author[-3:], job=job)
        return
    state = random.choice(list(AttemptState))
    reason = ""
    if state is AttemptState.FAILED:
        reason = random.choice(list(Failure)).value
    elif state is AttemptState.REFUSED:
        reason = random.choice(list(Refusal)).value
    author = node if random.random() < 0.9 else random.choice(NODES)
    epoch = random.randrange(1, 3)
    ledger.observe(birth, attempt, author, state, reason=reason, job=job, epoch=epoch)


def spec(**fields: Any) -> JobSpec:
    """A small batch job; `task` fields by their own names, the rest is the job's."""
    task_fields: dict[str, Any] = {"resources": Resources(cpu_milli=1000, memory_bytes=100)}
    names = set(Task.__dataclass_fields__)
    task_fields |= {name: fields.pop(name) for name in list(fields) if name in names - {"name"}}
    task = Task("main", task_fields.pop("engine", Source("wasm")), **task_fields)
    return JobSpec(JobType.BATCH, task, **fields)


def reading(node: NodeId, **fields: Any) -> NodeReading:
    """A reachable node of 4 cores that runs wasm and reads local and mesh inputs."""
    usual: dict[str, Any] = {
        "name": node[-4:],
        "reachable": True,
        "roles": ("orchestrate", "compute"),
        "capacity": Resources(cpu_milli=4000, memory_bytes=1000),
        "engines": ("wasm",),
        "sources": ("inline", "local", "mesh"),
    }
    return NodeReading(node, **(usual | fields))
