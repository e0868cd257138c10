"""Local paths: shown by handle, links not followed, read-only unless allowed and asked."""

from __future__ import annotations

import os

import pytest

from scheduler.jobs import Source
from storage.allow import AllowedPath
from storage.errors import BadSource, InputMissing, NotAllowed
from storage.ports import FetchRequest
from storage.providers.local import LocalProvider


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    (home / "deep").mkdir(parents=True)
    (home / "deep" / "file").write_bytes(b"12345")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("not yours")
    return home


async def fetch(home, path, *, writable=False, **params):
    provider = LocalProvider([AllowedPath(str(home), writable)])
    return await provider.fetch(
        FetchRequest(Source("local", {"SourcePath": str(path), **params}), home.parent)
    )


async def test_a_folder_is_shown_not_copied(home):
    fetched = await fetch(home, home / "deep")
    assert fetched.path.is_dir()
    assert (fetched.path / "file").read_bytes() == b"12345"
    assert fetched.path.samefile(home / "deep")
    assert fetched.read_only
    fetched.close()
    assert not fetched.path.exists()


async def test_the_root_itself_and_a_trailing_slash(home):
    fetched = await fetch(home, f"{home}/")
    assert fetched.path.samefile(home)
    fetched.close()


async def test_what_was_checked_is_what_is_shown(home):
    fetched = await fetch(home, home / "deep")
    (home / "deep").rename(home / "moved")
    os.symlink(home.parent / "secret", home / "deep")
    assert os.listdir(fetched.path) == ["file"]
    fetched.close()


@pytest.mark.parametrize("name", ["link", "link/key", "deep/inner"])
async def test_links_are_not_followed(home, name):
    os.symlink(home.parent / "secret", home / "link")
    os.symlink("file", home / "deep" / "inner")
    with pytest.raises(NotAllowed, match="links below an allowed path are not followed"):
        await fetch(home, home / name)


async def test_the_root_may_be_a_link(home):
    os.symlink(home, home.parent / "alias")
    fetched = await fetch(home.parent / "alias", home.parent / "alias" / "deep" / "file")
    assert fetched.path.read_bytes() == b"12345"
    fetched.close()


@pytest.mark.parametrize("name", ["missing", "deep/missing", "missing/file"])
async def test_missing(home, name):
    with pytest.raises(InputMissing, match="does not exist on this node"):
        await fetch(home, home / name)


async def test_a_file_is_no_folder(home):
    with pytest.raises(NotAllowed):
        await fetch(home, home / "deep" / "file" / "x")


async def test_no_pipes(home):
    os.mkfifo(home / "pipe")
    with pytest.raises(NotAllowed, match="neither a file nor a folder"):
        await fetch(home, home / "pipe")


async def test_write_where_only_reading_is_allowed(home):
    with pytest.raises(NotAllowed, match=":rw"):
        await fetch(home, home / "deep", ReadWrite=True)


async def test_write_where_it_is_allowed(home):
    fetched = await fetch(home, home / "deep", writable=True, ReadWrite=True)
    assert not fetched.read_only
    fetched.close()
    fetched = await fetch(home, home / "deep", writable=True)
    assert fetched.read_only, "allowed, but not asked for"
    fetched.close()


@pytest.mark.parametrize(("create_as", "check"), [("dir", "is_dir"), ("file", "is_file")])
async def test_create(home, create_as, check):
    params = {"writable": True, "ReadWrite": True, "CreateAs": create_as}
    for _ in range(2):
        fetched = await fetch(home, home / "deep" / "new", **params)
        assert getattr(fetched.path, check)()
        fetched.close()
    assert getattr(home / "deep" / "new", check)()


async def test_create_needs_writing(home):
    with pytest.raises(InputMissing):
        await fetch(home, home / "new", writable=True, CreateAs="dir")


async def test_create_as_nonsense(home):
    with pytest.raises(BadSource, match="noCreate, dir or file"):
        await fetch(home, home, CreateAs="volcano")


async def test_no_handle_is_left_open(home):
    before = len(os.listdir("/proc/self/fd"))
    for name in ("deep", "deep/file", "missing", "deep/file/x"):
        try:
            fetched = await fetch(home, home / name)
        except (InputMissing, NotAllowed):
            continue
        fetched.close()
        fetched.close()
    assert len(os.listdir("/proc/self/fd")) == before
