"""What `wasm run` was told on the command line, as the parts of a job's document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from mesh.edge.cli.errors import bad_input

DEFAULT_INPUT_TARGET = "/inputs"
"""Bacalhau's."""
S3_OPTIONS = {
    "endpoint": "Endpoint",
    "region": "Region",
    "versionid": "VersionID",
    "checksum-256": "ChecksumSHA256",
    "filter": "Filter",
}
Document = dict[str, Any]


def pairs(texts: Iterable[str], flag: str) -> dict[str, str]:
    """`K=V` texts as a map."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise bad_input(f"{flag} {text!r} is not KEY=VALUE")
        if key in found:
            raise bad_input(f"{flag} names {key} twice")
        found[key] = value
    return found


def constraints(text: str) -> list[Document]:
    """Selector text as a job's constraints."""
    from scheduler.constraints import parse_selector_untrusted
    from scheduler.errors import SelectorError

    try:
        found = parse_selector_untrusted(text)
    except SelectorError as error:
        raise bad_input(f"--constraints: {error}") from None
    return [
        {"Key": one.key, "Operator": one.operator}
        | ({"Values": list(one.values)} if one.values else {})
        for one in found
    ]


def result_path(text: str) -> Document:
    """`NAME:PATH`."""
    name, colon, path = text.partition(":")
    if not colon or not name or not path.startswith("/"):
        raise bad_input(f"--output {text!r} is not NAME:PATH with an absolute path")
    return {"Name": name, "Path": path}


def input_source(text: str) -> Document:
    """`URI[:TARGET]`, or `src=URI,dst=PATH,opt=KEY=VALUE`."""
    if not text.startswith("src="):
        uri, target = split_target(text)
        return _source(uri, target or DEFAULT_INPUT_TARGET, {})
    source, target, options = "", DEFAULT_INPUT_TARGET, {}
    for part in text.split(","):
        key, _, value = part.partition("=")
        if key in ("src", "source"):
            source = value
        elif key in ("dst", "destination", "target"):
            target = value
        elif key in ("opt", "option"):
            name, _, setting = value.partition("=")
            options[name.lower()] = setting or "true"
        else:
            raise bad_input(f"--input {text!r}: {key!r} is none of src, dst, opt")
    return _source(source, target, options)


def split_target(text: str) -> tuple[str, str]:
    """`URI:TARGET` in two; the target is "" when there is none."""
    uri, _, target = text.rpartition(":")
    if uri and target.startswith("/") and not target.startswith("//"):
        return uri, target
    return text, ""


def _source(uri: str, target: str, options: Mapping[str, str]) -> Document:
    scheme, separator, rest = uri.partition("://")
    if not separator or not rest:
        raise bad_input(
            f"--input {uri!r} is no URI",
            "Write file:///DATA, mesh://DIGEST, http(s)://, s3://BUCKET/KEY or ipfs://CID, "
            "then :/TARGET",
        )
    entry: Document = {"Target": target}
    match scheme.lower():
        case "file":
            params: Document = {"SourcePath": rest}
            if _known(options, ("rw",), uri).get("rw", "false").lower() == "true":
                params["ReadWrite"] = True
            source: Document = {"Type": "local", "Params": params}
        case "mesh":
            source = {"Type": "mesh", "Params": {"Digest": rest}}
        case "http" | "https":
            source = {"Type": "urlDownload", "Params": {"URL": uri}}
            entry["Alias"] = uri
        case "ipfs":
            source = {"Type": "ipfs", "Params": {"CID": rest}}
        case "s3":
            bucket, _, key = rest.partition("/")
            known = _known(options, tuple(S3_OPTIONS), uri)
            extra = {S3_OPTIONS[name]: value for name, value in known.items()}
            source = {"Type": "s3", "Params": {"Bucket": bucket, "Key": key, **extra}}
        case _:
            raise bad_input(f"--input {uri!r}: {scheme}:// is none of file, mesh, http, s3, ipfs")
    return {"Source": source, **entry}


def _known(options: Mapping[str, str], names: Sequence[str], uri: str) -> Mapping[str, str]:
    for name in options:
        if name not in names:
            raise bad_input(f"--input {uri!r}: the option {name!r} is none of {', '.join(names)}")
    return options


def publisher(text: str) -> Document | None:
    """A publisher's name, or `s3://BUCKET/KEY[,opt=KEY=VALUE]`."""
    if not text:
        return None
    address, *options = text.split(",")
    if "://" not in address:
        if options:
            raise bad_input(f"--publisher {address} takes no options")
        return {"Type": address}
    parts = urlsplit(address)
    if parts.scheme != "s3":
        raise bad_input(f"--publisher {text!r} is neither a name nor s3://BUCKET/KEY")
    params = {"Bucket": parts.netloc, "Key": parts.path.lstrip("/")}
    for option in options:
        key, _, setting = option.removeprefix("opt=").partition("=")
        if key.lower() not in ("endpoint", "region", "encoding"):
            raise bad_input(f"--publisher: the option {key!r} is not known")
        params[key.lower().capitalize()] = setting
    return {"Type": "s3", "Params": params}
