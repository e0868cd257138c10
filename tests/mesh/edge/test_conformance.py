"""Requests of a real Bacalhau client, sent as captured: the answers have the shape of those that
its own orchestrator gave, but for the differences named here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.mesh.edge.captures import FIXTURES, kind
from tests.mesh.edge.member_doors import MemberDoors

REPLAYED = sorted(
    path.name
    for path in FIXTURES.glob("*.json")
    if path.name not in ("14-job-logs.json",)  # a socket: see test_logs
)
SUBMITS = {
    "11-job-describe-include.json": ["10-docker-run-no-wait.json"],
    "12-job-executions.json": ["10-docker-run-no-wait.json"],
    "13-job-history.json": ["10-docker-run-no-wait.json"],
    "15-job-results.json": ["10-docker-run-no-wait.json"],
    "16-job-list-page-and-order.json": ["10-docker-run-no-wait.json"] * 4,
    "18-submit-unchanged.json": ["18-submit-unchanged.json", "18-submit-unchanged.json:1"],
    "19-job-stop.json": ["10-docker-run-no-wait.json"],
    "20-job-describe-stopped.json": ["10-docker-run-no-wait.json"],
    "21-job-rerun.json": ["10-docker-run-no-wait.json"],
    "22-job-versions.json": ["10-docker-run-no-wait.json"],
    "29-job-list-labels.json": ["37-job-by-name.json"],
}
"""Jobs that were there before the captured command: those of which fixtures, once for each time."""
BETWEEN = {("23-job-diff.json", 1): "24-job-update.json"}
"""Jobs that came between two captured requests."""
RUNNING = ("19-job-stop.json", "20-job-describe-stopped.json")
"""Their job runs until it is stopped."""

STATUSES = {
    ("18-submit-unchanged.json", "PUT", 500): (409, "the caller's mistake, not the server's"),
    ("30-node-reject-approve.json", "PUT", 200): (409, "a mesh has no list of approved nodes"),
    # Of the bad requests, by the name of the case.
    "two tasks": (400, "one task was dropped without a word"),
    "count zero": (400, "asks for nothing"),
    "engine unknown": (400, "was accepted and never ran"),
    "engine params empty docker": (400, "was accepted and never ran"),
    "label bad": (400, "was 500"),
    "constraint operator bad": (400, "was accepted and matched nothing"),
    "publisher unknown": (400, "was accepted and failed after the work was done"),
    "unknown key": (400, "a mistyped key was dropped without a word"),
    "logs without upgrade": (400, "was an empty answer with status 200"),
    "wrong content type": (415, "the status was in the message only"),
    "id given": (200, "the job of this name was there from the cases before"),
}
"""Where a mesh answers with another status on purpose, and why."""

DIFFERENCES = {
    ".Meta.bacalhau.org/server.instance.id": "a mesh has no installation of its own to name",
    ".Meta.bacalhau.org/client.instance.id": "there where the request named it in its headers",
    ".Event.Details": "left out when empty, as there; which lines have some differs",
    ".ConnectionState.LastComputeSeqNum": "counts messages of a protocol that is not spoken here",
    ".ConnectionState.LastOrchestratorSeqNum": "as the one before",
    ".ConnectionState.LastError": "only of a node that is not connected",
    ".State.Message": "of a job that failed there and waits or runs here",
    ".DesiredState.Message": "left out when empty",
    ".NextToken": "the job ended there and waits here",
    ".Hint": "errors that say enough have none",
    ".Publisher.Params": "left out when empty",
    ".Params.Entrypoint": "null is left out",
    ".Params.EnvironmentVariables": "null is left out",
    ".Params.Parameters": "null is left out",
    ".Params.WorkingDirectory": "empty is left out",
    ".Params.ImportModules": "null is left out",
    ".Timeouts": "left out when empty",
    ".ExecutionEngines": "null where the captured node runs no jobs itself",
    ".Publishers": "as the one before",
    ".StorageSources": "as the one before",
    ".Items[0].ExecutionID": "which line a page begins with differs",
    ".Items[0].Event.Details.NodeID": "as the one before",
    ".Items[0].Event.Details.IsError": "as the one before",
    ".Items[0].Event.Details.ErrorCode": "as the one before",
    ".Details": "the address of a request is in the sentence",
    ".Publisher.Params.bucket": "keys are spelled as in the documentation",
    ".Publisher.Params.key": "as the one before",
    ".Publisher.Params.Bucket": "as the one before",
    ".Publisher.Params.Key": "as the one before",
}
"""Keys that a captured answer has and ours may lack, or has as null."""


def differing(theirs: Any, ours: Any, path: str = "") -> Iterator[str]:
    """Keys that ours lacks, other JSON types, and keys of our own inside `Params`."""
    if kind(theirs) != kind(ours):
        yield f"{path}: {kind(theirs)} there, {kind(ours)} here"
    elif isinstance(theirs, dict):
        for key, value in theirs.items():
            if key not in ours:
                yield f"{path}.{key}: absent here"
            else:
                yield from differing(value, ours[key], f"{path}.{key}")
        if path.endswith(".Params"):
            yield from (f"{path}.{key}: ours alone" for key in ours if key not in theirs)
    elif isinstance(theirs, list) and theirs and ours:
        yield from differing(theirs[0], ours[0], f"{path}[0]")


def unexplained(theirs: Any, ours: Any) -> list[str]:
    return [
        one
        for one in differing(theirs, ours)
        if not one.startswith(".config.")  # a mesh node has few of those settings
        and not one.partition(":")[0].endswith(tuple(DIFFERENCES))
    ]


def _query_of(exchange: dict[str, Any]) -> str:
    """As sent, but for tokens that a server gave out: those mean nothing here."""
    query = exchange.get("raw_query") or exchange.get("query") or ""
    if isinstance(query, dict):
        query = urlencode(query, doseq=True)
    given = ("next_token=Ok46", "next_token=Y3Jl")
    return "&".join(one for one in str(query).split("&") if not one.startswith(given))


class Replay:
    """Sends what was captured, with ids as they are here."""

    def __init__(self, client: httpx.AsyncClient, member: MemberDoors) -> None:
        self._client = client
        self._member = member
        self._jobs: list[str] = []
        self._ids: dict[str, str] = {}

    async def submit(self, text: str) -> None:
        name, _, at = text.partition(":")
        exchange = json.loads((FIXTURES / name).read_text())["exchanges"][int(at or 0)]
        self._jobs.append((await self.send(exchange)).json()["JobID"])

    async def send(self, exchange: dict[str, Any]) -> httpx.Response:
        body = exchange.get("request_body")
        text = body if isinstance(body, str) else json.dumps(body)
        headers = {"Content-Type": "application/json", **exchange.get("request_headers", {})}
        headers = {name: value for name, value in headers.items() if name.lower() != "host"}
        query = _query_of(exchange)
        answer = await self._client.request(
            exchange["method"],
            self._here(exchange["path"]) + (f"?{query}" if query else ""),
            content=None if body is None else self._here(text).encode(),
            headers=headers,
        )
        if exchange["method"] in ("PUT", "POST") and answer.status_code == 200:
            told = exchange.get("response_body")
            if isinstance(told, dict) and told.get("JobID"):
                self._ids[told["JobID"]] = answer.json()["JobID"]
        return answer

    def _here(self, text: str) -> str:
        for there, here in self._ids.items():
            text = text.replace(there, here)
        for word in set(filter(lambda one: len(one) == 38, text.replace('"', "/").split("/"))):
            if word.startswith("n-"):
                text = text.replace(word, self._member.status.node)
            elif word.startswith("j-") and self._jobs and word not in self._ids.values():
                text = text.replace(word, self._jobs[0])
        return text


@pytest.mark.parametrize("name", REPLAYED)
async def test_the_answers_have_the_captured_shape(
    real: httpx.AsyncClient, member: MemberDoors, name: str, autojump_clock: object
) -> None:
    replay = Replay(real, member)
    member.stage.hold_runs = name in RUNNING
    for earlier in SUBMITS.get(name, []):
        await replay.submit(earlier)
    if name == "20-job-describe-stopped.json":
        await real.delete(f"/api/v1/orchestrator/jobs/{replay._jobs[0]}?reason=enough")
    for at, exchange in enumerate(json.loads((FIXTURES / name).read_text())["exchanges"]):
        if exchange.get("status") in (None, 101):
            continue  # a socket, or a request that got no answer
        if (name, at) in BETWEEN:
            await replay.submit(BETWEEN[name, at])
        answer = await replay.send(exchange)
        case = exchange.get("case")
        key = case if case else (name, exchange["method"], exchange["status"])
        expected = STATUSES.get(key, (exchange["status"], ""))[0]
        assert answer.status_code == expected, (key, answer.text[:300])
        assert answer.headers["Content-Type"] == "application/json"
        left_out = str(exchange["response_body"]).startswith("<")
        if expected == exchange["status"] and not left_out:
            assert unexplained(exchange["response_body"], answer.json()) == [], key


def test_every_named_difference_of_status_is_of_a_captured_request() -> None:
    cases, keys = set(), set()
    for name in REPLAYED:
        for exchange in json.loads((FIXTURES / name).read_text())["exchanges"]:
            cases.add(exchange.get("case"))
            keys.add((name, exchange["method"], exchange.get("status")))
    assert [one for one in STATUSES if one not in cases | keys] == []
