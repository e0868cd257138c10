from __future__ import annotations

import pytest

from mesh.gossip.timing import WAN, Timing


@pytest.mark.parametrize(
    ("nodes", "seconds"), [(1, 3.0), (10, 3.0), (100, 6.0), (1000, 9.0), (10_000, 12.0)]
)
def test_time_to_refute_grows_with_the_logarithm_of_the_nodes(nodes: int, seconds: float) -> None:
    assert Timing().suspicion_min_s(nodes) == pytest.approx(seconds)


@pytest.mark.parametrize("timing", [Timing(), WAN], ids=["lan", "wan"])
def test_waits_nest(timing: Timing) -> None:
    """Direct, then indirect, within a period; nobody is dialled less often than it is given up."""
    assert timing.timeout_min_s < timing.timeout_max_s < timing.probe_period_s
    assert timing.dial_tick_s < timing.cold_dial_s < timing.dial_forget_s
    assert timing.compare_s < timing.compare_same_s < timing.compare_forced_s


def test_a_wan_probes_a_quarter_as_often_and_takes_a_satellite() -> None:
    assert WAN.probe_period_s == 4 * Timing().probe_period_s
    assert WAN.timeout_max_s > 2 * 0.6
    assert WAN.suspicion_min_s(10) == pytest.approx(12.0)
