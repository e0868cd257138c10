from pathlib import Path

import pytest

from mesh.node.config import Address, ConfigError, load_config, parse_address
from storage.allow import AllowedPath


def load(tmp_path: Path, flags: dict | None = None, **environment: str):
    names = {f"BACALHAU_MESH_{key.upper()}": value for key, value in environment.items()}
    return load_config({"data_dir": str(tmp_path), **(flags or {})}, environment=names)


def test_defaults(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert config.bind == Address("", 1235)
    assert config.api == Address("127.0.0.1", 1234)
    assert config.data_dir == tmp_path
    assert (config.mdns, config.lab, config.peers, config.allow_paths) == (True, "", (), ())
    assert config.name
    assert load_config({}, environment={"HOME": "/x"}).data_dir == Path.home() / ".bacalhau-mesh"


@pytest.mark.parametrize(
    ("flag", "variable", "line", "expected"),
    [
        (None, None, None, None),
        (None, None, "name: file", "file"),
        (None, "variable", "name: file", "variable"),
        ("flag", "variable", "name: file", "flag"),
        ("flag", None, "name: file", "flag"),
    ],
)
@pytest.mark.parametrize("where", ["data folder", "--config", "BACALHAU_MESH_CONFIG"])
def test_precedence(tmp_path, flag, variable, line, expected, where) -> None:
    flags = {} if flag is None else {"name": flag}
    environment = {} if variable is None else {"name": variable}
    path = tmp_path / ("config.yaml" if where == "data folder" else "other.yaml")
    path.write_text(f"{line}\n" if line else "# nothing\n")
    if where == "--config":
        flags["config"] = str(path)
    elif where != "data folder":
        environment["config"] = str(path)
    config = load(tmp_path, flags, **environment)
    assert expected is None or config.name == expected


def test_every_setting_from_every_place(tmp_path: Path) -> None:
    flags = {
        "bind": "10.0.0.7:99",
        "api": ":0",
        "label": ["site=harbour", "zone="],
        "allow_path": ["/data:rw", "/log/*"],
        "page": "0.0.0.0",
        "peer": ["10.0.0.8", "[fe80::1]:7"],
        "no_mdns": True,
        "lab": "s3cret",
        "name": "pump",
    }
    from_flags = load(tmp_path, flags)
    from_environment = load(
        tmp_path,
        bind="10.0.0.7:99",
        api=":0",
        label="site=harbour,zone=",
        allow_path="/data:rw,/log/*",
        page="0.0.0.0",
        peer="10.0.0.8,[fe80::1]:7",
        no_mdns="true",
        lab="s3cret",
        name="pump",
    )
    (tmp_path / "config.yaml").write_text(
        "bind: 10.0.0.7:99\napi: ':0'\nlabel: {site: harbour, zone: ''}\n"
        "allow_path: ['/data:rw', '/log/*']\npeer: [10.0.0.8, '[fe80::1]:7']\n"
        "no_mdns: true\nlab: s3cret\nname: pump\npage: 0.0.0.0\n"
    )
    assert from_flags == from_environment == load(tmp_path)
    assert from_flags.allow_paths == (AllowedPath("/data", True), AllowedPath("/log/*", False))
    assert from_flags.peers == ("10.0.0.8:1235", "[fe80::1]:7")
    assert str(from_flags.page) == "0.0.0.0:1236"
    assert "s3cret" not in repr(from_flags)


def test_secret_from_standard_input(tmp_path: Path) -> None:
    flags = {"data_dir": str(tmp_path), "lab": "-"}
    assert load_config(flags, environment={}, read_secret=lambda: "typed\n").lab == "typed"
    with pytest.raises(ConfigError, match="gave none"):
        load_config(flags, environment={}, read_secret=lambda: "\n")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("", "d", 5),
        ("h", "h", 5),
        ("h:7", "h", 7),
        (":7", "d", 7),
        (":0", "d", 0),
        ("[::1]:7", "::1", 7),
        ("[::1]", "::1", 5),
        ("::1", "::1", 5),
        ("h:", "h", 5),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert parse_address(text, "--bind", "d", 5) == Address(host, port)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"bind": "h:x"}, "'x' is no port"),
        ({"bind": "h:65536"}, "no port"),
        ({"bind": "h:-1"}, "no port"),
        ({"bind": "h:१"}, "no port"),
        ({"peer": [":1"]}, "names no host"),
        ({"api": "0.0.0.0:1"}, "needs TLS and a token"),
        ({"api": "[::]:1"}, "needs TLS and a token"),
        ({"api": "example.org:1"}, "needs TLS and a token"),
        ({"page": ":1236"}, "--page ':1236' names no host"),
        ({"page": "h:x"}, "no port"),
        ({"allow_path": ["data"]}, "not an absolute path"),
        ({"allow_path": ["/a/../b"]}, "'..'"),
        ({"label": ["site"]}, "not KEY=VALUE"),
        ({"label": ["=x"]}, "not KEY=VALUE"),
        ({"label": ["k=" + "x" * 64]}, "longer than 63"),
        ({"name": "x" * 64}, "no name"),
        ({"name": "a\x1b[31m"}, "no name"),
        ({"nmae": "x"}, "did you mean 'name'"),
    ],
)
def test_bad_flags_are_one_sentence(tmp_path: Path, flags: dict, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, flags)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nmae: x", "did you mean 'name'"),
        ("data_dir: /elsewhere", "no setting 'data_dir'"),
        ("- a\n- b", "not a map"),
        ("name: [", "not YAML"),
        ("name: a\nname: b", "not YAML"),
        ("[" * 400, "not YAML"),
        ("x: " + "y" * 70_000, "too many"),
        ("peer: 7", "not a list of texts"),
        ("no_mdns: perhaps", "true or false"),
        ("allow_faults: perhaps", "true or false"),
        ("timing: fast", "none of lan, wan"),
    ],
)
def test_bad_files_are_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {"config": str(tmp_path / "absent.yaml")})


def test_long_socket_path_gets_a_short_stand_in(tmp_path: Path) -> None:
    assert load(tmp_path).socket_path == tmp_path / "api.sock"
    deep = tmp_path / ("d" * 100)
    path = load_config({"data_dir": str(deep)}, environment={}).socket_path
    assert len(str(path)) <= 107
    assert path.parent != deep


@pytest.mark.parametrize(
    ("flags", "wan"), [({}, False), ({"timing": "lan"}, False), ({"timing": "wan"}, True)]
)
def test_timing(tmp_path: Path, flags: dict[str, str], wan: bool) -> None:
    config = load_config({"data_dir": str(tmp_path), **flags}, environment={})
    assert (config.wan, config.allow_faults) == (wan, False)


def test_faults_have_to_be_asked_for(tmp_path: Path) -> None:
    given = {"data_dir": str(tmp_path), "allow_faults": True}
    assert load_config(given, environment={}).allow_faults
