"""What the API costs a node: processor time of a request, and reads beside many finished jobs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from tests.bench.figure import Figure
from tests.bench.stage import NO_OP, Client, family, job_body, mesh_of, percentile_ms, program
from tests.system.mesh_processes import JOBS, Node, until

REQUESTS = 2000
FINISHED = 10_000
SUBMITTERS = 4
ALIVE = "/api/v1/agent/alive"
READS = 300
"""A p99 of 300 rests on the three slowest."""
PATIENCE_S = 300.0


def figures() -> Iterator[Figure]:
    """Cost of a request on an idle node; then lists and reads over 10,000 finished jobs."""
    with mesh_of("alone") as mesh:
        node = mesh["alone"]
        with Client(node) as client:
            yield _cost("alive", node, lambda: client.call("GET", ALIVE))
            jobs = _fill(node, client)
            yield _cost("one job", node, lambda: client.call("GET", f"{JOBS}/{jobs[0]}"))
            listed = f"{JOBS}?limit=100"
            yield from _reads(
                "list of 100 beside 10,000 jobs", lambda: client.call("GET", listed), floor_ms=30
            )
            some = iter(jobs * (1 + READS // len(jobs)))
            yield from _reads(
                "one job beside 10,000", lambda: client.state(next(some)), floor_ms=10
            )


def _cost(name: str, node: Node, ask: Callable[[], object]) -> Figure:
    process = family(node)[0]
    for _ in range(REQUESTS // 10):
        ask()
    began = process.cpu_times()
    for _ in range(REQUESTS):
        ask()
    ended = process.cpu_times()
    spent_s = ended.user + ended.system - began.user - began.system
    note = f"of the node's process alone; n = {REQUESTS}, one connection"
    return Figure(
        f"request for {name}, processor", spent_s / REQUESTS * 1000, "ms", None, "less", "", note
    )


def _fill(node: Node, client: Client) -> list[str]:
    """10,000 no-op jobs by a few clients at once; their ids, once all are over."""
    module = program(NO_OP)
    client.keep(module)
    body = job_body(module)
    jobs: list[str] = []

    def submit() -> None:
        with Client(node) as own:
            jobs.extend([own.submit(body) for _ in range(FINISHED // SUBMITTERS)])

    threads = [threading.Thread(target=submit) for _ in range(SUBMITTERS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(jobs) == FINISHED
    waiting = list(jobs)

    def all_over() -> bool:
        while waiting and client.state(waiting[-1]) == "Completed":
            waiting.pop()
        return not waiting

    until(all_over, "all jobs are over", patience_s=PATIENCE_S)
    return jobs


def _reads(name: str, ask: Callable[[], object], *, floor_ms: float) -> Iterator[Figure]:
    times_s = []
    for _ in range(READS):
        began_s = time.perf_counter()
        ask()
        times_s.append(time.perf_counter() - began_s)
    note = f"p50 {percentile_ms(times_s, 50):.2f}; n = {READS}"
    yield Figure(f"{name}, p99", percentile_ms(times_s, 99), "ms", floor_ms, "less", "", note)
