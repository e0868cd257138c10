from __future__ import annotations

import pytest

from scheduler.spec import job_document, parse_job_untrusted
from tests.scheduler.job_documents import CAPTURED, captured, docker_job, scripted_job, wasm_job

SERVER_MADE = ("ID", "State", "Version", "Revision", "CreateTime", "ModifyTime")


def _as_kept_here(stored):
    """The captured form with the differences that are meant: see the docstring of `spec`."""
    kept = {key: value for key, value in stored.items() if key not in SERVER_MADE}
    kept["Meta"] = {k: v for k, v in kept["Meta"].items() if not k.startswith("bacalhau.org/")}
    if kept["Name"] == stored["ID"]:
        kept["Name"] = ""
    task = kept["Tasks"][0]
    params = task["Engine"]["Params"]
    task["Engine"]["Params"] = {k: v for k, v in params.items() if v is not None and v != ""}
    if task["Engine"]["Type"] == "wasm":
        task["Engine"]["Params"]["EntryModule"] = "/" + params["EntryModule"]
        task["InputSources"][0]["Target"] = "/" + task["InputSources"][0]["Target"]
    return kept


@pytest.mark.parametrize("name", sorted(path.stem for path in (CAPTURED / "stored").glob("*.json")))
def test_document_is_what_the_stock_server_stores(name):
    assert job_document(parse_job_untrusted(captured(name))) == _as_kept_here(
        captured(f"stored/{name}")
    )


def test_defaults_of_the_mesh_stay_out_of_the_document():
    document = job_document(parse_job_untrusted(scripted_job()))
    assert set(document) == {
        "Name", "Namespace", "Type", "Priority", "Count", "Constraints", "Meta", "Labels", "Tasks",
    }  # fmt: skip
    assert "SuccessCodes" not in document["Tasks"][0]


def test_all_that_was_asked_comes_back():
    document = job_document(parse_job_untrusted(wasm_job()))
    task = document["Tasks"][0]
    assert document["Retry"] == {"Attempts": 5, "On": ["infrastructure", "program"]}
    assert document["Disconnect"] == {"ReplaceAfter": "120s", "Exclusive": False}
    assert task["SuccessCodes"] == [0, 3]
    assert task["Resources"] == {"CPU": "250m", "Memory": "64mi", "Disk": "1000", "GPU": "0"}
    assert task["Network"] == {"Type": "HTTP", "Domains": ["example.com", ".example.org"]}
    assert task["Timeouts"] == {"ExecutionTimeout": 30, "QueueTimeout": 20, "TotalTimeout": 60}
    assert task["InputSources"][2]["Source"]["Type"] == "local"
    assert task["Engine"]["Params"]["Entrypoint"] == "_start"


def test_ports_come_back():
    ports = job_document(parse_job_untrusted(docker_job()))["Tasks"][0]["Network"]["Ports"]
    assert ports == [
        {"Name": "web", "Static": 8080, "Target": 80, "HostNetwork": "127.0.0.1"},
        {"Name": "any"},
    ]
