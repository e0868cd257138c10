"""What every part of gossip stands on: one table, one set of links, one outbox."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from mesh.gossip.links import Links
from mesh.gossip.members import MemberTable
from mesh.gossip.outbox import Outbox
from mesh.gossip.timing import Timing
from mesh.trust import CertificateBook


@dataclass(frozen=True, slots=True)
class Ground:
    """Shared by the parts of one node's gossip."""

    book: CertificateBook
    table: MemberTable
    links: Links
    outbox: Outbox
    timing: Timing
    random: Random
