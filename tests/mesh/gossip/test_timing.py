from __future__ import annotations

import pytest

from mesh.gossip.timing import Timing


@pytest.mark.parametrize(
    ("nodes", "seconds"), [(1, 3.0), (10, 3.0), (100, 6.0), (1000, 9.0), (10_000, 12.0)]
)
def test_time_to_refute_grows_with_the_logarithm_of_the_nodes(nodes: int, seconds: float) -> None:
    assert Timing().suspicion_min_s(nodes) == pytest.approx(seconds)


def test_waits_nest() -> None:
    """Direct, then indirect, within a period; nobody is dialled less often than it is given up."""
    timing = Timing()
    assert timing.timeout_min_s < timing.timeout_max_s < timing.probe_period_s / 2
    assert timing.dial_tick_s < timing.cold_dial_s < timing.dial_forget_s
    assert timing.compare_s < timing.compare_same_s < timing.compare_forced_s
