from __future__ import annotations

from collections.abc import Callable

import pytest

from mesh.edge.cli import flags
from mesh.edge.cli.errors import CommandFailed, Exit


@pytest.mark.parametrize(
    ("text", "kind", "params", "target"),
    [
        ("file:///data", "local", {"SourcePath": "/data"}, "/inputs"),
        ("file:///data:/in", "local", {"SourcePath": "/data"}, "/in"),
        ("http://h:80/f", "urlDownload", {"URL": "http://h:80/f"}, "/inputs"),
        ("https://h:80/f:/in/f", "urlDownload", {"URL": "https://h:80/f"}, "/in/f"),
        ("ipfs://Qm:/x", "ipfs", {"CID": "Qm"}, "/x"),
        ("mesh://abc:/x", "mesh", {"Digest": "abc"}, "/x"),
        ("s3://b/k/l:/x", "s3", {"Bucket": "b", "Key": "k/l"}, "/x"),
        (
            "src=file:///d,dst=/in,opt=rw=true",
            "local",
            {"SourcePath": "/d", "ReadWrite": True},
            "/in",
        ),
        ("src=file:///d,opt=rw", "local", {"SourcePath": "/d", "ReadWrite": True}, "/inputs"),
        (
            "src=s3://b/k,dst=/in,opt=region=eu,opt=endpoint=http://e",
            "s3",
            {"Bucket": "b", "Key": "k", "Region": "eu", "Endpoint": "http://e"},
            "/in",
        ),
    ],
)
def test_inputs(text: str, kind: str, params: dict[str, object], target: str) -> None:
    source = flags.input_source(text)
    assert source["Source"] == {"Type": kind, "Params": params}
    assert source["Target"] == target


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (flags.input_source, "/data"),
        (flags.input_source, ""),
        (flags.input_source, "git://x"),
        (flags.input_source, "src=file:///d,colour=red"),
        (flags.input_source, "src=file:///d,opt=colour=red"),
        (flags.result_path, "out"),
        (flags.result_path, ":/out"),
        (flags.result_path, "out:relative"),
        (flags.publisher, "gs://b/k"),
        (flags.publisher, "s3://b/k,opt=colour=red"),
        (flags.publisher, "local,opt=x=y"),
        (flags.constraints, "a in"),
        (lambda text: flags.pairs([text], "-e"), "novalue"),
        (lambda text: flags.pairs([text, text], "-e"), "a=b"),
    ],
)
def test_nonsense_is_2(call: Callable[[str], object], text: str) -> None:
    with pytest.raises(CommandFailed) as failed:
        call(text)
    assert failed.value.code is Exit.BAD_INPUT


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("", None),
        ("local", {"Type": "local"}),
        (
            "s3://b/k,opt=region=eu",
            {"Type": "s3", "Params": {"Bucket": "b", "Key": "k", "Region": "eu"}},
        ),
    ],
)
def test_publishers(text: str, document: object) -> None:
    assert flags.publisher(text) == document


def test_constraints() -> None:
    assert flags.constraints("site=north,!old") == [
        {"Key": "site", "Operator": "=", "Values": ["north"]},
        {"Key": "old", "Operator": "!"},
    ]
