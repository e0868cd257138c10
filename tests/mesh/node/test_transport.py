import socket

import pytest
import trio
import trio.testing

from mesh.node.config import Address, ConfigError
from mesh.node.transport import PREAUTH_BYTES, GuardedStream, is_refusal, is_reset, open_listeners


async def test_taken_port_is_one_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"{port} cannot be used: the port is taken.*--bind"):
            await open_listeners(Address("127.0.0.1", port))


async def test_address_of_another_machine_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match="cannot be used"):
        await open_listeners(Address("192.0.2.1", 0))


async def test_free_port_is_one_for_all_families() -> None:
    listeners = await open_listeners(Address("", 0))
    try:
        assert len({listener.socket.getsockname()[1] for listener in listeners}) == 1
    finally:
        for listener in listeners:
            await listener.aclose()


def grouped(*errors: OSError) -> OSError:
    error = OSError("all attempts failed")
    error.__cause__ = ExceptionGroup("attempts", list(errors))
    return error


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (ConnectionRefusedError(), True),
        (grouped(ConnectionRefusedError(), ConnectionRefusedError()), True),
        (grouped(ConnectionRefusedError(), TimeoutError()), False),
        (OSError("no route"), False),
        (trio.TooSlowError(), False),
    ],
)
def test_refusals(error: BaseException, refused: bool) -> None:
    assert is_refusal(error) is refused
    assert not is_reset(error)


@pytest.mark.parametrize(
    ("error", "reset"),
    [
        (ConnectionResetError(), True),
        (grouped(ConnectionResetError()), True),
        (grouped(ConnectionResetError(), ConnectionRefusedError()), False),
        (trio.BrokenResourceError(), False),
    ],
)
def test_resets(error: BaseException, reset: bool) -> None:
    assert is_reset(error) is reset


async def test_stranger_is_cut_off_and_a_friend_is_not() -> None:
    here, there = trio.testing.memory_stream_pair()
    guarded = GuardedStream(here)
    await there.send_all(b"x" * PREAUTH_BYTES)
    assert len(await guarded.receive_some()) == PREAUTH_BYTES
    await there.send_all(b"x")
    with pytest.raises(trio.BrokenResourceError, match="before authentication"):
        await guarded.receive_some()
    guarded.trust()
    await there.send_all(b"x" * PREAUTH_BYTES)
    assert len(await guarded.receive_some()) == PREAUTH_BYTES
