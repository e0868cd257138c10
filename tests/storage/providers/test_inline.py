"""Data URLs, and archives in them."""

from __future__ import annotations

import base64
import gzip
import io
import tarfile

import pytest

from scheduler.jobs import Source
from storage.errors import BadSource, Corrupt, TooLarge
from storage.ports import FetchRequest
from storage.providers.inline import InlineProvider, decode_data_url_untrusted


@pytest.mark.parametrize(
    ("url", "media_type", "data"),
    [
        ("data:,x", "", b"x"),
        ("data:,a%20b%2Cc", "", b"a b,c"),
        ("data:text/plain;charset=utf-8,h%C3%A9", "text/plain", "hé".encode()),
        ("data:;base64,aGk=", "", b"hi"),
        ("data:;base64,aGk", "", b"hi"),
        ("data:;base64,aG\nk=", "", b"hi"),
        ("DATA:Application/GZIP;BASE64,aGk=", "application/gzip", b"hi"),
        ("data:,", "", b""),
    ],
)
def test_decode(url, media_type, data):
    assert decode_data_url_untrusted(url) == (media_type, data)


@pytest.mark.parametrize(
    "url", ["", "http://x/y", "data:", "data:text/plain", "data:;base64,a", "data:;base64,a$b="]
)
def test_what_is_no_data_url(url):
    with pytest.raises(BadSource, match=r"\.$"):
        decode_data_url_untrusted(url)


def packed(*names: str, content: bytes = b"x") -> Source:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    data = base64.b64encode(out.getvalue()).decode()
    return Source("inline", {"url": f"data:application/gzip;base64,{data}"})


async def test_an_archive_of_one_file_is_that_file(tmp_path):
    fetched = await InlineProvider().fetch(FetchRequest(packed("main.wasm"), tmp_path))
    assert fetched.path == tmp_path / "main.wasm"


async def test_an_archive_of_more_is_its_folder(tmp_path):
    fetched = await InlineProvider().fetch(FetchRequest(packed("a", "b"), tmp_path))
    assert fetched.path == tmp_path


async def test_limits_hold(tmp_path):
    source = packed("a", content=b"x" * 1000)
    with pytest.raises(TooLarge):
        await InlineProvider().fetch(FetchRequest(source, tmp_path, limit_bytes=999))


async def test_gzip_that_holds_no_archive(tmp_path):
    data = base64.b64encode(gzip.compress(b"no archive")).decode()
    source = Source("inline", {"URL": f"data:application/gzip;base64,{data}"})
    with pytest.raises(Corrupt):
        await InlineProvider().fetch(FetchRequest(source, tmp_path))
