"""What happens in the mesh, one line each: the last of it in memory, as this node learned of it.

Nothing here is a record, and nothing is on disk: lines are views over records as they are folded
and over what is heard of peers. What happens is noted in a few words, since nobody may be looking;
sentences are made when somebody asks.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mesh.gossip.core import PeerReading
from mesh.gossip.events import PeerState
from mesh.member.chronicle_words import Noted, Word, sentence_of
from mesh.member.facts import Facts
from mesh.member.watched import Happening
from scheduler.ids import Dot, JobId, NodeId
from scheduler.instant import Hlc, Instant, hlc_wall_ms
from scheduler.job_view import JobView
from scheduler.jobs import AttemptState, JobState, Waiting
from scheduler.ownership import FIRST_TERM
from scheduler.records import Kind, Record

KEPT = 1_000
"""Some minutes of a busy mesh, half a year of a calm one; about 300 B each."""

_OBSERVED: Mapping[int, Word] = {
    AttemptState.RUNNING: Word.RUNS,
    AttemptState.SUCCEEDED: Word.SUCCEEDED,
    AttemptState.FAILED: Word.FAILED,
    AttemptState.REFUSED: Word.REFUSED,
    AttemptState.CANCELLED: Word.CANCELLED,
}
"""What of an attempt is worth a line; the steps between are seen in its row."""


class Standing(NamedTuple):
    """How a job stood when it was last looked at."""

    state: JobState
    duplicates: int
    waits: bool


class Chronicle:
    """The last things that happened, and counts over all jobs."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._noted: deque[Noted] = deque(maxlen=KEPT)
        self._peers: dict[NodeId, tuple[PeerState, int]] = {}
        """State, and the wall time since which it holds."""
        self._jobs: dict[JobId, Standing] = {}
        self._split_since_ms = 0
        self._began_hlc = Hlc(0)
        self.seq = 0
        """Of the last thing that happened; 0 for nothing yet."""
        self.states: Counter[str] = Counter()
        """Jobs by state."""
        self.duplicates = 0
        """Results of slots that have another, accepted one."""

    def happenings(self, after: int) -> tuple[Happening, ...]:
        """What happened after a seq and is still kept, in order."""
        behind = min(self.seq - after, len(self._noted))
        first = self.seq - behind + 1
        newest = list(self._noted)[len(self._noted) - behind :] if behind > 0 else []
        return tuple(
            sentence_of(self._facts, noted, first + place) for place, noted in enumerate(newest)
        )

    def started(self, now: Instant) -> None:
        """Our own life begins: what the disk held, and what peers tell of before, is no news."""
        self._facts.news.clear()
        self._began_hlc = self._facts.clock.last
        self._note(Word.STARTED, now.wall_ms, self._facts.node)

    # --- jobs -------------------------------------------------------------------------------------

    def fold(self, records: Iterable[tuple[Dot, Record]]) -> None:
        """Note what records about jobs say, in the order in which they were folded."""
        for dot, record in records:
            word, detail = _word_of(dot, record)
            if word is not None and record.hlc > self._began_hlc:
                body = record.body
                node = body.get("node", dot.author)
                attempt = body.get("attempt", "")
                self._note(word, hlc_wall_ms(record.hlc), node, body["job"], attempt, detail)

    def job_seen(self, job: JobView, state: JobState, waiting: Waiting | None) -> None:
        """A job changed; `waiting` is why slots of it stay unplaced, where this node decides it."""
        duplicates = job.slots.duplicate_count()
        waits = waiting is not None
        before = self._jobs.get(job.id)
        if before is not None and before == (state, duplicates, waits):
            return
        now = self._jobs[job.id] = Standing(state, duplicates, waits)
        self.states[state.value] += 1
        if before is not None:
            self.states[before.state.value] -= 1
            self.duplicates -= before.duplicates
        self.duplicates += duplicates
        if job.modified_hlc > self._began_hlc:
            self._job_moved(job, now, before or Standing(JobState.PENDING, 0, False), waiting)

    def _job_moved(
        self, job: JobView, now: Standing, before: Standing, waiting: Waiting | None
    ) -> None:
        wall_ms = hlc_wall_ms(job.modified_hlc)
        if now.duplicates > before.duplicates:
            self._note(Word.DUPLICATE, wall_ms, "", job.id, "", now.duplicates)
        if now.state.terminal and now.state is not before.state:
            begun_ms = hlc_wall_ms(job.created_hlc if job.version is None else job.version.hlc)
            detail = (now.state, wall_ms - begun_ms, job.message())
            self._note(Word.ENDED, wall_ms, "", job.id, "", detail)
        elif now.waits and not before.waits:
            self._note(Word.WAITS, wall_ms, self._facts.node, job.id, "", waiting)

    def settled(self, job: JobView, members: int, now: Instant, *, awaited: bool) -> None:
        """So many members, all there are, have confirmed how a job ended. One that ended before our
        start is news when it was `awaited` since."""
        if (awaited or job.modified_hlc > self._began_hlc) and job.version is not None:
            detail = (job.state(), members, job.version.dot)
            self._note(Word.SETTLED, now.wall_ms, "", job.id, "", detail)

    # --- nodes ------------------------------------------------------------------------------------

    def intent_seen(self, node: NodeId) -> None:
        """An operator's word about a node has come."""
        told = self._facts.view.intents.of(node)
        if told is not None and told.hlc > self._began_hlc:
            detail = (told.standing, told.reason, told.dot.author)
            word = Word.INTENT if told.standing else Word.WORKS_AGAIN
            self._note(word, hlc_wall_ms(told.hlc), node, "", "", detail)

    def peer_seen(self, peer: PeerReading, now: Instant) -> None:
        """What this node hears of a peer may have changed."""
        known = self._peers.get(peer.node)
        if known is not None and known[0] is peer.state:
            return
        self._peers[peer.node] = (peer.state, now.wall_ms)
        before = None if known is None else known[0]
        word = _PEER_WORDS.get((before, peer.state), _PEER_WORDS.get((None, peer.state)))
        lasted_ms = 0 if known is None else now.wall_ms - known[1]
        if word is not None:
            self._note(word, now.wall_ms, peer.node, "", "", (lasted_ms, peer.process_dead))
        self._follow_split(now)

    def _follow_split(self, now: Instant) -> None:
        lost = [node for node, (state, _) in self._peers.items() if state is PeerState.UNREACHABLE]
        heard = 1 + sum(state <= PeerState.SUSPECT for state, _ in self._peers.values())
        if lost and not self._split_since_ms:
            self._split_since_ms = now.wall_ms
            self._note(Word.SPLIT, now.wall_ms, "", "", "", (heard, tuple(lost)))
        elif not lost and self._split_since_ms:
            lasted_ms = now.wall_ms - self._split_since_ms
            self._split_since_ms = 0
            self._note(Word.HEALED, now.wall_ms, "", "", "", (heard, lasted_ms))

    def _note(
        self,
        word: Word,
        time_ms: int,
        node: str,
        job: str = "",
        attempt: str = "",
        detail: Any = (),
    ) -> None:
        self.seq += 1
        self._noted.append((word, time_ms, node, job, attempt, detail))


