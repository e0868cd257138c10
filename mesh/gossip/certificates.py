"""Certificates that come and go by serial, and signed things that wait for theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mesh.gossip.broadcast import Wants, batches
from mesh.gossip.events import CertificateLearned, LinkId
from mesh.gossip.ground import Ground
from mesh.gossip.messages import Certificates, CertificatesWanted
from mesh.trust import CertificateError

Retry = Callable[[bytes, LinkId, float], None]
"""Look again at a signed thing: its bytes, the link that brought the certificate, seconds now."""

MAX_WAITING_SERIALS = 256
"""Unknown certificates that things may wait for at once."""
MAX_WAITING_EACH = 8
"""A member's record and its few registers; what is dropped comes again by comparison."""


class CertificateDesk:
    """Learns certificates, answers for those known, asks for those that are missed."""

    def __init__(self, ground: Ground) -> None:
        self._book = ground.book
        self._links = ground.links
        self._outbox = ground.outbox
        self._waiting: dict[bytes, dict[bytes, Retry]] = {}
        self.wants: Wants[bytes] = Wants(wait_s=ground.timing.ask_again_s, ask=self._ask)

    def learn_untrusted(self, der: bytes) -> list[tuple[bytes, Retry]]:
        """Keep a certificate if it is one of ours; the signed things that waited for it."""
        try:
            certificate = self._book.trust.read_certificate_untrusted(der)
        except CertificateError:
            self._outbox.count("certificates_refused")
            return []
        self.wants.arrived(certificate.serial)
        if self._book.add(certificate):
            self._outbox.tell(CertificateLearned(der))
        return list(self._waiting.pop(certificate.serial, {}).items())

    def wait(self, data: bytes, serial: bytes, retry: Retry, link: LinkId, now_s: float) -> None:
        """This signed thing cannot be proved yet: keep it and ask for its certificate."""
        if serial not in self._waiting and len(self._waiting) >= MAX_WAITING_SERIALS:
            self._outbox.count("waiting_dropped")
            return
        waiting = self._waiting.setdefault(serial, {})
        if len(waiting) < MAX_WAITING_EACH:
            waiting[data] = retry
        self.want(serial, link, now_s)

    def want(self, serial: bytes, link: LinkId, now_s: float) -> None:
        """Ask for a certificate, here first, until it comes."""
        if serial not in self._book.by_serial:
            self.wants.add((serial,), now_s)
            self.wants.ask_due(now_s, self._links.linked(), first=link)

    def answer(self, link: LinkId, serials: Sequence[bytes]) -> None:
        """Send those that are known."""
        known = [self._book.by_serial[one].der for one in serials if one in self._book.by_serial]
        for group in batches(known):
            self._outbox.send(link, Certificates(group))

    def _ask(self, link: LinkId, serials: list[bytes]) -> None:
        self._outbox.send(link, CertificatesWanted(tuple(serials)))
