"""What the operator said: one frozen `NodeConfig` from flags, environment and file, in that order.

A setting has one name everywhere: the long flag `--allow-path`, the variable
`BACALHAU_MESH_ALLOW_PATH` and the key `allow_path` of a file are one thing. Lists in a variable
are separated by commas.
"""

from __future__ import annotations

import difflib
import hashlib
import ipaddress
import os
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mesh.node.errors import NodeError
from storage.allow import AllowedPath, parse_allowed_path

ENVIRONMENT_PREFIX = "BACALHAU_MESH_"
MESH_PORT = 1235
"""One above the API's, which is Bacalhau's."""
PAGE_PORT = 1236
"""Above both: what a browser is told anyway comes last."""
API_PORT = 1234
"""Bacalhau's API port, so that its own client finds a node with nothing to set."""
MAX_CONFIG_BYTES = 64 * 1024
"""A file of settings is a few lines; parsing more is somebody's mistake."""
MAX_SOCKET_PATH_BYTES = 107
"""Linux has 108 bytes for the path of a socket, the last of them zero."""
MAX_LABEL_LENGTH = 63
MAX_NAME_LENGTH = 63
"""The length of a DNS label: the name is shown in tables and given out by mDNS."""

_REPEATED = ("label", "allow_path", "peer")
_SETTINGS = ("allow_faults", "api", "bind", "lab", "name", "no_mdns", "page", "timing", *_REPEATED)
_TIMINGS = ("lan", "wan")
_LABEL_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")


class ConfigError(NodeError):
    """A setting that cannot be used; the sentence says which and what to do."""


class Address(NamedTuple):
    """A host and a port; host "" is every interface, port 0 a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """True when nothing outside this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """Every setting of one node."""

    data_dir: Path
    name: str
    """Shown to people; the identity is the key."""
    bind: Address = Address("", MESH_PORT)
    """Where peers reach us; all interfaces, since a mesh that only listens to itself is none."""
    api: Address = Address("127.0.0.1", API_PORT)
    """The HTTP API; loopback, since it asks nobody for a password."""
    page: Address | None = None
    """Where browsers of others on the network get the page, by its link; None for nowhere."""
    labels: Mapping[str, str] = field(default_factory=dict)
    allow_paths: tuple[AllowedPath, ...] = ()
    peers: tuple[str, ...] = ()
    """HOST:PORT of members to try besides those that mDNS finds."""
    mdns: bool = True
    wan: bool = False
    """All default times are those for slow or metered links."""
    allow_faults: bool = False
    """The node's own socket may cut it off from peers, to try out a split."""
    lab: str = field(default="", repr=False)
    """The secret that the cluster root is derived from; "" founds or reopens a cluster."""

    @property
    def socket_path(self) -> Path:
        """The API's Unix socket: in the data folder, unless its path is too long for the kernel."""
        path = self.data_dir / "api.sock"
        if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
            return path
        name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
        run_time = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
        return Path(run_time) / f"bacalhau-mesh-{name}.sock"


def load_config(
    flags: Mapping[str, Any],
    *,
    environment: Mapping[str, str] | None = None,
    read_secret: Callable[[], str] | None = None,
) -> NodeConfig:
    """The settings of this start.

    `flags` holds what was given on the command line, by long flag in snake_case (`data_dir`,
    `allow_path`, ...); None and empty lists count as not given. Raises ConfigError.
    """
    environment = os.environ if environment is None else environment
    given = {name: value for name, value in flags.items() if value not in (None, (), [], "")}
    refuse_unknown(given, (*_SETTINGS, "data_dir", "config"), "the command line")
    values = {**_from_environment(environment), **given}
    file_values = _from_file(values)
    values = {**file_values, **values}
    lab = str(values.get("lab", ""))
    if lab == "-":
        lab = (read_secret or sys.stdin.readline)().strip()
        if not lab:
            raise ConfigError("--lab - reads the secret from standard input, which gave none.")
    return NodeConfig(
        data_dir=_data_dir(values),
        name=_name(str(values.get("name") or socket.gethostname() or "node")),
        bind=parse_address(str(values.get("bind", "")), "--bind", "", MESH_PORT),
        api=_api(str(values.get("api", ""))),
        page=_page(str(values.get("page", ""))),
        labels=parse_labels(_list(values.get("label"), "label")),
        allow_paths=tuple(
            _allowed_path(text) for text in _list(values.get("allow_path"), "allow_path")
        ),
        peers=tuple(
            str(parse_address(text, "--peer", None, MESH_PORT))
            for text in _list(values.get("peer"), "peer")
        ),
        mdns=not _flag(values, "no_mdns"),
        wan=_timing(values) == "wan",
        allow_faults=_flag(values, "allow_faults"),
        lab=lab,
    )


