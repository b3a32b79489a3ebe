"""A worker's side of the hub: each request is a connection of its own.

So a hub that restarts or a line that breaks costs another try and no state. It trusts the hub
with the order of rounds, not with the contents: contributions are judged by the worker.
"""

from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

from hermes.errors import SyncRefused, SyncUnreachable
from training.sync.hub import Address
from training.sync.transport import Look
from training.sync.wire import (
    LONGEST_WAIT_S,
    NONCE,
    Action,
    Answer,
    Request,
    proof,
    raised,
    receive_body,
    receive_head,
    send_body,
    send_head,
)

_AGAIN_S = 0.2
_BROKEN = (OSError, anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError)


@dataclass(frozen=True)
class Asked:
    """A request without who asks; `body` goes with publish, `limit` bounds what comes back."""

    action: Action
    round: int = 0
    name: str = ""
    limit: int = 0
    workers: tuple[str, ...] = ()
    seen: Look | None = None
    wait_s: float = 0
    body: bytes = b""


class Sockets:
    """A `Transport` to a hub; after `patience_s` without an answer it is SyncUnreachable."""

    def __init__(
        self, address: Address, worker: str, token: str, *, patience_s: float = 60.0
    ) -> None:
        self._address, self._worker, self._token = address, worker, token
        self._patience_s = patience_s

    async def publish(self, round_number: int, name: str, data: bytes) -> bool:
        """Put bytes under a name, once."""
        answer, _ = await self._ask(Asked("publish", round_number, name, body=data))
        return answer.done

    async def fetch(self, round_number: int, name: str, limit: int) -> bytes:
        """The bytes under a name."""
        return (await self._ask(Asked("fetch", round_number, name, limit)))[1]

    async def look(self, round_number: int, seen: Look | None = None, wait_s: float = 0) -> Look:
        """The round as it stands, or once it differs from `seen`."""
        until = anyio.current_time() + wait_s
        while True:
            left = max(0.0, min(until - anyio.current_time(), LONGEST_WAIT_S))
            answer, _ = await self._ask(Asked("look", round_number, seen=seen, wait_s=left))
            if answer.look is None:
                raise SyncRefused("the hub's answer is none to what was asked")
            if answer.look != seen or anyio.current_time() >= until:
                return answer.look

    async def settle(self, round_number: int, workers: tuple[str, ...]) -> tuple[str, ...]:
        """Decide who counts, or learn who does."""
        return (await self._ask(Asked("settle", round_number, workers=workers)))[0].workers

    async def states(self) -> tuple[int, ...]:
        """The rounds whose states are held."""
        return (await self._ask(Asked("states")))[0].states

    async def _ask(self, asked: Asked) -> tuple[Answer, bytes]:
        until = anyio.current_time() + self._patience_s
        while True:
            try:
                with anyio.fail_after(self._patience_s + asked.wait_s):
                    return await self._once(asked)
            except (*_BROKEN, TimeoutError) as error:
                if anyio.current_time() >= until:
                    raise SyncUnreachable(
                        f"the hub at {self._address} does not answer: {error!r}",
                        "start it, or check address, token and tunnel",
                    ) from error
                await anyio.sleep(_AGAIN_S)

    async def _once(self, asked: Asked) -> tuple[Answer, bytes]:
        async with await self._connect() as stream:
            reader = BufferedByteReceiveStream(stream)
            mark = proof(self._token, self._worker, await reader.receive_exactly(NONCE))
            request = Request(
                self._worker,
                mark,
                asked.action,
                asked.round,
                asked.name,
                asked.limit,
                asked.workers,
                asked.seen,
                asked.wait_s,
            )
            await send_head(stream, request)
            raised(await receive_head(reader, Answer))
            await send_body(stream, asked.body)
            answer = await receive_head(reader, Answer)
            raised(answer)
            return answer, await receive_body(reader, asked.limit)

    async def _connect(self) -> anyio.abc.SocketStream:
        if isinstance(self._address, Path):
            return await anyio.connect_unix(self._address)
        return await anyio.connect_tcp(*self._address)
