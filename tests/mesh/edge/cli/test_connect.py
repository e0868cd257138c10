from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from mesh.edge.cli.connect import Endpoint, NodeApi, choose_endpoint
from mesh.edge.cli.errors import CommandFailed, Exit


def choose(**given: Any) -> Endpoint:
    values: dict[str, Any] = {
        "api_host": "",
        "api_port": None,
        "data_dir": "",
        "environment": {},
        **given,
    }
    return choose_endpoint(**values)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ({}, Endpoint("127.0.0.1", 1234)),
        ({"api_host": "h"}, Endpoint("h", 1234)),
        ({"api_host": "h:9"}, Endpoint("h", 9)),
        ({"api_host": "http://h:9"}, Endpoint("h", 9)),
        ({"api_host": "::1", "api_port": 9}, Endpoint("::1", 9)),
        ({"api_host": "[::1]:7"}, Endpoint("::1", 7)),
        ({"api_port": 9}, Endpoint("127.0.0.1", 9)),
        ({"environment": {"BACALHAU_API_PORT": "9"}}, Endpoint("127.0.0.1", 9)),
        (
            {"api_host": "h", "environment": {"BACALHAU_API_HOST": "x", "BACALHAU_API_PORT": "9"}},
            Endpoint("h", 9),
        ),
        ({"environment": {"BACALHAU_MESH_API": "h:5"}}, Endpoint("h", 5)),
        (
            {"environment": {"BACALHAU_MESH_API": "h:5", "BACALHAU_API_HOST": "x"}},
            Endpoint("x", 1234),
        ),
        ({"environment": {"BACALHAU_MESH_API": "unix:/s"}}, Endpoint(socket_path="/s")),
    ],
)
def test_the_first_that_is_named(home: Path, given: dict[str, object], endpoint: Endpoint) -> None:
    assert choose(**given) == endpoint


def test_a_folder_that_is_named_comes_before_what_the_environment_says(home: Path) -> None:
    with pytest.raises(CommandFailed, match="no node runs on the data folder") as refused:
        choose(data_dir=str(home), environment={"BACALHAU_API_PORT": "9"})
    assert refused.value.code is Exit.NO_NODE
    assert choose(data_dir=str(home), api_port=9) == Endpoint("127.0.0.1", 9)


@pytest.mark.parametrize(
    "given",
    [
        {"api_host": "https://h"},
        {"api_host": "http://h:99999"},
        {"api_port": 70_000},
        {"environment": {"BACALHAU_API_PORT": "x"}},
        {"api_host": "http://"},
        {"api_host": "http://[::1"},
    ],
)
def test_nonsense_is_2(home: Path, given: dict[str, object]) -> None:
    with pytest.raises(CommandFailed) as failed:
        choose(**given)
    assert failed.value.code is Exit.BAD_INPUT


def test_the_socket_of_a_node_that_runs(home: Path) -> None:
    folder = home / ".bacalhau-mesh"
    folder.mkdir()
    path = folder / "api.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert choose() == Endpoint(), "bound, but nobody listens"
        server.listen()
        assert choose() == Endpoint(socket_path=str(path))
        other = home / "short.sock"
        (folder / "node.json").write_text(json.dumps({"api_socket": str(other)}))
        assert choose() == Endpoint(), "the page names another"


def test_a_folder_without_a_node_is_3(home: Path) -> None:
    with pytest.raises(CommandFailed) as failed:
        choose(data_dir=str(home))
    assert failed.value.code is Exit.NO_NODE


@pytest.mark.real("loopback")
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", Exit.NO_NODE),
        (b"not http\r\n\r\n", Exit.NO_NODE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", Exit.NO_NODE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Exit.NO_NODE),
        (b"HTTP/1.1 502 Bad\r\nContent-Length: 5\r\n\r\nhello", Exit.NO_NODE),
        (
            b'HTTP/1.1 400 Bad\r\nContent-Length: 24\r\n\r\n{"Message": "was wrong"}',
            Exit.BAD_INPUT,
        ),
    ],
)
def test_whatever_answers_is_a_sentence(answer: bytes, code: Exit) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_once() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=answer_once, daemon=True)
        thread.start()
        with pytest.raises(CommandFailed) as failed:
            NodeApi(Endpoint(port=server.getsockname()[1])).get("/")
        thread.join(5)
    assert failed.value.code is code
    assert failed.value.message


@pytest.mark.real("loopback")
@pytest.mark.parametrize("drops", [1, 2])
def test_a_broken_submission_is_sent_once_more(drops: int) -> None:
    bodies = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for at in range(2):
                connection, _ = server.accept()
                with connection:
                    raw = b""
                    while not raw.endswith(b"}"):
                        raw += connection.recv(65536)
                    bodies.append(raw.rpartition(b"\r\n\r\n")[2])
                    if at >= drops:
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        api = NodeApi(Endpoint(port=server.getsockname()[1]))
        document = {"IdempotencyToken": "k"}
        if drops == 1:
            assert api.send_again("PUT", "/", document) == {}
        else:
            with pytest.raises(CommandFailed) as failed:
                api.send_again("PUT", "/", document)
            assert failed.value.code is Exit.NO_NODE
        thread.join(5)
    assert bodies == [json.dumps(document).encode()] * 2
