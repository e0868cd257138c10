"""An operator's word about a node, written down: cordon, drain, or work as before."""

from __future__ import annotations

from mesh.ledger.validate import may_write
from mesh.member.commands import IntentTaken, Problem, SetIntent
from mesh.member.facts import Facts
from scheduler.instant import Instant
from scheduler.intents import CORDON, CORDONED, DRAIN, DRAINING, NONE, NodeIntent
from scheduler.records import Kind, Record

MAX_REASON_CHARS = 256
"""A line for people."""
WORDS = {"": NONE, CORDONED: CORDON, DRAINING: DRAIN}
"""What is asked for -> what the record says."""


def set_intent(facts: Facts, command: SetIntent, now: Instant) -> IntentTaken | Problem:
    """Write the word, unless it stands already; a Problem where this node may not say it."""
    if command.intent not in WORDS:
        known = "cordoned, draining or empty"
        return _problem("BadRequest", f"Intent must be {known}, not {command.intent[:40]!r}", 400)
    if command.node not in facts.readings:
        return _problem("NotFound", f"node not found: {command.node[:80]}", 404)
    known_word = facts.view.intents.of(command.node)
    word, deadline_s = WORDS[command.intent], command.deadline_s
    if _stands(known_word, word, deadline_s):
        return IntentTaken(command.node, command.intent, already=True)
    body = {
        "node": command.node,
        "number": 1 if known_word is None else known_word.number + 1,
        "intent": word,
        "reason": command.reason[:MAX_REASON_CHARS] or None,
        "deadline_s": deadline_s if word == DRAIN and deadline_s else None,
    }
    record = Record(Kind.NODE_INTENT, facts.clock.last, None, body)
    if not may_write(facts.node, facts.own.roles, record):
        return _problem(
            "Forbidden",
            f"this node has neither the role admin nor admit, and {command.node} is not itself",
            403,
            "Ask a node that has one of them, or the node that is meant",
        )
    facts.write(Kind.NODE_INTENT, body, now)
    return IntentTaken(command.node, command.intent)


def _stands(known: NodeIntent | None, word: str, deadline_s: int) -> bool:
    if known is None:
        return word == NONE
    return known.word == word and (word != DRAIN or known.deadline_s == deadline_s)


def _problem(code: str, message: str, status: int, hint: str = "") -> Problem:
    return Problem(code, message, hint, status, "NodesManager")
