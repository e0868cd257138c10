from __future__ import annotations

import copy
import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler import cbor
from scheduler.errors import SpecError, SpecProblem
from scheduler.jobs import JobType, Resources
from scheduler.spec import (
    MAX_SPEC_BYTES,
    decode_spec_untrusted,
    encode_spec,
    job_document,
    named_blobs,
    parse_and_encode_untrusted,
    parse_job_untrusted,
)
from tests.scheduler.job_documents import (
    ABSENT,
    CAPTURED,
    captured,
    changed,
    docker_job,
    places,
    scripted_job,
    wasm_job,
)

TASK = ("Tasks", 0)
CAPTURED_NAMES = sorted(path.stem for path in CAPTURED.glob("*.json"))

INLINE = {"Type": "inline", "Params": {"URL": "data:,x"}}

GOOD = [
    *(captured(name) for name in CAPTURED_NAMES),
    wasm_job(),
    docker_job(),
    scripted_job(),
    changed(docker_job(), ("Count",), 10_000),
    changed(docker_job(), ("Type",), "Batch"),
    changed(docker_job(), ("ID",), {"anything": 1}),
    changed(docker_job(), ("Meta",), {"bacalhau.org/requester.id": "n-1"}),
    changed(docker_job(), (*TASK, "Publisher"), {"Type": "mesh"}),
    changed(docker_job(), (*TASK, "Publisher"), {"Type": "local"}),
    changed(docker_job(), (*TASK, "Network"), {"Type": "full"}),
    changed(docker_job(), (*TASK, "Timeouts"), None),
    {key.lower(): value for key, value in docker_job().items()},
]

