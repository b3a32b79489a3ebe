import anyio
import pytest
from anyio.abc import SocketAttribute

from hermes.errors import RelayRefused
from hermes.mesh.relay_call import call

UPGRADED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %s\r\nDate: Sat, 21 Nov 2026 08:00:00 GMT\r\n\r\n"
)


async def test_a_relay_answers(relay):
    assert await call(relay) == (True, "")


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b"HTTP/1.1 404 Not Found\r\nDate: today\r\nContent-Length: 0\r\n\r\n", (False, "today")),
        (b"garbage\r\n\r\n", (False, "")),
        (b"", (False, "")),
        (UPGRADED % b"wrong", (False, "")),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000, (False, "")),
    ],
)
async def test_what_is_no_relay_is_told_apart(answer, found):
    async def serve(stream):
        async with stream:
            await stream.receive()
            await stream.send(answer or b"\r")

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        port = listener.extra(SocketAttribute.local_port)
        with anyio.fail_after(5):
            assert await call(f"ws://127.0.0.1:{port}") == found
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("url", ["", "http://a", "ws://", "ws://[", "ws://a:99999999"])
async def test_what_is_no_address_is_refused(url):
    with pytest.raises(RelayRefused):
        await call(url)
