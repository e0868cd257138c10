"""The tables of a job's parts: what may stand in an engine, a source, a publisher, a network.

Each table is the one place that says which keys such a map has; the parser, the sentences about
unknown keys and the test of `docs/job-spec.md` follow it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.jobs import Failure
from scheduler.reading import (
    Problems,
    Reader,
    Table,
    choice,
    flag,
    list_of,
    nearest,
    nested,
    pattern,
    read_map,
    shown,
    text,
    whole,
)
from scheduler.spec_checks import check_network
from scheduler.spec_fields import (
    assignment,
    bucket,
    digest,
    guest_path,
    host_address,
    host_path,
    object_key,
    result_name,
    result_path,
    short,
    web_address,
    working_directory,
)

MAX_TIMEOUT_S = 9_223_372_036
"""What 64 bits of nanoseconds hold: stock readers count in those."""
DEFAULT_ENTRYPOINT = "_start"
"""WASI's name for a command's start."""
DEFAULT_MODULE_TARGET = "/main.wasm"
"""Where the stock client puts a module it was given without a place."""
_DOMAIN_FORM = r"\.?(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9-]{1,63}"


def _module(problems: Problems, path: str, value: Any) -> Any:
    """The Target of an input; or an input itself, as older clients send it."""
    if isinstance(value, dict):
        return {"Target": DEFAULT_MODULE_TARGET} | read_map(problems, path, value, MODULE_INPUT)
    return guest_path(problems, path, value)


_arguments = list_of(text)

ENGINES: Mapping[str, Table] = {
    "docker": Table(
        "docker's Params",
        {
            "Image": pattern(r"[^\s\x00-\x1f\x7f]{1,1024}", "is no image: a name without blanks"),
            "Entrypoint": _arguments,
            "Parameters": _arguments,
            "EnvironmentVariables": list_of(assignment),
            "WorkingDirectory": working_directory,
        },
        required=("Image",),
    ),
    "wasm": Table(
        "wasm's Params",
        {
            "EntryModule": _module,
            "Entrypoint": pattern(r"[^\x00-\x1f\x7f]{0,255}", "is no function name"),
            "Parameters": _arguments,
            "ImportModules": list_of(_module),
        },
        required=("EntryModule",),
    ),
    "scripted": Table(
        "scripted's Params",
        {
            "DurationMs": whole(0, 86_400_000, "milliseconds"),
            "ExitCode": whole(0, 255),
            "Stdout": text,
            "Stderr": text,
            "Fail": choice(*(failure.value for failure in Failure)),
        },
    ),
}

_PARTITION = Table(
    "Partition",
    {
        "Type": choice("none", "object", "regex", "substring", "date"),
        "Pattern": short,
        "StartIndex": whole(0, 1024),
        "EndIndex": whole(0, 1024),
        "DateFormat": short,
    },
)

SOURCES: Mapping[str, Table] = {
    "inline": Table(
        "inline's Params",
        {"URL": pattern(r"(?s)data:[^,]{0,255},.*", "is not a data: URL")},
        required=("URL",),
    ),
    "local": Table(
        "local's Params",
        {"SourcePath": host_path, "ReadWrite": flag, "CreateAs": choice("noCreate", "dir", "file")},
        required=("SourcePath",),
    ),
    "urlDownload": Table("urlDownload's Params", {"URL": web_address}, required=("URL",)),
    "s3": Table(
        "s3's Params",
        {
            "Bucket": bucket,
            "Key": object_key,
            "Filter": short,
            "Region": short,
            "Endpoint": web_address,
            "VersionID": short,
            "ChecksumSHA256": short,
            "Partition": nested(_PARTITION),
        },
        required=("Bucket", "Key"),
    ),
    "ipfs": Table(
        "ipfs's Params",
        {"CID": pattern(r"[A-Za-z0-9]{8,128}", "is no CID")},
        required=("CID",),
    ),
    "mesh": Table(
        "mesh's Params",
        {"Digest": digest, "CreateAs": choice("file", "dir")},
        required=("Digest",),
    ),
}
SOURCE_ALIASES: Mapping[str, str] = {"localDirectory": "local"}

PUBLISHERS: Mapping[str, Table] = {
    "mesh": Table("mesh's Params", {}),
    "local": Table("local's Params", {}),
    "s3": Table(
        "s3's Params",
        {
            "Bucket": bucket,
            "Key": object_key,
            "Endpoint": web_address,
            "Region": short,
            "Encoding": choice("gzip", "plain"),
        },
        required=("Bucket", "Key"),
    ),
    "s3managed": Table("s3managed's Params", {}),
    "ipfs": Table("ipfs's Params", {}),
    "noop": Table("noop's Params", {}),
}

TYPE_NAMES: Mapping[str, str] = {name.lower(): name for name in (*ENGINES, *SOURCES, *PUBLISHERS)}
"""Types as documents spell them, by their lower-case form (which `Source.type` holds)."""


def _raw(problems: Problems, path: str, value: Any) -> Any:
    return value


def _typed(
    title: str, tables: Mapping[str, Table], aliases: Mapping[str, str], *, required: bool
) -> Reader:
    """A reader of `{"Type", "Params"}`; gives `{"Type": lower case, "Params": read}`."""
    shape = Table(f"the {title}", {"Type": _raw, "Params": _raw})
    by_lower = {name.lower(): name for name in (*tables, *aliases)}

    def read(problems: Problems, path: str, value: Any) -> Any:
        parts = read_map(problems, path, value, shape)
        type_text = parts.get("Type", "")
        if type_text == "":
            if required and isinstance(value, dict):
                problems.add(f"{path}.Type", "is required")
            return None
        name = by_lower.get(type_text.lower()) if type(type_text) is str else None
        if name is None:
            near = nearest(type_text, (*tables, *aliases)) if type(type_text) is str else ""
            hint = f"did you mean {near}?" if near else f"known are {', '.join(tables)}"
            problems.add(
                f"{path}.Type", f"{shown(type_text)} is no {title} of this release; {hint}"
            )
            return None
        name = aliases.get(name, name)
        params = read_map(problems, f"{path}.Params", parts.get("Params", {}), tables[name])
        return {"Type": name.lower(), "Params": params}

    return read


engine = _typed("engine", ENGINES, {}, required=True)
source = _typed("source", SOURCES, SOURCE_ALIASES, required=True)
publisher = _typed("publisher", PUBLISHERS, {}, required=False)

_alias = pattern(r"[^\x00-\x1f\x7f]{0,4096}", "must be at most 4096 plain characters")
INPUT = Table(
    "an input",
    {"Source": source, "Alias": _alias, "Target": guest_path},
    required=("Source", "Target"),
)
MODULE_INPUT = Table("a module", INPUT.keys, required=("Source",))
RESULT_PATH = Table(
    "a result path", {"Name": result_name, "Path": result_path}, required=("Name", "Path")
)

# --- network and timeouts ------------------------------------------------------------------------

PORT = Table(
    "a port",
    {
        "Name": pattern(r"[A-Za-z][A-Za-z0-9_]{0,62}", "is no port name: letters, digits and '_'"),
        "Static": whole(0, 65535),
        "Target": whole(0, 65535),
        "HostNetwork": host_address,
    },
    required=("Name",),
)
NETWORK = Table(
    "Network",
    {
        "Type": lambda problems, path, value: (
            None
            if value == ""
            else choice("Default", "None", "Host", "Full", "HTTP", "Bridge")(problems, path, value)
        ),
        "Domains": list_of(
            pattern(_DOMAIN_FORM, "is no domain such as example.com or .example.com (all below it)")
        ),
        "Ports": list_of(nested(PORT)),
    },
)


def network(problems: Problems, path: str, value: Any) -> dict[str, Any]:
    """A network; what goes together is looked at once each part is right."""
    before = problems.count
    read = read_map(problems, path, value, NETWORK)
    if problems.count == before:
        check_network(problems, path, read)
    return read


_seconds = whole(0, MAX_TIMEOUT_S, "seconds")
TIMEOUTS = Table(
    "Timeouts",
    {"ExecutionTimeout": _seconds, "QueueTimeout": _seconds, "TotalTimeout": _seconds},
)
