"""Requests that wait for their answers, by number; apart from which wire carries them."""

import anyio

from hermes.core.event import Json
from hermes.errors import HermesError, OwnerGone
from hermes.gateway.wire import Wire


class RemoteError(HermesError):
    """What the owner answered instead of a result; `kind` is its error's class."""

    def __init__(self, message: str, remedy: str, kind: str) -> None:
        super().__init__(message, remedy)
        self.kind = kind


class NotRead(OwnerGone):
    """The owner went away and had not read the request: it can be asked again."""


class _Pending:
    """A request that waits for its answer."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.answer: dict[str, Json] | None = None
        self.unread = False


class Calls:
    """The requests of one client that have no answer yet."""

    def __init__(self) -> None:
        self._number = 0
        self._pending: dict[Json, _Pending] = {}
        self._bye = False

    async def ask(self, wire: Wire, method: str, params: dict[str, Json]) -> Json:
        """Ask and wait; raises RemoteError, NotRead, or OwnerGone: then nobody knows."""
        self._number += 1
        number, pending = self._number, _Pending()
        self._pending[number] = pending
        try:
            try:
                await wire.send(
                    {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
                )
            except OwnerGone as gone:  # half a line is no request
                raise NotRead(gone.message) from gone
            await pending.done.wait()
        finally:
            del self._pending[number]
        if pending.answer is None:
            if pending.unread:
                raise NotRead("the owner of the store went away")
            raise OwnerGone("the owner of the store went away", "try again")
        if error := pending.answer.get("error"):
            data = error.get("data") or {}
            raise RemoteError(error["message"], data.get("remedy", ""), data.get("kind", ""))
        return pending.answer.get("result")

    def take(self, message: dict[str, Json]) -> None:
        """Hand an answer to whoever asked; after a `bye` the rest was not read."""
        if message.get("method") == "bye":
            self._bye = True
        elif pending := self._pending.get(message.get("id")):
            pending.answer = message
            pending.done.set()

    def drop(self) -> None:
        """Nobody will answer any more."""
        for pending in self._pending.values():
            pending.unread = self._bye
            pending.done.set()
        self._bye = False