_PEER_WORDS: Mapping[tuple[PeerState | None, PeerState], Word] = {
    (None, PeerState.ALIVE): Word.HEARD,
    (PeerState.SUSPECT, PeerState.ALIVE): Word.ANSWERS,
    (PeerState.UNREACHABLE, PeerState.ALIVE): Word.BACK,
    (PeerState.LEFT, PeerState.ALIVE): Word.BACK,
    (None, PeerState.SUSPECT): Word.SUSPECTED,
    (None, PeerState.UNREACHABLE): Word.LOST,
    (None, PeerState.LEFT): Word.LEFT,
}
"""By what was heard before and now; where the former has no line of its own, None's counts."""


def _word_of(dot: Dot, record: Record) -> tuple[Word | None, Any]:
    """What a record is worth saying, and all of it that its sentence needs."""
    body = record.body
    if record.kind == Kind.ATTEMPT_OBSERVED:  # half of all records, most of them worth no line
        told = _OBSERVED.get(body["state"])
        return told, told and (
            body.get("exit_code"),
            body.get("reason", ""),
            body.get("message", ""),
        )
    match Kind(record.kind):
        case Kind.JOB_CREATED:
            return Word.SUBMITTED, dot
        case Kind.VERSION_ADDED:
            rerun = bool(body.get("reason"))
            word = Word.RERUN if rerun else Word.UPDATED
            return (word if body["number"] > 1 else None), body["number"]
        case Kind.STOP_REQUESTED:
            return Word.STOP_ASKED, body["reason"]
        case Kind.OWNER_CLAIMED:
            return (Word.TAKEN_OVER if body["term"] > FIRST_TERM else None), ()
        case Kind.ATTEMPT_PLACED:
            return Word.PLACED, body["number"]
        case Kind.ATTEMPT_STOP_REQUESTED:
            return Word.ATTEMPT_STOP_ASKED, body["reason"]
        case _:
            return None, ()
