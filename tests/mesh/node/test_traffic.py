import pytest

from mesh.node.traffic import Traffic, traffic_facts


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_nothing_went() -> None:
    assert Traffic(Clock()).per_hour_bytes() == 0


@pytest.mark.parametrize(
    ("after_s", "per_hour"),
    [(0, 6000), (60, 6000), (600, 600), (3400, 106), (7200, 0)],
)
def test_a_burst_in_the_hour_that_follows(after_s: float, per_hour: int) -> None:
    clock = Clock()
    traffic = Traffic(clock)
    traffic.add(100)
    clock.now_s += after_s
    assert traffic.per_hour_bytes() == pytest.approx(per_hour, abs=1)
    assert traffic.total_bytes == 100


def test_a_steady_rate_is_told_and_little_is_kept() -> None:
    clock = Clock()
    traffic = Traffic(clock)
    for _ in range(3 * 3600):
        traffic.add(10)
        clock.now_s += 1
    assert traffic.per_hour_bytes() == pytest.approx(36_000, rel=0.02)
    assert len(traffic._steps) <= 60
    assert traffic.total_bytes == 108_000


def test_facts() -> None:
    sent, received = Traffic(Clock()), Traffic(Clock())
    sent.add(5)
    assert traffic_facts(sent, received) == {
        "sent_bytes": 5,
        "sent_per_hour_bytes": 300,
        "received_bytes": 0,
        "received_per_hour_bytes": 0,
    }
