"""A table of bad requests: none is answered by 5xx, every answer has the one shape."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.mesh.edge.fake_doors import FakeDoors
from tests.mesh.edge.readings import JOB, finished, job_reading

JOBS = "/api/v1/orchestrator/jobs"
NODES = "/api/v1/orchestrator/nodes"
MESH = "/api/v1/mesh"
JSON = {"Content-Type": "application/json"}
UNKNOWN = "j-ffffffff-0000-4000-8000-000000000009"


def body(**changes: Any) -> bytes:
    return json.dumps({"Job": {**JOB, **changes}}).encode()


def task(**changes: Any) -> bytes:
    return body(Tasks=[{**JOB["Tasks"][0], **changes}])


BAD = [
    # bodies
    ("empty", "PUT", JOBS, b"", JSON, 400),
    ("spaces", "PUT", JOBS, b"   ", JSON, 400),
    ("byte order mark only", "PUT", JOBS, b"\xef\xbb\xbf", JSON, 400),
    ("binary", "PUT", JOBS, b"\xff\xfe\x00", JSON, 400),
    ("UTF-16", "PUT", JOBS, '{"Job": {}}'.encode("utf-16"), JSON, 400),
    ("truncated", "PUT", JOBS, b'{"Job": ', JSON, 400),
    ("trailing comma", "PUT", JOBS, b'{"Job": {},}', JSON, 400),
    ("two documents", "PUT", JOBS, b"{} {}", JSON, 400),
    ("bare text", "PUT", JOBS, b'"job"', JSON, 400),
    ("bare list", "PUT", JOBS, b"[]", JSON, 400),
    ("null", "PUT", JOBS, b"null", JSON, 400),
    ("duplicate keys", "PUT", JOBS, b'{"Job": {"Name": "a", "Name": "b"}}', JSON, 400),
    ("NaN", "PUT", JOBS, b'{"Job": {"Count": NaN}}', JSON, 400),
    ("Infinity", "PUT", JOBS, b'{"Job": {"Count": -Infinity}}', JSON, 400),
    ("1e400", "PUT", JOBS, b'{"Job": {"Count": 1e400}}', JSON, 400),
    ("5,000 digits", "PUT", JOBS, b'{"Job": {"Count": ' + b"9" * 5000 + b"}}", JSON, 400),
    ("half a surrogate", "PUT", JOBS, b'{"Job": {"Name": "\\ud800"}}', JSON, 400),
    ("deep", "PUT", JOBS, b'{"Job": ' + b"[" * 100_000, JSON, 400),
    ("too large", "PUT", JOBS, b" " * 10_000_001, JSON, 413),
    ("no job", "PUT", JOBS, b"{}", JSON, 400),
    ("job null", "POST", JOBS, b'{"Job": null}', JSON, 400),
    ("job a list", "PUT", JOBS, b'{"Job": []}', JSON, 400),
    ("unknown key", "PUT", JOBS, b'{"Jbo": {}}', JSON, 400),
    ("key not a text", "PUT", JOBS, b'{"Job": {}, "IdempotencyToken": 7}', JSON, 400),
    ("text body", "PUT", JOBS, b"hello", {"Content-Type": "text/plain"}, 415),
    ("no content type", "PUT", JOBS, body(), {}, 415),
    ("stop with a list", "DELETE", f"{JOBS}/j-0", b"[]", JSON, 400),
    # specs
    ("type unknown", "PUT", JOBS, body(Type="nonsense"), JSON, 400),
    ("no tasks", "PUT", JOBS, body(Tasks=[]), JSON, 400),
    ("count negative", "PUT", JOBS, body(Count=-1), JSON, 400),
    ("count a float", "PUT", JOBS, body(Count=3.5), JSON, 400),
    ("engine unknown", "PUT", JOBS, task(Engine={"Type": "qemu"}), JSON, 400),
    ("engine missing", "PUT", JOBS, task(Engine=None), JSON, 400),
    ("processor bad", "PUT", JOBS, task(Resources={"CPU": "abc"}), JSON, 400),
    ("memory negative", "PUT", JOBS, task(Resources={"Memory": "-1mb"}), JSON, 400),
    ("spec key unknown", "PUT", JOBS, body(Colour="red"), JSON, 400),
    # queries
    ("limit a word", "GET", f"{JOBS}?limit=abc", None, {}, 400),
    ("limit negative", "GET", f"{JOBS}?limit=-1", None, {}, 400),
    ("limit enormous", "GET", f"{JOBS}?limit={'9' * 400}", None, {}, 400),
    ("order unknown", "GET", f"{JOBS}?order_by=colour", None, {}, 400),
    ("reverse a word", "GET", f"{JOBS}?reverse=maybe", None, {}, 400),
    ("selector bad", "GET", f"{JOBS}?labels=%21%21a", None, {}, 400),
    ("token bad", "GET", f"{JOBS}?next_token=bogus", None, {}, 400),
    ("include unknown", "GET", f"{JOBS}/j-0?include=colour", None, {}, 400),
    ("version not there", "GET", f"{JOBS}/j-0?job_version=7", None, {}, 404),
    ("history token bad", "GET", f"{JOBS}/j-0/history?next_token=%20", None, {}, 400),
    ("history token of another call", "GET", f"{JOBS}/j-0/history?next_token=Ok46", None, {}, 400),
    ("event type unknown", "GET", f"{JOBS}/j-0/history?event_type=x", None, {}, 400),
    ("since a word", "GET", f"{JOBS}/j-0/history?since=now", None, {}, 400),
    ("executions order", "GET", f"{JOBS}/j-0/executions?order_by=x", None, {}, 400),
    ("node order", "GET", f"{NODES}?order_by=x", None, {}, 400),
    ("node status", "GET", f"{NODES}?filter-status=x", None, {}, 400),
    ("node selector", "GET", f"{NODES}?labels=%21%21a", None, {}, 400),
    # addresses and methods
    ("unknown route", "GET", "/api/v1/nothing", None, {}, 404),
    ("trailing slash", "GET", f"{JOBS}/", None, {}, 404),
    ("unknown job", "GET", f"{JOBS}/j-none", None, {}, 404),
    ("unknown job's results", "GET", f"{JOBS}/j-none/results", None, {}, 404),
    ("unknown job stopped", "DELETE", f"{JOBS}/j-none", None, {}, 404),
    ("unknown job watched", "GET", f"{MESH}/watch?job=j-none", None, {}, 404),
    ("too long a job watched", "GET", f"{MESH}/watch?job={'j' * 1100}", None, {}, 400),
    ("nodes of a job watched", "GET", f"{MESH}/watch?job=j-0&topics=nodes", None, {}, 400),
    ("unknown node", "GET", f"{NODES}/nope", None, {}, 404),
    ("ambiguous node", "GET", f"{NODES}/n-", None, {}, 409),
    ("ambiguous job", "GET", f"{JOBS}/j-", None, {}, 409),
    ("finished job stopped", "DELETE", f"{JOBS}/j-0", None, {}, 409),
    ("id not UTF-8", "GET", f"{JOBS}/%ff", None, {}, 400),
    ("id enormous", "GET", f"{JOBS}/{'a' * 2000}", None, {}, 400),
    ("wrong method", "PATCH", JOBS, b"{}", JSON, 405),
    ("wrong method on a job", "POST", f"{JOBS}/j-0", b"{}", JSON, 405),
    ("logs without upgrade", "GET", f"{JOBS}/j-0/logs", None, {}, 400),
    ("blob not a digest", "GET", f"{MESH}/blobs/..%2f..%2fetc", None, {}, 400),
    ("blob unknown", "GET", f"{MESH}/blobs/{'0' * 64}", None, {}, 404),
    ("blob of other bytes", "PUT", f"{MESH}/blobs/{'0' * 64}", b"x", {}, 400),
    ("archive of nothing", "GET", f"{MESH}/jobs/j-0/results/e-9.tar.gz", None, {}, 404),
    # where it comes from
    ("foreign host", "GET", JOBS, None, {"Host": "evil.example"}, 403),
    ("host that begins alike", "GET", JOBS, None, {"Host": "127.0.0.1.evil.example:1234"}, 403),
    ("foreign origin", "GET", JOBS, None, {"Origin": "http://evil.example"}, 403),
    ("origin of another port", "GET", JOBS, None, {"Origin": "http://127.0.0.1:8000"}, 403),
    ("origin null", "PUT", JOBS, body(), {**JSON, "Origin": "null"}, 403),
    # not there yet
    ("diff without a job", "PUT", f"{JOBS}/diff", b"{}", JSON, 400),
    ("diff of a list", "PUT", f"{JOBS}/diff", b"[]", JSON, 400),
    ("rerun of nobody", "PUT", f"{JOBS}/{UNKNOWN[:9]}/rerun", b"{}", JSON, 404),
    ("rerun of version -1", "PUT", f"{JOBS}/j-0/rerun", b'{"JobVersion": -1}', JSON, 400),
    ("rerun of version 1.5", "PUT", f"{JOBS}/j-0/rerun", b'{"JobVersion": 1.5}', JSON, 400),
    ("rerun of version true", "PUT", f"{JOBS}/j-0/rerun", b'{"JobVersion": true}', JSON, 400),
    ("rerun of version 7", "PUT", f"{JOBS}/j-0/rerun", b'{"JobVersion": 7}', JSON, 404),
    ("rerun for no text", "PUT", f"{JOBS}/j-0/rerun", b'{"Reason": 7}', JSON, 400),
    ("force is a text", "PUT", JOBS, b'{"Job": {}, "Force": "yes"}', JSON, 400),
    ("approve nobody", "PUT", f"{NODES}/n-1", b'{"Action": "approve"}', JSON, 404),
    ("approve", "PUT", f"{NODES}/there", b'{"Action": "approve"}', JSON, 409),
    ("reject", "PUT", f"{NODES}/there", b'{"Action": "reject"}', JSON, 409),
    ("no action", "PUT", f"{NODES}/there", b"{}", JSON, 400),
    ("unknown action", "PUT", f"{NODES}/there", b'{"Action": "promote"}', JSON, 400),
]


@pytest.mark.parametrize(
    ("method", "path", "content", "headers", "status"),
    [case[1:] for case in BAD],
    ids=[case[0] for case in BAD],
)
async def test_bad_request(
    client: httpx.AsyncClient,
    doors: FakeDoors,
    method: str,
    path: str,
    content: bytes | None,
    headers: dict[str, str],
    status: int,
) -> None:
    doors.change(finished(job_reading()))
    doors.change(job_reading(id="j-10000000-0000-4000-8000-000000000001"))
    before = dict(doors.jobs)
    answer = await client.request(method, path, content=content, headers=headers)
    document = answer.json()
    assert answer.status_code == status, document
    assert {"Status", "Message", "RequestID", "Code", "Component"} <= set(document)
    assert set(document) <= {
        "Status",
        "Message",
        "RequestID",
        "Code",
        "Component",
        "Hint",
        "Details",
    }
    assert document["Status"] == status
    assert document["Message"]
    assert document["Code"]
    assert document["RequestID"] == answer.headers["X-Request-Id"]
    assert doors.jobs == before, "a refused request changed something"


async def test_every_problem_of_a_spec_is_told(client: httpx.AsyncClient) -> None:
    answer = await client.put(JOBS, json={"Job": {**JOB, "Count": -1, "Priority": "x"}})
    message = answer.json()["Message"]
    assert "Count" in message
    assert "Priority" in message


async def test_an_error_of_ours_is_500_without_details(
    client: httpx.AsyncClient, doors: FakeDoors
) -> None:
    doors.broken = True
    answer = await client.get(JOBS, headers={"X-Request-Id": "mine"})
    assert answer.status_code == 500
    assert answer.json()["RequestID"] == "mine"
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


async def test_an_allowed_method_is_named(client: httpx.AsyncClient) -> None:
    answer = await client.patch(JOBS)
    assert "PUT" in answer.json()["Message"]


async def test_an_unknown_full_id_is_waited_for(
    client: httpx.AsyncClient, doors: FakeDoors, autojump_clock: object
) -> None:
    answer = await client.get(f"{JOBS}/{UNKNOWN}")
    assert answer.status_code == 404