BAD = [
    # identity (the rules of a single name stand in test_spec_fields)
    (("Name",), 3, "Name"),
    (("Name",), "a\nb", "Name"),
    (("Namespace",), "*", "Namespace"),
    (("Namespace",), ["a"], "Namespace"),
    # type and count
    (("Type",), ABSENT, "Type"),
    (("Type",), None, "Type"),
    (("Type",), "bacth", "Type"),
    (("Type",), "service", "Type"),
    (("Type",), "daemon", "Type"),
    (("Type",), "ops", "Type"),
    (("Type",), 1, "Type"),
    (("Count",), -1, "Count"),
    (("Count",), 0, "Count"),
    (("Count",), 10_001, "Count"),
    (("Count",), 2**31, "Count"),
    (("Count",), 10**9, "Count"),
    (("Count",), "3", "Count"),
    (("Count",), 3.5, "Count"),
    (("Count",), 3.0, "Count"),
    (("Count",), True, "Count"),
    (("Count",), [], "Count"),
    (("Priority",), -1, "Priority"),
    (("Priority",), 2**31, "Priority"),
    (("Priority",), "high", "Priority"),
    # tasks
    (("Tasks",), ABSENT, "Tasks"),
    (("Tasks",), [], "Tasks"),
    (("Tasks",), [docker_job()["Tasks"][0]] * 2, "Tasks"),
    (("Tasks",), {"Name": "main"}, "Tasks"),
    (("Tasks",), None, "Tasks"),
    (TASK, None, "Tasks[0]"),
    ((*TASK, "Name"), ABSENT, "Tasks[0].Name"),
    ((*TASK, "Name"), "", "Tasks[0].Name"),
    ((*TASK, "Engine"), ABSENT, "Tasks[0].Engine"),
    ((*TASK, "Engine"), "docker", "Tasks[0].Engine"),
    ((*TASK, "Engine", "Type"), "dokcer", "Tasks[0].Engine.Type"),
    ((*TASK, "Engine", "Type"), ABSENT, "Tasks[0].Engine.Type"),
    ((*TASK, "Engine", "Image"), "a", "Tasks[0].Engine.Image"),
    ((*TASK, "Engine", "Params", "Image"), ABSENT, "Tasks[0].Engine.Params.Image"),
    ((*TASK, "Engine", "Params", "Imgae"), "a", "Tasks[0].Engine.Params.Imgae"),
    ((*TASK, "Engine", "Params", "EntryModule"), "a", "Tasks[0].Engine.Params.EntryModule"),
    ((*TASK, "Engine", "Params"), ["a"], "Tasks[0].Engine.Params"),
    ((*TASK, "Publisher"), {"Type": "ftp"}, "Tasks[0].Publisher.Type"),
    ((*TASK, "Publisher"), "local", "Tasks[0].Publisher"),
    # unknown keys at every level
    (("Colour",), "red", "Colour"),
    (("SuccessCodes",), [0], "SuccessCodes"),
    ((*TASK, "Command"), ["a"], "Tasks[0].Command"),
    ((*TASK, "Resources"), {"Memry": "1gb"}, "Tasks[0].Resources.Memry"),
    ((*TASK, "Network", "Kind"), "Host", "Tasks[0].Network.Kind"),
    ((*TASK, "Network", "Ports", 0, "Port"), 80, "Tasks[0].Network.Ports[0].Port"),
    ((*TASK, "Timeouts"), {"Total": 1}, "Tasks[0].Timeouts.Total"),
    (
        (*TASK, "ResultPaths"),
        [{"Name": "a", "Path": "/a", "Paht": "/a"}],
        "Tasks[0].ResultPaths[0].Paht",
    ),
    (("Retry",), {"Times": 3}, "Retry.Times"),
    # resources, timeouts
    ((*TASK, "Resources"), {"CPU": "abc"}, "Tasks[0].Resources.CPU"),
    ((*TASK, "Resources"), {"Memory": "-1mb"}, "Tasks[0].Resources.Memory"),
    ((*TASK, "Resources"), [], "Tasks[0].Resources"),
    ((*TASK, "Timeouts"), {"TotalTimeout": -1}, "Tasks[0].Timeouts.TotalTimeout"),
    ((*TASK, "Timeouts"), {"TotalTimeout": 2**63}, "Tasks[0].Timeouts.TotalTimeout"),
    ((*TASK, "Timeouts"), {"TotalTimeout": "1h"}, "Tasks[0].Timeouts.TotalTimeout"),
    ((*TASK, "Timeouts"), {"TotalTimeout": 1.5}, "Tasks[0].Timeouts.TotalTimeout"),
    # labels, meta, env, network
    (("Labels",), {"a b": "c"}, "Labels['a b']"),
    (("Labels",), {"a": 1}, "Labels.a"),
    (("Labels",), {"a": {"b": "c"}}, "Labels.a"),
    (("Labels",), {"a": "x\x1b"}, "Labels.a"),
    (("Labels",), {"a" * 2**20: "b"}, "Labels['" + "a" * 60 + "'...]"),
    (("Labels",), {f"k{index}": "" for index in range(10_000)}, "Labels"),
    (("Meta",), {"a": None}, "Meta.a"),
    ((*TASK, "Env"), {"A": 1}, "Tasks[0].Env.A"),
    ((*TASK, "Env"), {"a": "b"}, "Tasks[0].Env.a"),
    ((*TASK, "Network", "Type"), "Wifi", "Tasks[0].Network.Type"),
    ((*TASK, "Network"), {"Type": "HTTP", "Domains": ["*"]}, "Tasks[0].Network.Domains[0]"),
    (("Constraints",), [{"Key": "a", "Operator": "~"}], "Constraints[0].Operator"),
    # inputs and results
    (
        (*TASK, "InputSources"),
        [{"Source": INLINE}],
        "Tasks[0].InputSources[0].Target",
    ),
    (
        (*TASK, "InputSources"),
        [{"Source": {"Type": "git"}, "Target": "/a"}],
        "Tasks[0].InputSources[0].Source.Type",
    ),
    (
        (*TASK, "InputSources"),
        [{"Source": INLINE, "Target": "../a"}],
        "Tasks[0].InputSources[0].Target",
    ),
    ((*TASK, "InputSources"), [{"Target": "/a"}], "Tasks[0].InputSources[0].Source"),
    ((*TASK, "ResultPaths"), [{"Name": "o", "Path": "out"}], "Tasks[0].ResultPaths[0].Path"),
    ((*TASK, "ResultPaths"), [{"Path": "/out"}], "Tasks[0].ResultPaths[0].Name"),
    # the mesh's own
    (("Retry",), {"Attempts": 0}, "Retry.Attempts"),
    (("Retry",), {"On": ["program"]}, "Retry.On"),
    (("Retry",), {"On": []}, "Retry.On"),
    (("Retry",), {"On": ["infra"]}, "Retry.On[0]"),
    ((*TASK, "SuccessCodes"), [256], "Tasks[0].SuccessCodes[0]"),
    ((*TASK, "SuccessCodes"), [], "Tasks[0].SuccessCodes"),
    ((*TASK, "SuccessCodes"), 0, "Tasks[0].SuccessCodes"),
    (("Disconnect",), {"ReplaceAfter": "soon"}, "Disconnect.ReplaceAfter"),
    (("Disconnect",), {"ReplaceAfter": "1y2"}, "Disconnect.ReplaceAfter"),
    (("Disconnect",), {"ReplaceAfter": "999999999d"}, "Disconnect.ReplaceAfter"),
    (("Disconnect",), {"Exclusive": True}, "Disconnect.Exclusive"),
    (("Disconnect",), {"Exclusive": "true"}, "Disconnect.Exclusive"),
    (("Disconnect",), {"PlaceWith": "majority"}, "Disconnect.PlaceWith"),
    (("Disconnect",), {"StopAfter": "30s"}, "Disconnect.StopAfter"),
    (("Disconnect",), {"ValidFor": "24h"}, "Disconnect.ValidFor"),
    (("ReplicateResults",), 2, "ReplicateResults"),
    (("Schedule",), "@daily", "Schedule"),
    (("DependsOn",), ["a"], "DependsOn"),
]


