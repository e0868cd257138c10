"""Orders for tests of the runtime."""

from __future__ import annotations

from runtime.attempt import Order
from scheduler.ids import AttemptId, JobId
from scheduler.instant import Instant
from scheduler.jobs import Input, JobSpec, JobType, Resources, ResultPath, Source, Task, Timeouts

SCRIPT = Source("scripted")


def at(seconds: float) -> Instant:
    return Instant(seconds, round(seconds * 1000))


def order(
    *,
    engine: Source = SCRIPT,
    inputs: tuple[Input, ...] = (),
    result_paths: tuple[ResultPath, ...] = (),
    execution_s: int = 0,
    total_s: int = 0,
    success_codes: tuple[int, ...] = (0,),
    holders=None,
    attempt: str = "e-11111111-1111-1111-1111-111111111111",
) -> Order:
    task = Task(
        "main",
        engine,
        inputs=inputs,
        result_paths=result_paths,
        resources=Resources(500, 64 << 20),
        timeouts=Timeouts(execution_s=execution_s, total_s=total_s),
    )
    return Order(
        attempt=AttemptId(attempt),
        job=JobId("j-22222222-2222-2222-2222-222222222222"),
        version_number=1,
        index=2,
        count=5,
        spec=JobSpec(JobType.BATCH, task, success_codes=success_codes),
        holders=holders or {},
    )
