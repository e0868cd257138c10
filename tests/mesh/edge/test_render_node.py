from __future__ import annotations

from mesh.edge import documents, node_documents
from mesh.edge.render_node import describe_node
from mesh.member.commands import NodeWork
from tests.mesh.edge.fake_doors import (
    HERE,
    REFUSED,
    attempt_reading,
    finished,
    job_reading,
    node_detail,
)


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
