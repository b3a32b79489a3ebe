"""Requests over kept connections, to a server that closes them when it likes."""

from contextlib import asynccontextmanager

import anyio
import anyio.abc
import pytest

from hermes.errors import ModelUnreachable
from hermes.models.server import Server, Timeouts
from hermes.models.transport import Transport

ANSWER = b"HTTP/1.1 200 OK\r\nkeep-alive: timeout=5\r\ncontent-length: 2\r\n\r\nok"


class Counting:
    """Answers so many requests on each connection, then closes it, promise or not."""

    def __init__(self, answers):
        self.answers = answers
        self.connections = 0
        self.first_reads = []

    async def serve(self, stream):
        """One connection."""
        self.connections += 1
        async with stream:
            for _ in range(self.answers):
                data = await stream.receive()
                self.first_reads.append(data)
                while not data.endswith(b'"body"'):
                    data += await stream.receive()
                await stream.send(ANSWER)
            if not self.answers:
                await stream.receive()


@asynccontextmanager
async def transport(answers):
    """A transport to a counting server."""
    server = Counting(answers)
    listeners = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listeners.extra(anyio.abc.SocketAttribute.local_port)
    async with listeners, anyio.create_task_group() as tg:
        tg.start_soon(listeners.serve, server.serve)
        address = f"http://127.0.0.1:{port}/v1"
        async with Transport(Server(model="m", base_url=address), Timeouts()) as opened:
            yield opened, server
            tg.cancel_scope.cancel()


async def test_a_connection_that_was_closed_after_an_answer_costs_nothing():
    async with transport(1) as (opened, server):
        for _ in range(20):
            assert await opened.fetch("POST", "/x", b'"body"', 5) == b"ok"
        assert server.connections == 20


async def test_head_and_body_arrive_together():
    async with transport(3) as (opened, server):
        for _ in range(3):
            assert await opened.fetch("POST", "/x", b'"body"', 5) == b"ok"
        assert server.connections == 1
        for sent in server.first_reads:
            assert sent.startswith(b"POST /x HTTP/1.1\r\n")
            assert sent.endswith(b'"body"')


async def test_a_large_body_arrives_whole():
    async with transport(1) as (opened, _):
        assert await opened.fetch("POST", "/x", b" " * 1_000_000 + b'"body"', 5) == b"ok"


async def test_a_new_connection_that_is_closed_at_once_is_told():
    async with transport(0) as (opened, server):
        with pytest.raises(ModelUnreachable):
            await opened.fetch("POST", "/x", b'"body"', 5)
        assert server.connections == 1
