"""Effects for now and effects behind the next flush stay apart, in order."""

from __future__ import annotations

from mesh.member.events import Changed
from mesh.member.outbox import Outbox


def test_each_kind_is_given_out_once_in_order() -> None:
    outbox = Outbox()
    outbox.send(Changed(("1",)))
    outbox.hold(Changed(("behind",)))
    outbox.extend([Changed(("2",)), Changed(("3",))])
    assert [one.jobs for one in outbox.take() if isinstance(one, Changed)] == [
        ("1",),
        ("2",),
        ("3",),
    ]
    assert outbox.take() == []
    assert [one.jobs for one in outbox.take_held() if isinstance(one, Changed)] == [("behind",)]
    assert outbox.take_held() == []
