"""JSON-RPC to Bitcoin Core: calls and batches, its codes turned into our errors."""

import itertools
from collections.abc import Sequence
from typing import Any

import msgspec

from hermes.chain.http import Answer, HttpDoor
from hermes.chain.server import Server, said
from hermes.errors import ChainLied, ChainRefused, ChainUnreachable

_UNAUTHORISED = (401, 403)
_STARTING = -28
_BATCH = 500


class RpcFailed(Exception):
    """Core's answer to one call is an error."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = said(words)


class _Error(msgspec.Struct, frozen=True):
    code: int = 0
    message: str = ""


class _Reply(msgspec.Struct, frozen=True):
    id: int
    result: Any = None
    error: _Error | None = None


class CoreRpc:
    """Calls one node."""

    def __init__(self, server: Server, door: HttpDoor) -> None:
        self._server = server
        self._door = door
        self._numbers = itertools.count(1)

    async def call(self, method: str, *params: Any, wait_s: float = 0.0) -> Any:  # noqa: ANN401 - JSON
        """One call; raises RpcFailed for Core's own errors, and ChainError."""
        number = next(self._numbers)
        body = {"jsonrpc": "1.0", "id": number, "method": method, "params": params}
        answer = await self._door.ask("POST", "/", msgspec.json.encode(body), wait_s)
        reply = self._decode(answer, _Reply)
        if reply.id != number:
            raise ChainLied(f"{self._server.shown} answers another question")
        return self._result(reply)

    async def ask(self, method: str, *params: Any, wait_s: float = 0.0) -> Any:  # noqa: ANN401 - JSON
        """One call whose failing is the server's fault; raises ChainError."""
        try:
            return await self.call(method, *params, wait_s=wait_s)
        except RpcFailed as error:
            raise cannot(error, f"{method}", "see the server's log") from error

    async def batch(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """The same call with several parameters; results or RpcFailed, in order."""
        found: list[Any] = []
        for start in range(0, len(params), _BATCH):
            found += await self._batch(method, params[start : start + _BATCH])
        return found

    async def _batch(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        calls = {
            next(self._numbers): {"jsonrpc": "1.0", "method": method, "params": one}
            for one in params
        }
        body = [call | {"id": number} for number, call in calls.items()]
        answer = await self._door.ask("POST", "/", msgspec.json.encode(body))
        replies = {one.id: one for one in self._decode(answer, list[_Reply])}
        if replies.keys() != calls.keys():
            raise ChainLied(f"{self._server.shown} answers other questions")
        return [self._or_failed(replies[number]) for number in calls]

    def _decode(self, answer: Answer, kind: Any) -> Any:  # noqa: ANN401 - msgspec's types
        if answer.status in _UNAUTHORISED:
            raise ChainUnreachable(
                f"{self._server.shown} turns us away ({answer.status})",
                "check user and password in chain.backend",
            )
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            if not answer.good and not answer.body.startswith((b"{", b"[")):
                raise ChainUnreachable(
                    f"{self._server.shown} answers with status {answer.status}",
                    "look at the server's log",
                ) from error
            raise ChainLied(f"{self._server.shown} sends no JSON-RPC") from error

    def _or_failed(self, reply: _Reply) -> Any:  # noqa: ANN401 - JSON
        try:
            return self._result(reply)
        except RpcFailed as error:
            return error

    def _result(self, reply: _Reply) -> Any:  # noqa: ANN401 - JSON
        if reply.error is None:
            return reply.result
        if reply.error.code == _STARTING:
            raise ChainUnreachable(f"{self._server.shown} is starting", "try again soon")
        raise RpcFailed(reply.error.code, reply.error.message)


def refused(error: RpcFailed) -> ChainRefused:
    """What the server says of a transaction."""
    return ChainRefused(f"the server refused the transaction: {error.words}")


def cannot(error: RpcFailed, what: str, remedy: str) -> ChainUnreachable:
    """A question that the server cannot answer."""
    return ChainUnreachable(f"the server cannot tell {what}: {error.words}", remedy)
