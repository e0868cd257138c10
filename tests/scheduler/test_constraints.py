from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.constraints import (
    MAX_CONSTRAINTS,
    matches,
    parse_selector_untrusted,
    read_constraints,
    show_constraint,
)
from scheduler.errors import SelectorError
from scheduler.jobs import Constraint
from scheduler.reading import Problems

LABELS = {"region": "north", "cores": "8", "empty": "", "name": "deck 3"}

MATCHES = [
    (Constraint("region", "=", ("north",)), True),
    (Constraint("region", "==", ("south",)), False),
    (Constraint("absent", "=", ("",)), False),
    (Constraint("empty", "=", ("",)), True),
    (Constraint("region", "!=", ("south",)), True),
    (Constraint("region", "!=", ("north",)), False),
    (Constraint("absent", "!=", ("north",)), True),
    (Constraint("region", "in", ("south", "north")), True),
    (Constraint("absent", "in", ("south",)), False),
    (Constraint("region", "notin", ("south",)), True),
    (Constraint("region", "notin", ("north",)), False),
    (Constraint("absent", "notin", ("north",)), True),
    (Constraint("empty", "exists"), True),
    (Constraint("absent", "exists"), False),
    (Constraint("absent", "!"), True),
    (Constraint("empty", "!"), False),
    (Constraint("cores", "gt", ("7",)), True),
    (Constraint("cores", "gt", ("8",)), False),
    (Constraint("cores", "lt", ("10",)), True),
    (Constraint("cores", "lt", ("8",)), False),
    (Constraint("region", "gt", ("1",)), False),
    (Constraint("absent", "lt", ("1",)), False),
    (Constraint("favour_region", "=", ("north",)), True),
    (Constraint("favour_region", "=", ("south",)), False),
]


@pytest.mark.parametrize(("constraint", "wanted"), MATCHES)
def test_matches(constraint, wanted):
    assert matches(constraint, LABELS) is wanted


SELECTORS = {
    "": (),
    "  ": (),
    "a=b": (Constraint("a", "=", ("b",)),),
    "a==b": (Constraint("a", "==", ("b",)),),
    "bacalhau_canary!=true": (Constraint("bacalhau_canary", "!=", ("true",)),),
    "a=": (Constraint("a", "=", ("",)),),
    "a": (Constraint("a", "exists"),),
    "!a": (Constraint("a", "!"),),
    "! a": (Constraint("a", "!"),),
    "a>1": (Constraint("a", "gt", ("1",)),),
    "a < -3": (Constraint("a", "lt", ("-3",)),),
    "c in (x,y)": (Constraint("c", "in", ("x", "y")),),
    "c notin(x)": (Constraint("c", "notin", ("x",)),),
    "c in (x,)": (Constraint("c", "in", ("x", "")),),
    "in in (in)": (Constraint("in", "in", ("in",)),),
    " a=b , c in ( x , y ),!d,e>1": (
        Constraint("a", "=", ("b",)),
        Constraint("c", "in", ("x", "y")),
        Constraint("d", "!"),
        Constraint("e", "gt", ("1",)),
    ),
    "example.org/zone=a": (Constraint("example.org/zone", "=", ("a",)),),
}


@pytest.mark.parametrize(("selector", "wanted"), SELECTORS.items())
def test_selector(selector, wanted):
    assert parse_selector_untrusted(selector) == wanted


@pytest.mark.parametrize(
    "selector",
    [
        "a b",
        "=b",
        "a=b,",
        ",a",
        "a,,b",
        "a in x",
        "a in (x",
        "a in (x y)",
        "a!b",
        "a=b=c",
        "a>x",
        "a>",
        "a>1_0",
        "!",
        "!a=b",
        "-a",
        "a~b",
        "(",
        "a=\x00b",
        "a" * 20_000,
        ",".join(["a"] * (MAX_CONSTRAINTS + 1)),
        "a" * 64,
        "b=" + "x" * 256,
    ],
)
def test_what_is_no_selector_is_one_sentence(selector):
    with pytest.raises(SelectorError) as caught:
        parse_selector_untrusted(selector)
    assert 10 < len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@given(st.text(alphabet="ab1-_.,=!<> ()in\n\x00é", max_size=30))
def test_any_text_is_a_selector_or_a_selector_error(selector):
    try:
        found = parse_selector_untrusted(selector)
    except SelectorError:
        return
    shown = ",".join(show_constraint(one) for one in found)
    assert parse_selector_untrusted(shown) == found


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ([{"Key": "a", "Operator": "~", "Values": ["b"]}], "C[0].Operator"),
        ([{"Key": "a", "Operator": "in", "Values": []}], "C[0].Values"),
        ([{"Key": "a", "Operator": "notin"}], "C[0].Values"),
        ([{"Key": "a", "Operator": "="}], "C[0].Values"),
        ([{"Key": "a", "Operator": "=", "Values": ["a", "b"]}], "C[0].Values"),
        ([{"Key": "a", "Operator": "exists", "Values": ["b"]}], "C[0].Values"),
        ([{"Key": "a", "Operator": "gt", "Values": ["x"]}], "C[0].Values"),
        ([{"Key": "a b", "Operator": "!"}], "C[0].Key"),
        ([{"Key": "", "Operator": "!"}], "C[0].Key"),
        ([{"Operator": "!"}], "C[0].Key"),
        ([{"Key": "a"}], "C[0].Operator"),
        ([{"Key": "a", "Operator": "=", "Value": ["b"]}], "C[0].Value"),
        ([{"Key": "a", "Operator": "=", "Values": ["b" * 2**20]}], "C[0].Values[0]"),
        ([{"Key": "a", "Operator": "=", "Values": [1]}], "C[0].Values[0]"),
        (["a=b"], "C[0]"),
        ({"Key": "a"}, "C"),
        ([{"Key": "a", "Operator": "!"}] * 10_000, "C"),
    ],
)
def test_wrong_constraints_are_named(document, path):
    problems = Problems()
    read_constraints(problems, "C", document)
    assert path in [problem.path for problem in problems.found()]
