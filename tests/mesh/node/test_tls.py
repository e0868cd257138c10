import ssl

import pytest

from mesh.node.certificates import ADMIT_LIFE_MS, DAY_MS
from mesh.node.tls import make_contexts, session_refusal
from tests.mesh.node.support import NOW_MS, make_trust


def test_contexts_are_pinned_and_modern() -> None:
    contexts = make_contexts(make_trust())
    for context in (contexts.client, contexts.server):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_3
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert not context.check_hostname
        assert len(context.get_ca_certs()) == 1
        assert context.verify_flags & 0x200000


@pytest.mark.parametrize(
    ("now_ms", "words"),
    [
        (NOW_MS, None),
        (NOW_MS - 2 * DAY_MS, None),
        (NOW_MS - 2 * DAY_MS - 1, "begins in the future"),
        (NOW_MS + ADMIT_LIFE_MS + DAY_MS, None),
        (NOW_MS + ADMIT_LIFE_MS + DAY_MS + 1, "expired"),
    ],
)
def test_dates_of_sessions(now_ms: int, words: str | None) -> None:
    refusal = session_refusal(make_trust(made_ms=NOW_MS).own, now_ms)
    assert refusal == words if words is None else words in str(refusal)
