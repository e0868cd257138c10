from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mesh.edge.http.app import make_app
from tests.mesh.edge.fake_doors import FakeDoors
from tests.mesh.edge.member_doors import MemberDoors


@pytest.fixture
def doors(tmp_path: Path) -> FakeDoors:
    return FakeDoors(tmp_path)


@pytest.fixture
def member(tmp_path: Path) -> MemberDoors:
    """A real member behind the API."""
    return MemberDoors(tmp_path)


@pytest.fixture
async def real(member: MemberDoors) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the real member."""
    transport = httpx.ASGITransport(make_app(member))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1234") as client:
        yield client


@pytest.fixture
async def client(doors: FakeDoors) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(make_app(doors))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1234") as client:
        yield client


@pytest.fixture
async def socket_client(doors: FakeDoors) -> AsyncIterator[httpx.AsyncClient]:
    """As over the Unix socket, which has no address for the server to tell."""
    app = make_app(doors)

    async def over_socket(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "server": None}, receive, send)

    transport = httpx.ASGITransport(over_socket)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
