from __future__ import annotations

from mesh.edge.http.last_lines import LastLines


def test_last_lines_of_both_streams() -> None:
    last = LastLines(2)
    for stream, text in ((1, "a\nb"), (2, "x\n"), (1, "b\n"), (2, "y\r z")):
        last.add(stream, text)
    assert list(last) == [(2, "x\n"), (2, "y\r z")]
