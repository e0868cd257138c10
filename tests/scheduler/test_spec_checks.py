from __future__ import annotations

import pytest

from scheduler.errors import SpecError
from scheduler.jobs import Network, Port
from scheduler.spec import parse_job_untrusted
from scheduler.spec_checks import not_offered
from tests.scheduler.job_documents import changed, docker_job, wasm_job

INLINE = {"Type": "inline", "Params": {"URL": "data:,x"}}


def _paths(document) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse_job_untrusted(document)
    return [problem.path for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("inputs", "results", "wanted"),
    [
        ([("/a", "x"), ("/b", "x")], [], ["InputSources[1].Alias"]),
        ([("/a", ""), ("a", "")], [], ["InputSources[1].Target"]),
        ([("/a/b", ""), ("/a", "")], [], ["InputSources[0].Target"]),
        ([("/a", ""), ("/ab", ""), ("/a-c", ""), ("/a/b", "")], [], ["InputSources[3].Target"]),
        ([("/a", "")], [("o", "/a")], ["ResultPaths[0].Path"]),
        ([("/o/in", "")], [("o", "/o")], ["InputSources[0].Target"]),
        ([], [("o", "/o"), ("O", "/p")], ["ResultPaths[1].Name"]),
        ([], [("o", "/o"), ("p", "//o/")], ["ResultPaths[1].Path"]),
    ],
)
def test_aliases_targets_and_results_stand_apart(inputs, results, wanted):
    document = docker_job()
    document["Tasks"][0]["InputSources"] = [
        {"Source": INLINE, "Target": target, "Alias": alias} for target, alias in inputs
    ]
    document["Tasks"][0]["ResultPaths"] = [{"Name": name, "Path": path} for name, path in results]
    assert _paths(document) == [f"Tasks[0].{path}" for path in wanted]


@pytest.mark.parametrize(
    ("kind", "ports", "wanted"),
    [
        ("Bridge", [{"Name": "a", "Static": 22}], ["Ports[0].Static"]),
        ("Bridge", [{"Name": "a", "Static": 70_000}], ["Ports[0].Static"]),
        ("Bridge", [{"Name": "a", "Target": 0, "Static": 0}, {"Name": "A"}], ["Ports[1].Name"]),
        (
            "Host",
            [{"Name": "a", "Static": 8080}, {"Name": "b", "Static": 8080}],
            ["Ports[1].Static"],
        ),
        ("Bridge", [{"Name": "a", "Target": 80}, {"Name": "b", "Target": 80}], ["Ports[1].Target"]),
        ("Host", [{"Name": "a", "Target": 80}], ["Ports[0].Target"]),
        ("Default", [{"Name": "a"}], ["Ports"]),
        ("HTTP", [{"Name": "a"}], ["Ports"]),
        ("Bridge", [{"Static": 8080}], ["Ports[0].Name"]),
        ("Bridge", [{"Name": "a-b"}], ["Ports[0].Name"]),
        ("Bridge", [{"Name": "a", "HostNetwork": "everywhere"}], ["Ports[0].HostNetwork"]),
    ],
)
def test_ports(kind, ports, wanted):
    document = changed(docker_job(), ("Tasks", 0, "Network"), {"Type": kind, "Ports": ports})
    assert _paths(document) == [f"Tasks[0].Network.{path}" for path in wanted]


def test_domains_go_with_http_only():
    network = {"Type": "Bridge", "Domains": ["example.com"]}
    document = changed(docker_job(), ("Tasks", 0, "Network"), network)
    assert _paths(document) == ["Tasks[0].Network.Domains"]


@pytest.mark.parametrize(
    "timeouts",
    [
        {"ExecutionTimeout": 50, "QueueTimeout": 20, "TotalTimeout": 60},
        {"ExecutionTimeout": 61, "TotalTimeout": 60},
        {"QueueTimeout": 61, "TotalTimeout": 60},
    ],
)
def test_timeouts_do_not_contradict(timeouts):
    document = changed(docker_job(), ("Tasks", 0, "Timeouts"), timeouts)
    assert _paths(document) == ["Tasks[0].Timeouts.TotalTimeout"]


def test_no_total_is_no_contradiction():
    document = changed(docker_job(), ("Tasks", 0, "Timeouts"), {"ExecutionTimeout": 50})
    assert parse_job_untrusted(document).task.timeouts.total_s == 0


def test_modules_are_targets_of_inputs():
    document = changed(wasm_job(), ("Tasks", 0, "Engine", "Params", "EntryModule"), "/mian.wasm")
    document = changed(
        document, ("Tasks", 0, "Engine", "Params", "ImportModules"), ["/x", "lib.wasm"]
    )
    params = "Tasks[0].Engine.Params"
    assert _paths(document) == [f"{params}.EntryModule", f"{params}.ImportModules[0]"]


def test_a_module_given_as_an_object_becomes_an_input():
    document = changed(
        wasm_job(),
        ("Tasks", 0, "Engine", "Params"),
        {"EntryModule": {"Source": INLINE, "Target": "m"}},
    )
    task = parse_job_untrusted(document).task
    assert task.engine.params["EntryModule"] == "/m"
    assert task.inputs[-1].target == "/m"
    assert task.inputs[-1].source.type == "inline"


def test_a_module_object_without_a_place_is_main_wasm():
    document = changed(
        docker_job(),
        ("Tasks", 0),
        {"Name": "main", "Engine": {"Type": "wasm", "Params": {"EntryModule": {"Source": INLINE}}}},
    )
    task = parse_job_untrusted(document).task
    assert (task.engine.params["EntryModule"], task.inputs[0].target) == (
        "/main.wasm",
        "/main.wasm",
    )


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (
            Network("Bridge", ports=(Port("web"),)),
            "Network.Ports: ports of containers are not offered",
        ),
        (Network("HTTP", ("a.example",)), "Network.Type: HTTP"),
        (Network("Host"), ""),
        (Network(), ""),
    ],
)
def test_networks_that_nobody_offers(network: Network, said: str) -> None:
    told = not_offered(network)
    assert bool(told) == bool(said)
    assert said in told
