"""One gossip core and imagined peers that speak to it by hand."""

from __future__ import annotations

from random import Random

from mesh.gossip import messages
from mesh.gossip.core import Gossip, Timing
from mesh.gossip.events import (
    GossipEffect,
    LinkId,
    LinkOpened,
    MessageReceived,
    PeerState,
    Send,
    TimerFired,
)
from mesh.gossip.members import MemberRecord, sign_record
from mesh.gossip.messages import Hashes, Message, Opinion
from mesh.trust import CertificateBook
from scheduler.ids import NodeId
from scheduler.instant import Instant
from tests.mesh.trust_stub import StubTrust, stub_certificate

OWN = "own"
NAMES = ("own", "p1", "p2", "p3", "p4", "p5")
CERTIFICATES = {name: stub_certificate(name) for name in NAMES}
ISSUED = {one.der: one for one in CERTIFICATES.values()}
NO_HASHES = Hashes(bytes(8), bytes(8), bytes(8))


def node(name: str) -> NodeId:
    return CERTIFICATES[name].node


def trust(name: str) -> StubTrust:
    return StubTrust(CERTIFICATES[name], ISSUED)


def record(name: str, *, boot: int = 1, incarnation: int = 0, left: bool = False) -> MemberRecord:
    return sign_record(
        trust(name),
        boot=boot,
        incarnation=incarnation,
        left=left,
        name=name,
        addresses=[f"{name}:1235"],
    )


def suspects(target: str, author: str, *, incarnation: int = 0, boot: int = 1) -> Opinion:
    return Opinion(node(target), boot, incarnation, PeerState.SUSPECT, node(author))


def buries(target: str, author: str, *, incarnation: int = 0) -> Opinion:
    return Opinion(node(target), 1, incarnation, PeerState.UNREACHABLE, node(author))


class Solo:
    """The core under test, at a second of its own; link N leads to peer pN."""

    def __init__(self, *peers: str, **options: object) -> None:
        self.now_s = 1000.0
        self.timing = Timing()
        self.gossip = Gossip(
            book=CertificateBook(trust(OWN)),
            name=OWN,
            addresses=["own:1235"],
            boot=1,
            timing=self.timing,
            random=Random(7),
            context=dict,
            **options,
        )
        self.gossip.start(self.now())
        for name in peers:
            self.open(name)
            self.tell(name, messages.Members((record(name).data,)))

    def now(self) -> Instant:
        return Instant(self.now_s, int(self.now_s * 1000))

    def handle(self, event: object) -> list[GossipEffect]:
        return self.gossip.handle(event, self.now())

    def open(self, name: str, *, link: int | None = None, dialled: bool = False) -> list:
        number = LinkId(int(name[1:]) if link is None else link)
        der = CERTIFICATES[name].der
        return self.handle(LinkOpened(number, node(name), dialled, f"{name}:1235", der))

    def tell(self, name: str, message: Message, *, link: int | None = None) -> list[GossipEffect]:
        number = LinkId(int(name[1:]) if link is None else link)
        return self.handle(MessageReceived(number, messages.encode(message)))

    def fire(self, *token: str, late_s: float = 0.0) -> list[GossipEffect]:
        return self.handle(TimerFired(("gossip", *token), self.now_s - late_s))

    def state(self, name: str) -> PeerState | None:
        states = {one.node: one.state for one in self.gossip.peers()}
        return states.get(node(name))


def said(effects: list[GossipEffect]) -> list[tuple[int, Message]]:
    """Messages sent, with the number of the link."""
    return [
        (int(effect.link), messages.decode_untrusted(effect.data))
        for effect in effects
        if isinstance(effect, Send)
    ]


def of_type(effects: list[GossipEffect], kind: type) -> list:
    return [one for one in effects if isinstance(one, kind)]
