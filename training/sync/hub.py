"""The hub: serves a directory of rounds to workers over sockets, and knows them by their tokens.

A worker publishes under its own name only. No encryption: it listens on a unix socket or on
loopback, and machines further away come through a tunnel (ssh -L). Rounds survive its restart.
"""

import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

from hermes.core.accepting import accept_all
from hermes.errors import SyncError, SyncRefused, SyncUnreachable
from training.sync.directory import Directory
from training.sync.transport import STATE, check_worker
from training.sync.wire import (
    LONGEST_WAIT_S,
    NONCE,
    Answer,
    Request,
    proof,
    receive_body,
    receive_head,
    send_body,
    send_head,
)

Address = tuple[str, int] | Path
"""Host and port on loopback, or the path of a unix socket."""

_GONE = (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError)
_MOST_CONNECTIONS = 128
_PATIENCE_S = 60.0  # for a worker to send a request whole, and to take the answer


class Hub:
    """Serves while the context lasts; `tokens` are by worker."""

    def __init__(self, rounds: Directory, tokens: Mapping[str, str], address: Address) -> None:
        self._rounds, self._tokens, self.address = rounds, dict(tokens), address
        self._stack = AsyncExitStack()
        self._room = anyio.Semaphore(_MOST_CONNECTIONS)
        for name in self._tokens:
            check_worker(name)
        if not isinstance(address, Path) and not ipaddress.ip_address(address[0]).is_loopback:
            raise SyncRefused(
                f"{address[0]} is not loopback, and the hub does not encrypt",
                "let it listen on 127.0.0.1 and reach it through a tunnel, for instance ssh -L",
            )

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            listener = await stack.enter_async_context(await self._listen())
            tasks = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(tasks.cancel_scope.cancel)
            tasks.start_soon(accept_all, listener, self._serve, tasks)
            self._stack = stack.pop_all()
        return self

    async def _listen(self) -> anyio.abc.Listener[anyio.abc.SocketStream]:
        if isinstance(self.address, Path):
            return await anyio.create_unix_listener(self.address, mode=0o600)
        host, port = self.address
        listener = await anyio.create_tcp_listener(local_host=host, local_port=port)
        bound = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 - no Django
        self.address = (host, bound)
        return listener

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, trace)

    async def _serve(self, stream: anyio.abc.SocketStream) -> None:
        async with stream, self._room:
            with anyio.move_on_after(_PATIENCE_S + LONGEST_WAIT_S):
                try:
                    await self._exchange(stream)
                except _GONE:
                    return  # the worker went away; what it published is there

    async def _exchange(self, stream: anyio.abc.SocketStream) -> None:
        nonce = secrets.token_bytes(NONCE)
        await stream.send(nonce)
        reader = BufferedByteReceiveStream(stream)
        try:
            with anyio.fail_after(_PATIENCE_S):
                request = await receive_head(reader, Request)
                self._admit(request, nonce)
                await send_head(stream, Answer())
                data = await receive_body(reader, self._rounds.limit)
            answer, body = await self._answer(request, data)
        except TimeoutError:
            return
        except SyncError as error:
            answer = Answer(error.message, unreachable=isinstance(error, SyncUnreachable))
            await send_head(stream, answer)
        else:
            await send_head(stream, answer)
            await send_body(stream, body)

    def _admit(self, request: Request, nonce: bytes) -> None:
        token = self._tokens.get(request.worker, "")
        wanted = proof(token, request.worker, nonce)
        if not token or not hmac.compare_digest(wanted, request.proof):
            raise SyncRefused(f"{request.worker[:40]!r} is not known here, or its token is wrong")
        own = {f"here.{request.worker}", f"delta.{request.worker}", STATE}
        if request.action == "publish" and request.name not in own:
            raise SyncRefused(f"{request.worker} cannot publish as {request.name[:60]!r}")

    async def _answer(self, request: Request, data: bytes) -> tuple[Answer, bytes]:
        rounds, number = self._rounds, request.round
        match request.action:
            case "publish":
                return Answer(done=await rounds.publish(number, request.name, data)), b""
            case "fetch":
                return Answer(), await rounds.fetch(number, request.name, request.limit)
            case "look":
                wait_s = max(0.0, min(request.wait_s, LONGEST_WAIT_S))
                return Answer(look=await rounds.look(number, request.seen, wait_s)), b""
            case "settle":
                return Answer(workers=await rounds.settle(number, request.workers)), b""
            case "states":
                return Answer(states=await rounds.states()), b""
