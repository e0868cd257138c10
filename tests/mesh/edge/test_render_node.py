from __future__ import annotations

import pytest

from mesh.edge import documents, node_documents
from mesh.edge.render_node import NOT_TAKEN, describe_node
from mesh.ledger.received import Refusal
from mesh.member.commands import NodeWork
from tests.mesh.edge.fake_doors import REFUSED
from tests.mesh.edge.readings import HERE, attempt_reading, finished, job_reading, node_detail


def node_answer(facts: dict[str, int] | None) -> documents.Document:
    job = finished(job_reading())
    work = NodeWork(job.attempts, (attempt_reading(job.id, observation=REFUSED),), {"capacity": 2})
    node = node_documents.node_document(
        node_detail(HERE, "here\x1b"), system="linux", machine="amd64"
    )
    return {"Node": node, **node_documents.node_work_document(work, facts)}


def test_a_node_is_described() -> None:
    text = describe_node(node_answer({"sent_per_hour_bytes": 2_000_000}), 100)
    assert "here\\x1b" in text
    assert "Engines     wasm 45" in text
    assert "Sends       2 MB an hour to its peers" in text
    assert "What it refused: 2 capacity" in text
    assert "It is busy." in text
    assert "cannot be reached now" in describe_node(node_answer(None), 100)


def test_what_peers_sent_and_nobody_believes_is_told() -> None:
    assert "Not taken" not in describe_node(node_answer({"ledger_forks": 0}), 100)
    text = describe_node(node_answer({"ledger_refused_signature": 2, "ledger_forks": 1}), 100)
    assert "Not taken   2 with a wrong signature, 1 of a second history of one log" in text


@pytest.mark.parametrize("name", NOT_TAKEN)
def test_each_counter_is_one_of_the_ledger(name: str) -> None:
    rest = name.removeprefix("ledger_")
    assert rest in ("void", "forks") or Refusal(rest.removeprefix("refused_"))
