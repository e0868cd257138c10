"""Every default time and count of gossip, with where its number came from."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """The profile for a LAN; `WAN` is the other one. Times are seconds."""

    probe_period_s: float = 0.5
    """Half of memberlist's: a silent host is known by all of 10 nodes in 4.5 s instead of 6.4 s."""
    timeout_min_s: float = 0.05
    """Shorter waits than this mistake a busy scheduler for a lost packet."""
    timeout_max_s: float = 0.2
    """memberlist's local profile; leaves over half of the period to the indirect probes."""
    timeout_rtts: float = 4.0
    """A direct probe waits this many recent worst round trips (as TCP: mean and 4 deviations)."""
    indirect_helpers: int = 5
    """memberlist asks 3; 5 keep 40 % loss on every path from raising false verdicts."""
    nack_share: float = 0.8
    """Lifeguard: a helper says that it heard nothing at 80 % of its wait, so that it is in time."""
    health_max: int = 8
    """Lifeguard's ceiling: a node that doubts itself probes at most 9 times slower."""
    suspicion_mult: float = 6.0
    """x max(1, log10 N) x period: memberlist's 4 at half the period would leave 2 s to refute."""
    suspicion_max_mult: float = 8.0
    """A suspicion that nobody confirms lasts this many times longer (memberlist: 6)."""
    confirmations: int = 4
    """Independent suspecters that bring it down to the minimum (memberlist: mult - 2)."""
    rumour_tick_s: float = 0.2
    """memberlist's LAN gossip interval."""
    rumour_fan_out: int = 3
    """memberlist's LAN gossip nodes."""
    isolation_members: int = 4
    """With fewer members one lost link would already look like isolation."""
    dial_tick_s: float = 1.0
    """First wait after a dial that failed; doubles up to `cold_dial_s`."""
    cold_dial_s: float = 5.0
    """One remembered-dead address and one hinted address are tried this often, for ever: with N
    nodes on a side a split heals after about 5 / N seconds."""
    dial_forget_s: float = 15.0
    """A dial that nobody answered for: above the shell's own connect and handshake deadlines."""
    crossing_s: float = 5.0
    """Two links of a pair that opened closer than this crossed; else the older one has died."""
    pull_after_s: float = 1.0
    """Under load hashes always differ: what direct sends bring within a second is not pulled."""
    pull_pace_s: float = 0.02
    """Between windows of 64 envelopes: about 1 MiB/s of small envelopes, 3 MiB/s of large."""
    ask_again_s: float = 1.0
    """Then another peer is asked for a blob, a certificate or a window."""
    compare_s: float = 1.0
    """At most one comparison of each kind with one peer in this time."""
    compare_same_s: float = 10.0
    """The same difference, compared already, is left alone for this long: pulls are under way, or
    it cannot be mended (a certificate is missing, a log is forked)."""
    compare_forced_s: float = 60.0
    """One peer is compared with whatever the hashes say: guards against our own mistakes."""

    def suspicion_min_s(self, node_count: int) -> float:
        """How long a member has to refute a suspicion that enough others share."""
        return self.suspicion_mult * max(1.0, math.log10(max(1, node_count))) * self.probe_period_s


WAN = Timing(
    probe_period_s=2.0,
    timeout_min_s=0.2,
    timeout_max_s=1.5,
    indirect_helpers=3,
    rumour_tick_s=0.5,
    rumour_fan_out=4,
    dial_tick_s=3.0,
    cold_dial_s=15.0,
    dial_forget_s=45.0,
    crossing_s=15.0,
    pull_after_s=3.0,
    ask_again_s=5.0,
    compare_s=3.0,
    compare_same_s=30.0,
    compare_forced_s=180.0,
)
"""Slow or metered links: a quarter of the probes; a round trip over a satellite, 600 ms, and one
loss fit in a probe's wait. Waits on dials, pulls and comparisons are three times as long; a host
that falls silent is known after some 18 s."""
MAX_LINKS = 32
"""Up to here everybody keeps a stream to everybody; above, dissemination needs a tree."""
