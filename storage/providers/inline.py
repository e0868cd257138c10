"""Inputs that travel in the job itself, as `data:` URLs: plain, base64, or a gzip'd tar."""

from __future__ import annotations

import base64
import binascii
import urllib.parse
from pathlib import Path

import trio

from scheduler.jobs import Source
from storage.archive import ArchiveLimits, unpack_untrusted
from storage.errors import BadSource
from storage.ports import Fetched, FetchRequest, text_param

GZIP_TYPES = ("application/gzip", "application/x-gzip")
MAX_UNPACKED_BYTES = 256 << 20
"""A job document is 10 MB at most (Bacalhau's own limit); text packs about 1 : 20."""
FILE_NAME = "inline"


class InlineProvider:
    """Serves `inline` sources. A gzip'd tar of one file is that file, any other its folder."""

    name = "inline"

    async def stat(self, source: Source) -> int:
        """Bytes of the decoded URL: a packed archive counts as packed."""
        return len(decode_data_url_untrusted(text_param(source, "URL"))[1])

    async def fetch(self, request: FetchRequest) -> Fetched:
        """Write what the URL holds below the folder."""
        return await trio.to_thread.run_sync(self._write, request)

    def _write(self, request: FetchRequest) -> Fetched:
        media_type, data = decode_data_url_untrusted(text_param(request.source, "URL"))
        limit_bytes = min(request.limit_bytes, MAX_UNPACKED_BYTES)
        if media_type in GZIP_TYPES:
            path = unpack_untrusted(
                data, request.folder, limits=ArchiveLimits(total_bytes=limit_bytes)
            )
        else:
            path = _plain_file(request.folder, data)
        return Fetched(path, read_only=True, size_bytes=len(data))


def _plain_file(folder: Path, data: bytes) -> Path:
    path = folder / FILE_NAME
    path.write_bytes(data)
    return path


def decode_data_url_untrusted(url: str) -> tuple[str, bytes]:
    """Media type in lower case, and the bytes, of a `data:` URL; BadSource when it is none."""
    if url[:5].lower() != "data:":
        raise BadSource("An inline source needs a URL that begins with 'data:'.")
    head, comma, body = url[5:].partition(",")
    if not comma:
        raise BadSource("The data URL of an inline source has no ',' before its data.")
    media_type, *parameters = (part.strip().lower() for part in head.split(";"))
    data = urllib.parse.unquote_to_bytes(body)
    if "base64" not in parameters:
        return media_type, data
    data = data.translate(None, b" \t\r\n")
    try:
        return media_type, base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except binascii.Error as error:
        raise BadSource(f"The data URL of an inline source is not base64: {error}.") from error
