from __future__ import annotations

from pathlib import Path

import pytest

from sim.__main__ import main
from sim.scenario import ScenarioError, parse, run

SCENARIOS = sorted((Path(__file__).parents[1] / "scenarios").glob("*.txt"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_says_the_truth(path: Path) -> None:
    """Rewrite with `python -m sim replay FILE --rewrite`, if you can say why it changed."""
    assert run(path.read_text()) == path.read_text()


def test_there_are_scenarios() -> None:
    assert len(SCENARIOS) >= 4


def test_steps_have_what_stands_before_and_below_them() -> None:
    steps, after = parse("# why\ncluster a b\n\nstate x\n  a: b\n  c: d\n# end\n")
    assert [(one.number, one.lead, one.command, one.expected) for one in steps] == [
        (2, ("# why",), "cluster a b", ()),
        (4, ("",), "state x", ("a: b", "c: d")),
    ]
    assert after == ("# end",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("  a: b", "line 1: this belongs to no command"),
        ("advance 5s", "line 1: begin with `cluster`"),
        ("cluster", "takes the names"),
        ("cluster a a", "each once"),
        ("cluster a\nfly", "line 2: 'fly' is none of cluster, submit"),
        ("cluster a\nsubmit x", "submit NAME at NODE"),
        ("cluster a\nsubmit x at b", "no machine is called b"),
        ("cluster a\nsubmit x at a size 3", "'size' is none of duration, count"),
        ("cluster a\nsubmit x at a count", "two words"),
        ("cluster a\nsubmit x at a count many", "count is a number"),
        ("cluster a\ncordon a", "cordon NODE at NODE"),
        ("cluster a\ndrain b at a", "no machine is called b"),
        ("cluster a\ndrain a at a after 5s", "'after' is none of within"),
        ("cluster a\nadvance 5", "no duration such as"),
        ("cluster a\nadvance", "one word"),
        ("cluster a\nrestart a", "a is up"),
        ("cluster a\ncrash a\ncrash a", "a is down already"),
    ],
)
def test_a_mistake_is_a_sentence(text: str, told: str) -> None:
    with pytest.raises(ScenarioError, match=told.replace("(", r"\(")):
        run(text)


def test_what_it_prints() -> None:
    assert run(
        "cluster a b\nstate x\nsubmit x at a duration 10ms\nadvance 2s\nstop x at b\n"
        "crash a\nsubmit y at a\nstate x\ncrash b\naccepted x\n"
    ) == (
        "cluster a b\nstate x\n  everyone: unknown job\n"
        "submit x at a duration 10ms\n  acknowledged\nadvance 2s\n"
        "stop x at b\n  refused: 409 ConflictJobState\n"
        "crash a\nsubmit y at a\n  no answer\nstate x\n  a: down\n  b: Completed\n"
        "crash b\naccepted x\n  everyone: down\n"
    )


def test_replay_compares_and_rewrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one.txt"
    path.write_text("cluster a\nstate x\n  a: Completed\n")
    assert main(["replay", str(path)]) == 1
    assert "+  everyone: unknown job" in capsys.readouterr().out
    assert main(["replay", str(path), "--rewrite"]) == 0
    assert main(["replay", str(path)]) == 0
    assert path.read_text() == "cluster a\nstate x\n  everyone: unknown job\n"
    path.write_text("fly\n")
    assert main(["replay", str(path)]) == 2