def parse_address(text: str, what: str, default_host: str | None, default_port: int) -> Address:
    """`HOST[:PORT]`, `:PORT` or `[V6]:PORT`; with no default host, one must be named."""
    host, port_text = _split_address(text)
    if not host:
        if default_host is None:
            raise ConfigError(f"{what} {text!r} names no host; write HOST:PORT.")
        host = default_host
    if not port_text:
        return Address(host, default_port)
    if not port_text.isascii() or not port_text.isdecimal() or int(port_text) > 0xFFFF:
        raise ConfigError(f"{what} {text!r}: {port_text!r} is no port from 0 to 65535.")
    return Address(host, int(port_text))


def _allowed_path(text: str) -> AllowedPath:
    try:
        return parse_allowed_path(text)
    except ValueError as error:
        raise ConfigError(f"--allow-path: {error}") from error


def parse_labels(texts: Sequence[str]) -> dict[str, str]:
    """`K=V` each; the last of one key wins."""
    labels: dict[str, str] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not _LABEL_KEY.fullmatch(key):
            raise ConfigError(f"--label {text!r} is not KEY=VALUE, as in site=harbour.")
        if len(key) > MAX_LABEL_LENGTH or len(value) > MAX_LABEL_LENGTH:
            raise ConfigError(f"--label {key!r} is longer than {MAX_LABEL_LENGTH} characters.")
        labels[key] = value
    return labels


def refuse_unknown(given: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    """ConfigError naming the first key that no setting has, and the nearest that one has."""
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = (
                f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}."
            )
            raise ConfigError(f"{where} has no setting {str(key)!r}{hint}")


def _split_address(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":")
    if text.count(":") > 1:
        return text, ""
    host, _, port = text.partition(":")
    return host, port


def _name(name: str) -> str:
    if len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise ConfigError(
            f"--name {name!r} is no name of up to {MAX_NAME_LENGTH} printable characters."
        )
    return name


def _api(text: str) -> Address:
    address = parse_address(text, "--api", "127.0.0.1", API_PORT)
    if not address.loopback:
        raise ConfigError(
            f"--api {text} is reachable from other machines, which needs TLS and a token, and this "
            "release has neither; use 127.0.0.1:PORT, and a tunnel (ssh -L) from elsewhere."
        )
    return address


def _page(text: str) -> Address | None:
    return parse_address(text, "--page", None, PAGE_PORT) if text else None


def _data_dir(values: Mapping[str, Any]) -> Path:
    """Made absolute without following links: the folder may not be there yet."""
    given = values.get("data_dir") or "~/.bacalhau-mesh"
    return Path(os.path.abspath(os.path.expanduser(str(given))))


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in (*_SETTINGS, "data_dir", "config"):
        text = environment.get(ENVIRONMENT_PREFIX + name.upper(), "")
        if text:
            values[name] = text.split(",") if name in _REPEATED else text
    return values


def _from_file(values: Mapping[str, Any]) -> dict[str, Any]:
    if "config" in values:
        path = Path(str(values["config"])).expanduser()
        return read_config_untrusted(path, known=(*_SETTINGS, "data_dir"))
    path = _data_dir(values) / "config.yaml"
    return read_config_untrusted(path, known=_SETTINGS) if path.exists() else {}


def read_config_untrusted(path: Path, *, known: Sequence[str]) -> dict[str, Any]:
    """The settings in a YAML file; ConfigError for one that is none, or names what is not known."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        with path.open("rb") as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigError(f"{path} has more than {MAX_CONFIG_BYTES} bytes, too many for settings.")
    try:
        values = YAML(typ="safe", pure=True).load(data.decode("utf-8"))
    except (YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        first_line = str(error).strip().splitlines()[0]
        raise ConfigError(f"{path} is not YAML: {first_line}.") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is not a map of settings, as in `name: harbour-1`.")
    refuse_unknown(values, known, str(path))
    return values


def _list(value: Any, name: str) -> list[str]:
    """A repeated setting: one text, a list of them, or (labels in a file) a map."""
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [f"{key}={item}" for key, item in value.items()]
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return list(value)
    raise ConfigError(f"{name} is not a list of texts.")


def _timing(values: Mapping[str, Any]) -> str:
    timing = str(values.get("timing", "lan"))
    if timing not in _TIMINGS:
        raise ConfigError(f"--timing {timing!r} is none of {', '.join(_TIMINGS)}.")
    return timing


def _flag(values: Mapping[str, Any], name: str) -> bool:
    value = values.get(name, False)
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in ("1", "true", "yes"):
        return True
    if word in ("0", "false", "no"):
        return False
    raise ConfigError(f"{name} is {value!r}; write true or false.")
