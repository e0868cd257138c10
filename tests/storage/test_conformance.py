"""Every shipped provider passes the suite, and the suite sees one that does not."""

from __future__ import annotations

import base64

import pytest

from scheduler.ids import Digest, blob_digest
from scheduler.jobs import Source
from storage.allow import AllowedPath
from storage.conformance import CASES, Subject, brings_the_bytes, is_read_only_by_default
from storage.errors import Unavailable
from storage.ports import Fetched
from storage.providers.inline import InlineProvider
from storage.providers.local import LocalProvider
from storage.providers.memory import MemoryProvider
from storage.providers.mesh import MeshProvider

CONTENT = b"water temperature 84.5\n"


def memory(folder) -> Subject:
    return Subject(
        MemoryProvider({"good": CONTENT}),
        good=Source("memory", {"Key": "good"}),
        content=CONTENT,
        missing=Source("memory", {"Key": "other"}),
        nonsense=Source("memory"),
    )


def inline(folder) -> Subject:
    data = base64.b64encode(CONTENT).decode()
    return Subject(
        InlineProvider(),
        good=Source("inline", {"URL": f"data:text/plain;base64,{data}"}),
        content=CONTENT,
        missing=Source("inline"),
        nonsense=Source("inline", {"URL": "data:;base64,%%%"}),
    )


def local(folder) -> Subject:
    (folder / "good").write_bytes(CONTENT)
    return Subject(
        LocalProvider([AllowedPath(str(folder))]),
        good=Source("local", {"SourcePath": f"{folder}/good"}),
        content=CONTENT,
        missing=Source("local", {"SourcePath": f"{folder}/other"}),
        nonsense=Source("local", {"SourcePath": "../good"}),
    )


def mesh(folder) -> Subject:
    (folder / "good").write_bytes(CONTENT)

    async def fetch_blob(digest: Digest, holders: tuple[str, ...]):
        if digest == blob_digest(CONTENT):
            return folder / "good"
        raise Unavailable(f"No holder of {digest[:12]} answers.")

    return Subject(
        MeshProvider(fetch_blob),
        good=Source("mesh", {"Digest": blob_digest(CONTENT)}),
        content=CONTENT,
        missing=Source("mesh", {"Digest": "ab" * 32}),
        nonsense=Source("mesh", {"Digest": "../../etc/passwd"}),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("make", [memory, inline, local, mesh], ids=lambda make: make.__name__)
async def test_conforms(make, case, tmp_path):
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    await case(make(tmp_path / "home"), tmp_path / "work")


class Liar(MemoryProvider):
    async def fetch(self, request):
        fetched = await super().fetch(request)
        fetched.path.write_bytes(b"something else")
        return Fetched(fetched.path, read_only=False, size_bytes=0)


@pytest.mark.parametrize("case", [brings_the_bytes, is_read_only_by_default])
async def test_a_lying_provider_is_seen(case, tmp_path):
    subject = memory(tmp_path)
    liar = Subject(
        Liar({"good": CONTENT}), subject.good, CONTENT, subject.missing, subject.nonsense
    )
    with pytest.raises(AssertionError):
        await case(liar, tmp_path)
