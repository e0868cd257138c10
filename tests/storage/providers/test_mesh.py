"""By digest, from whoever holds it."""

from __future__ import annotations

import pytest

from scheduler.ids import blob_digest
from scheduler.jobs import Source
from storage.errors import BadSource, TooLarge
from storage.ports import FetchRequest
from storage.providers.mesh import MeshProvider

DIGEST = blob_digest(b"hello")


@pytest.fixture
def asked():
    return []


@pytest.fixture
def provider(tmp_path, asked):
    (tmp_path / "blob").write_bytes(b"hello")

    async def fetch_blob(digest, holders):
        asked.append((digest, holders))
        return tmp_path / "blob"

    return MeshProvider(fetch_blob)


async def test_holders_are_passed_on(provider, asked, tmp_path):
    source = Source("mesh", {"digest": DIGEST.upper()})
    fetched = await provider.fetch(FetchRequest(source, tmp_path, holders=("n-1", "n-2")))
    assert asked == [(DIGEST, ("n-1", "n-2"))]
    assert (fetched.size_bytes, fetched.read_only) == (5, True)


async def test_limit(provider, tmp_path):
    with pytest.raises(TooLarge):
        await provider.fetch(
            FetchRequest(Source("mesh", {"Digest": DIGEST}), tmp_path, limit_bytes=4)
        )


@pytest.mark.parametrize("params", [{}, {"Digest": ""}, {"Digest": "abc"}, {"Digest": 7}])
async def test_no_digest(provider, asked, tmp_path, params):
    with pytest.raises(BadSource):
        await provider.fetch(FetchRequest(Source("mesh", params), tmp_path))
    assert asked == []
