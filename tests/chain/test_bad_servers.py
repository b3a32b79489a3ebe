"""Servers that are not there, say nothing, nonsense, too much or half of it: each in good time."""

import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.abc
import pytest

from hermes.chain.connect import open_backend
from hermes.chain.http import Limits
from hermes.errors import ChainError, ChainLied, ChainUnreachable

QUICK = Limits(answer_s=0.3, most=200_000, pauses_s=(0.01,))
SECRET = "hunter2"
URLS = {
    "core": "core+http://me:hunter2@127.0.0.1:{}",
    "esplora": "esplora+http://me:hunter2@127.0.0.1:{}/api",
    "electrum": "electrum+tcp://me:hunter2@127.0.0.1:{}",
    "electrum-ws": "electrum+ws://me:hunter2@127.0.0.1:{}",
}
Act = Callable[[anyio.abc.ByteStream], Awaitable[None]]


def says(*parts: bytes) -> Act:
    async def act(stream: anyio.abc.ByteStream) -> None:
        await stream.receive()
        for part in parts:
            await stream.send(part)

    return act


def http(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


async def silent(stream: anyio.abc.ByteStream) -> None:
    await stream.receive()
    await anyio.sleep_forever()


async def endless_body(stream: anyio.abc.ByteStream) -> None:
    await stream.receive()
    await stream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await stream.send(b"4000\r\n" + b"1" * 0x4000 + b"\r\n")


async def endless_line(stream: anyio.abc.ByteStream) -> None:
    await stream.receive()
    while True:
        await stream.send(b"1" * 0x4000)


async def dribble(stream: anyio.abc.ByteStream) -> None:
    await stream.receive()
    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        await stream.send(b"1")
        await anyio.sleep(0.05)


NESTED = b"[" * 100_000
JSON_LIES = {
    "no JSON": (says(http(b"{]")), ChainLied),
    "JSON of another form": (says(http(b'{"result": {"a": 1}, "id": 1}')), ChainLied),
    "deep JSON": (says(http(NESTED)), ChainLied),
    "not HTTP": (says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), ChainLied),
    "somewhere else": (says(http(b"", "302 Found", "Location: http://10.0.0.1/\r\n")), ChainLied),
    "endless": (endless_body, ChainLied),
    "a proxy's error": (says(http(b"<html>Bad gateway", "502 Bad Gateway")), ChainUnreachable),
    "silence": (silent, ChainUnreachable),
    "a slow trickle": (dribble, ChainUnreachable),
    "half a head": (says(b"HTTP/1.1 200 O"), ChainUnreachable),
    "half a body": (says(http(b"x" * 50)[:-20]), ChainUnreachable),
    "nothing": (says(), ChainUnreachable),
}
LINE_LIES = {
    "no JSON": (says(b"{]\n"), ChainLied),
    "not text": (says(b"\xff\xfe\x00\n"), ChainLied),
    "deep JSON": (says(NESTED + b"\n"), ChainLied),
    "endless": (endless_line, ChainLied),
    "silence": (silent, ChainUnreachable),
    "half a line": (says(b'{"id": 0, "resu'), ChainUnreachable),
    "an error": (says(b'{"id": 0, "error": {"message": "go away"}}\n'), ChainUnreachable),
    "nothing": (says(), ChainUnreachable),
}
WS_LIES = {
    "no WebSocket": (says(http(b"hello")), ChainUnreachable),
    "not HTTP": (says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), ChainLied),
    "silence": (silent, ChainUnreachable),
    "nothing": (says(), ChainUnreachable),
}
CASES = [
    pytest.param(URLS[kind], *case, id=f"{kind}: {name}")
    for kinds, lies in (
        (("core", "esplora"), JSON_LIES),
        (("electrum",), LINE_LIES),
        (("electrum-ws",), WS_LIES),
    )
    for kind in kinds
    for name, case in lies.items()
]


@asynccontextmanager
async def server(act: Act) -> AsyncGenerator[int]:
    door = socket.create_server(("127.0.0.1", 0))
    listener = await anyio.abc.SocketListener.from_socket(door)
    port = door.getsockname()[1]

    async def serve(stream: anyio.abc.ByteStream) -> None:
        async with stream:
            try:
                await act(stream)
            except (anyio.BrokenResourceError, anyio.EndOfStream):
                return

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield port
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(("url", "act", "leaf"), CASES)
async def test_a_bad_server_gives_its_error_in_good_time(url, act, leaf):
    async with server(act) as port:
        with anyio.fail_after(5), pytest.raises(ChainError) as caught:
            async with open_backend(url.format(port), "regtest", QUICK):
                pass
    assert isinstance(caught.value, leaf)
    assert SECRET not in f"{caught.value.message} {caught.value.remedy} {caught.value.__cause__!r}"


@pytest.mark.parametrize("kind", URLS)
async def test_a_server_that_is_not_there_is_said_to_be_so(kind):
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    with anyio.fail_after(5), pytest.raises(ChainUnreachable, match=f"127.0.0.1:{port}") as caught:
        async with open_backend(URLS[kind].format(port), "regtest", QUICK):
            pass
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("kind", ["core", "esplora", "electrum"])
async def test_a_server_that_dies_between_questions_can_come_back(kind):
    """Every connection is cut after one word; the pauses between tries are bounded."""
    seen = 0

    async def act(stream: anyio.abc.ByteStream) -> None:
        nonlocal seen
        seen += 1
        await stream.receive()

    patient = Limits(answer_s=1.0, pauses_s=(0.01, 0.01, 0.01))
    async with server(act) as port:
        with anyio.fail_after(5), pytest.raises(ChainUnreachable):
            async with open_backend(URLS[kind].format(port), "regtest", patient):
                pass
    assert seen == 4