def _paths(document) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse_job_untrusted(document)
    return [problem.path for problem in caught.value.problems]


@pytest.mark.parametrize("document", GOOD)
def test_good_jobs_parse_and_come_back_from_their_encoding(document):
    before = copy.deepcopy(document)
    spec = parse_job_untrusted(document)
    assert document == before
    assert decode_spec_untrusted(encode_spec(spec)) == spec
    assert parse_job_untrusted(job_document(spec)) == spec
    assert parse_and_encode_untrusted(document) == (spec, encode_spec(spec))


@pytest.mark.parametrize(("place", "value", "path"), BAD)
def test_bad_jobs_are_refused_where_they_are_wrong(place, value, path):
    assert _paths(changed(docker_job(), place, value)) == [path]


@pytest.mark.parametrize("document", [None, [], "", "job", 1, b"", 3.5, True])
def test_what_is_no_map_is_no_job(document):
    assert _paths(document) == [""]


def test_every_problem_is_in_one_answer():
    document = changed(wasm_job(), ("Priority",), -1)
    document = changed(document, ("Tasks", 0, "Env"), {"a": "b"})
    document = changed(
        document, ("Tasks", 0, "Timeouts"), {"ExecutionTimeout": 5, "TotalTimeout": 1}
    )
    document = changed(document, ("Colour",), "red")
    with pytest.raises(SpecError) as caught:
        parse_job_untrusted(document)
    assert len(caught.value.problems) == len(str(caught.value).splitlines()) == 4


def test_service_jobs_are_refused_in_one_sentence():
    with pytest.raises(SpecError, match="service jobs are not there yet"):
        parse_job_untrusted(changed(docker_job(), ("Type",), "service"))


def test_defaults():
    spec = parse_job_untrusted(scripted_job())
    assert (spec.type, spec.name, spec.namespace) == (JobType.BATCH, "", "default")
    assert (spec.count, spec.priority, spec.success_codes) == (1, 0, (0,))
    assert (spec.retry_attempts, spec.retry_program, spec.disconnect) == (3, False, {})
    assert spec.task.resources == Resources(cpu_milli=500, memory_bytes=512_000_000)
    assert spec.task.publisher is None
    assert spec.task.network.type == "Default"


def test_named_blobs_are_named_once():
    document = wasm_job()
    again = {"Source": {"Type": "mesh", "Params": {"Digest": "ab" * 32}}, "Target": "/again"}
    document["Tasks"][0]["InputSources"].append(again)
    assert named_blobs(parse_job_untrusted(document)) == ("ab" * 32,)
    assert named_blobs(parse_job_untrusted(docker_job())) == ()


def test_the_largest_spec():
    url = "data:," + "x" * (MAX_SPEC_BYTES - 1000)
    source = {"Source": {"Type": "inline", "Params": {"URL": url}}, "Target": "/a"}
    small_enough = changed(docker_job(), ("Tasks", 0, "InputSources"), [source])
    spec = parse_job_untrusted(small_enough)
    assert decode_spec_untrusted(encode_spec(spec)) == spec
    other = {"Source": source["Source"], "Target": "/b"}
    with pytest.raises(SpecError, match="send large inputs to the mesh"):
        parse_job_untrusted(changed(docker_job(), ("Tasks", 0, "InputSources"), [source, other]))


