"""The book of certificates: add-once, kept for ever, the longest-lived one speaks for a node."""

from __future__ import annotations

from mesh.trust import CertificateBook
from tests.mesh.trust_stub import StubTrust, stub_certificate


def book() -> CertificateBook:
    return CertificateBook(StubTrust(stub_certificate("a")))


def test_our_own_certificate_is_known_from_the_start() -> None:
    assert book().by_node[stub_certificate("a").node] == stub_certificate("a")


def test_a_certificate_is_added_once() -> None:
    known = book()
    assert known.add(stub_certificate("b"))
    assert not known.add(stub_certificate("b"))


def test_a_renewal_speaks_for_its_node_and_the_old_serial_is_kept() -> None:
    for order in ((1, 2), (2, 1)):
        known = book()
        for issue in order:
            known.add(stub_certificate("b", issue=issue))
        assert known.by_node[stub_certificate("b").node] == stub_certificate("b", issue=2)
        assert len(known.by_serial) == 3
