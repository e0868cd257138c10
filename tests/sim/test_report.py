from __future__ import annotations

import re

import pytest

from sim.__main__ import main
from sim.drawing import draw
from sim.report import Report, verdict_lines
from sim.trial import Trial


@pytest.mark.slow
def test_a_run_tells_its_options_its_story_and_its_verdict(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["run", "--seed", "3", "--nodes", "3", "--minutes", "0.3", "--jobs", "4"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "seed 3"
    story = [line for line in lines if re.match(r" +\d+\.\d{3}  \S  ", line)]
    assert lines.index(story[0]) == len(list(draw(3, machines=3, safety_s=18, jobs=4).lines()))
    assert story[0].endswith("a  starts, boot 1")
    for what in ("acknowledges job-", "places job-", "running", "succeeded", "Completed"):
        assert any(what in line for line in story), what
    assert code == 0
    assert lines[-3].startswith("RIGHT: ")
    assert lines[-1].startswith("trace ")


def test_times_in_the_story_do_not_run_back() -> None:
    lines: list[str] = []
    trial = Trial(draw(2, machines=3, safety_s=10, jobs=4))
    trial.watch(Report(trial.plan, trial.oracle, lines.append))
    verdict = trial.run()
    times_s = [float(line[:9]) for line in lines if re.match(r" +\d+\.\d{3}  ", line)]
    assert times_s == sorted(times_s)
    assert len(times_s) > 10
    assert verdict_lines(2, verdict)[0].startswith(verdict.outcome.name)


@pytest.mark.slow
def test_seeds_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--from", "2", "--count", "2", "--minutes", "0.3", "--jobs", "4", "--nodes", "3"]
    assert main(["seeds", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["seed 2", "seed 3"]


@pytest.mark.parametrize("arguments", [[], ["run"], ["run", "--seed", "x"], ["fly"]])
def test_bad_usage_is_exit_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
