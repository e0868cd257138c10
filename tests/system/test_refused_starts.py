"""A node that cannot start says why in one sentence and ends with 2; one that runs is private."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from tests.system.mesh_processes import Done, Mesh, Node, command

pytestmark = pytest.mark.real("loopback")


def _join(folder: Path, *options: str, secret: str = "", api: str = "127.0.0.1:0") -> Done:
    bind = () if "--bind" in options else ("--bind", "127.0.0.1:0")
    arguments = ["join", "--no-mdns", "--data-dir", str(folder), "--api", api, *bind, *options]
    return command(*arguments, environment={"BACALHAU_MESH_LAB": secret} if secret else None)


def _refused(done: Done) -> str:
    """The one sentence."""
    assert done.code == 2, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    # A node that got as far as looking at its engines may have said so, with the time of day.
    lines = [one for one in done.stderr.splitlines() if not one[:1].isdigit()]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("Error: ")
    return lines[0]


@pytest.fixture
def node(lone_mesh: Mesh) -> Node:
    return lone_mesh["alone"]


def test_a_folder_in_use_names_the_process(node: Node) -> None:
    sentence = _refused(_join(node.data_dir))
    assert f"process id {node.pid}" in sentence
    assert "--data-dir" in sentence
    assert node.page is not None, "the node that runs is not harmed"
    assert node.api.peers() == {"alone": "alive"}


def test_a_mesh_port_in_use(node: Node, tmp_path: Path) -> None:
    sentence = _refused(_join(tmp_path / "data", "--bind", node.mesh_address))
    assert node.mesh_address in sentence
    assert "taken" in sentence
    assert "--bind" in sentence


def test_an_api_port_in_use(node: Node, tmp_path: Path) -> None:
    address = node.page["api_addresses"][0]
    sentence = _refused(_join(tmp_path / "data", api=address))
    assert address in sentence
    assert "unix:" not in sentence
    assert "in use" in sentence
    assert "--api" in sentence
    assert not (tmp_path / "data" / "node.json").exists()


def test_an_address_of_another_machine(tmp_path: Path) -> None:
    sentence = _refused(_join(tmp_path / "data", "--bind", "192.0.2.1:0"))
    assert "192.0.2.1" in sentence
    assert "--bind" in sentence


def test_a_folder_of_another_cluster(mesh: Mesh) -> None:
    node = mesh.add("ours", "--no-mdns").ready()
    cluster = node.page["cluster"]
    node.terminate()
    sentence = _refused(_join(node.data_dir, secret="another secret"))
    assert cluster[:12] in sentence
    assert "--data-dir" in sentence


def test_an_api_that_others_could_reach(tmp_path: Path) -> None:
    sentence = _refused(_join(tmp_path / "data", api="0.0.0.0:1234"))
    assert "TLS and a token" in sentence
    assert "127.0.0.1" in sentence
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("text", "nearest"),
    [("allow_paths: [/srv]\n", "allow_path"), ("nmae: x\n", "name"), ("Name: x\n", "name")],
)
def test_an_unknown_setting_names_the_nearest(tmp_path: Path, text: str, nearest: str) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(text)
    sentence = _refused(_join(tmp_path / "data", "--config", str(settings)))
    assert text.partition(":")[0] in sentence
    assert f"did you mean '{nearest}'" in sentence


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in _refused(_join(tmp_path / "file" / "data"))


def test_a_database_that_is_none(mesh: Mesh) -> None:
    node = mesh.add("ours", "--no-mdns").ready()
    node.terminate()
    for path in node.data_dir.glob("mesh.sqlite-*"):
        path.unlink()
    (node.data_dir / "mesh.sqlite").write_bytes(b"this is no database" * 1000)
    assert "mesh.sqlite" in _refused(_join(node.data_dir))


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_a_node_keeps_is_its_owners_alone(node: Node) -> None:
    folder = node.data_dir
    assert _mode(folder) == 0o700
    assert _mode(folder / "node.key") == 0o600
    assert _mode(Path(node.page["api_socket"])) == 0o600
    assert _mode(folder / "mesh.sqlite") & 0o022 == 0


def test_the_api_listens_on_loopback_alone(node: Node) -> None:
    host, _, port = node.page["api_addresses"][0].rpartition(":")
    assert host == "127.0.0.1"
    own = socket.gethostbyname(socket.gethostname())
    if not own.startswith("127."):
        with socket.socket() as client, pytest.raises(OSError, match="refused"):
            client.connect((own, int(port)))


def test_the_secret_stands_in_no_command_line(mesh: Mesh) -> None:
    node = mesh.add("ours", "--no-mdns").ready()
    secret = node._secret
    assert secret not in Path(f"/proc/{node.pid}/cmdline").read_text()
    written = [path for path in node.data_dir.rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if secret.encode() in path.read_bytes()] == []
    assert secret not in node.said()