@pytest.mark.parametrize("data", [b"", b"\xff", cbor.encode({}), cbor.encode([1]), b"\xa1\x01\x02"])
def test_bytes_that_are_no_spec_are_refused(data):
    with pytest.raises(SpecError):
        decode_spec_untrusted(data)


# --- whatever is sent: a spec or a SpecError ------------------------------------------------------

ENDLESS: list = []
ENDLESS.append(ENDLESS)
NASTY = [
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, 10**400),
    *(0.5, float("nan"), float("inf"), 1e308),
    *("", " ", "a", "0", "-1", "null", "..", "/", "/..", "~", "$HOME", "C:\\a", "/proc"),
    *("a" * 300, "x" * 70_000, "\0", "\n", "\x1b[31m", "\ud800", "\u202e", "😀", "e\u0301", "٣Gi"),
    *("*", "-a", "env:A", "__proto__", "a=b", "(a+)+$", "http://a:b@c/", "http://[::1", "data:"),
    "j-18d56134-0000-4000-8000-000000000000",
    *([], [None], [[]], ["a"], [1], [{}], ["a"] * 5000, ENDLESS),
    *({}, {"a": "b"}, {"": ""}, {1: 2}, {None: None}, {("a",): 1}, {"a": {"a": {}}}),
    *({"Type": "docker"}, {"Type": {}}, {"Type": "wasm", "Params": []}, {"Source": {}}),
    *(b"bytes", datetime.date(2026, 1, 1), object(), (1, 2), {1, 2}),
]


def _harmless(document) -> None:
    problems: tuple[SpecProblem, ...] = ()
    try:
        spec = parse_job_untrusted(document)
    except SpecError as error:
        problems = error.problems
    else:
        assert decode_spec_untrusted(encode_spec(spec)) == spec
    assert len(problems) <= 101
    for path, message in problems:
        assert len(path) < 500
        assert message
        assert f"{path}{message}".isprintable()


@pytest.mark.slow
@pytest.mark.parametrize("document", [wasm_job(), docker_job(), scripted_job()])
def test_any_nasty_value_at_any_place_is_harmless(document):
    for place in places(document):
        for value in [ABSENT, *NASTY] if place else NASTY:
            _harmless(changed(document, place, value))


KEYS = st.sampled_from(
    [
        "Name",
        "Type",
        "Tasks",
        "Engine",
        "Params",
        "Count",
        "Labels",
        "Source",
        "Target",
        "docker",
        "ID",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | KEYS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_any_value_is_harmless(document):
    _harmless(document)


@given(st.data())
@settings(max_examples=50)
def test_any_value_at_any_place_is_harmless(data):
    document = data.draw(st.sampled_from([wasm_job(), docker_job()]))
    place = data.draw(st.sampled_from(places(document)))
    _harmless(changed(document, place, data.draw(VALUES)))


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Zl", "Zp")), max_size=20
)


@given(
    meta=st.dictionaries(WORDS.filter(bool), WORDS),
    parameters=st.lists(WORDS),
    count=st.integers(1, 10_000),
    codes=st.lists(st.integers(0, 255), min_size=1),
    attempts=st.integers(1, 100),
    program=st.booleans(),
    memory=st.sampled_from(["1gb", "64Mi", "7", 1000]),
)
def test_decoding_undoes_encoding(meta, parameters, count, codes, attempts, program, memory):
    document = docker_job()
    reasons = ["infrastructure", "program"] if program else ["infrastructure"]
    document |= {"Meta": meta, "Count": count, "Retry": {"Attempts": attempts, "On": reasons}}
    task = document["Tasks"][0]
    task |= {"SuccessCodes": codes, "Resources": {"Memory": memory}}
    task["Engine"]["Params"]["Parameters"] = parameters
    spec = parse_job_untrusted(document)
    assert decode_spec_untrusted(encode_spec(spec)) == spec


@given(st.binary(max_size=200))
def test_any_bytes_are_a_spec_or_a_spec_error(data):
    with pytest.raises(SpecError):
        decode_spec_untrusted(data)
