"""Connections taken in while the listener ends."""

import socket

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import SocketAttribute

from hermes.core.accepting import accept_all


@pytest.fixture(params=["tcp", "unix"])
async def listener(request, tmp_path):
    if request.param == "unix":
        made = await anyio.create_unix_listener(tmp_path / "s")
    else:
        made = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with made:
        yield made


def knock(listener):
    """Connect, and have it over before anything else runs."""
    address = listener.extra(SocketAttribute.local_address)
    caller = socket.socket(listener.extra(SocketAttribute.family))
    caller.connect(address)
    return caller


async def ended_as_somebody_knocks(listener, serving):
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serving, tasks)
        await anyio.wait_all_tasks_blocked()
        caller = knock(listener)
        await anyio.lowlevel.checkpoint()  # the loop has seen it, and nobody has been told
        tasks.cancel_scope.cancel()
    caller.close()


async def test_ending_as_somebody_knocks_is_no_error(listener):
    served = []

    async def serve(stream):
        served.append(stream)
        await stream.aclose()

    await ended_as_somebody_knocks(listener, lambda tasks: accept_all(listener, serve, tasks))
    assert not served
    async with anyio.create_task_group() as tasks:  # who serves next finds who knocked, too
        tasks.start_soon(accept_all, listener, serve, tasks)
        with anyio.fail_after(5), knock(listener) as caller:
            caller.settimeout(0)
            await anyio.wait_readable(caller)
            assert caller.recv(1) == b""
        tasks.cancel_scope.cancel()
    assert len(served) == 2


async def test_each_is_served(listener):
    async def echo(stream):
        async with stream:
            await stream.send(await stream.receive())

    async def call():
        address = listener.extra(SocketAttribute.local_address)
        stream = (
            await anyio.connect_unix(address)
            if isinstance(address, str)
            else await anyio.connect_tcp(*address)
        )
        async with stream:
            await stream.send(b"hey")
            assert await stream.receive() == b"hey"
            heard.append(1)

    heard = []
    async with anyio.create_task_group() as serving:
        serving.start_soon(accept_all, listener, echo, serving)
        with anyio.fail_after(10):
            async with anyio.create_task_group() as calls:
                for _ in range(50):
                    calls.start_soon(call)
        serving.cancel_scope.cancel()
    assert len(heard) == 50
