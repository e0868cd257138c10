from __future__ import annotations

import pytest

from scheduler.explain import (
    Choice,
    expiry_sentence,
    explain_choice,
    explain_score,
    explain_verdict,
    explain_waiting,
    refusal_sentence,
    stop_sentence,
)
from scheduler.ids import NodeId, node_id_from_bytes
from scheduler.jobs import Expiry, Refusal, StopReason, Verdict, Waiting

NODES = [node_id_from_bytes(bytes([index]) * 16) for index in range(5)]
NAMES = {node: f"node-{index}" for index, node in enumerate(NODES)}


@pytest.mark.parametrize(
    "sentence",
    [
        *map(refusal_sentence, Refusal),
        *map(stop_sentence, [one.value for one in StopReason]),
        *(expiry_sentence(one, 30) for one in Expiry),
    ],
)
def test_each_reason_has_a_sentence(sentence):
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert len(sentence.split()) > 5


def _verdict(index: int, refusal: Refusal | None, detail: str = "") -> Verdict:
    return Verdict(NODES[index], refusal, detail)


def test_verdict_of_a_willing_node_gives_the_parts_of_its_score():
    verdict = Verdict(
        NODES[0], None, score=90, reasons={"spread": 20, "local_data": 70, "past": -5}
    )
    assert explain_verdict(verdict, "deck") == (
        "deck can take it, with 90 points: local data +70, spread +20, past -5."
    )


def test_verdict_of_an_unwilling_node_says_why_and_what_to_do():
    sentence = explain_verdict(_verdict(0, Refusal.TOO_LARGE, "asks 4 GPUs, has 0."), "deck")
    assert sentence == (
        "deck is too small for the job (asks 4 GPUs, has 0). Ask for less, or add a larger node."
    )


def test_waiting_counts_reasons_most_frequent_first():
    waiting = Waiting(
        2,
        (
            _verdict(0, Refusal.CAPACITY),
            _verdict(1, Refusal.ENGINE_MISSING, "no docker"),
            _verdict(2, Refusal.ENGINE_MISSING, "no docker"),
        ),
        possible=True,
    )
    assert explain_waiting(waiting, NAMES) == (
        "2 parts wait: 2 nodes lack the engine that the job names (node-1, node-2: no docker); "
        "node-0 has no room now."
    )


def test_waiting_says_when_no_member_could_ever_meet_it():
    waiting = Waiting(1, (_verdict(0, Refusal.TOO_LARGE),), possible=False)
    assert explain_waiting(waiting, NAMES) == (
        "1 part waits: node-0 is too small for the job. No member could ever run it: change the "
        "job or add a node."
    )


def test_an_engine_that_no_member_has_now_may_come_back():
    waiting = Waiting(1, (_verdict(0, Refusal.ENGINE_MISSING, "no docker"),), possible=False)
    assert explain_waiting(waiting, NAMES).endswith(
        "No member can run it now: start the engine, change the job, or add a node."
    )


def test_waiting_counts_many_nodes_and_shortens_unknown_ones():
    waiting = Waiting(
        1, tuple(_verdict(index, Refusal.CORDONED) for index in range(5)), possible=True
    )
    sentence = explain_waiting(waiting, {})
    assert "5 nodes are cordoned" in sentence
    assert "and 2 more" in sentence
    assert all(NodeId(node) not in sentence for node in NODES)


def test_waiting_without_verdicts():
    assert "no node is known" in explain_waiting(Waiting(1, (), possible=True), NAMES)
    queued = Waiting(1, (_verdict(0, Refusal.CAPACITY),), possible=True, position=3)
    assert explain_waiting(queued, NAMES).endswith("; it is number 3 in the queue.")
    assert "its turn" in explain_waiting(Waiting(1, (_verdict(0, None),), possible=True), NAMES)


def test_no_score_is_no_sentence():
    assert explain_score({}) == ""


def test_a_stop_for_a_reason_of_its_own_is_told_as_it_is():
    assert stop_sentence("no longer needed.") == "It was asked to stop: no longer needed."


LACK = [_verdict(1, Refusal.INPUT_MISSING), _verdict(0, Refusal.INPUT_MISSING)]


@pytest.mark.parametrize(
    ("reasons", "bytes_there", "others", "sentence"),
    [
        (
            {"locality": 690, "fit": 30},
            20_900_000,
            LACK,
            "node-4 has 20.9 MB of its inputs; node-0 and node-1 do not.",
        ),
        ({"locality": 690}, 1_000, LACK[:1], "node-4 has 1 kB of its inputs; node-1 does not."),
        ({"locality": 690}, 1_000, [], "node-4 has 1 kB of its inputs."),
        (
            {"locality": 690},
            1_000,
            [_verdict(index, Refusal.INPUT_MISSING) for index in range(5)],
            "node-4 has 1 kB of its inputs; node-0, node-1, node-2 and 2 more do not.",
        ),
        (
            {"soft": 250, "fit": 600, "cache": 0, "spread": 150},
            0,
            [],
            "node-4 has labels that the job prefers and can start it at once.",
        ),
        (
            {"fit": 660, "spread": 166, "refusals": 111, "latency": 55},
            0,
            [],
            "node-4 can start it at once and runs nothing else of the job.",
        ),
        (
            {"fit": 653, "spread": 83, "refusals": 111, "latency": 55},
            0,
            [],
            "node-4 can start it at once.",
        ),
        ({"fit": 60, "spread": 83}, 0, [], "node-4 has a place for it in its queue."),
        (
            {"fit": 500, "cache": 100, "spread": 130, "latency": 45},
            0,
            [],
            "node-4 has its files already and can start it at once.",
        ),
        ({"locality": 0, "fit": 5}, 0, [], ""),
        ({}, 0, [], ""),
    ],
)
def test_why_a_node_was_chosen(reasons, bytes_there, others, sentence):
    choice = Choice("node-4", reasons, 2, bytes_there)
    assert explain_choice(choice, others, NAMES) == sentence


def test_a_job_in_one_part_has_nothing_else_that_runs():
    reasons = {"fit": 660, "spread": 166, "refusals": 111, "latency": 55}
    assert explain_choice(Choice("x", reasons, 1), (), {}) == "x can start it at once."


@pytest.mark.parametrize(
    ("reachable", "told"),
    [
        (True, "1 part waits: its spec is being fetched from node shore."),
        (
            False,
            "1 part waits: its spec is only on node shore, which cannot be heard; start it again, "
            "or stop the job and submit it once more.",
        ),
    ],
)
def test_a_missing_spec_names_its_holder(reachable: bool, told: str) -> None:
    holder = NodeId("n-aa")
    waiting = Waiting(1, (), True, spec_holder=holder, holder_reachable=reachable)
    assert explain_waiting(waiting, {holder: "shore"}) == told
