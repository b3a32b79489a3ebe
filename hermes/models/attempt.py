"""One try at an answer: reads its events up to the Reply.

Apart from the client so that nothing of a failed try is carried into the next.
"""

from collections.abc import AsyncGenerator

import anyio

from hermes.core.message import ToolCall
from hermes.core.model import ModelRequest, Piece, Reply
from hermes.errors import ModelTimedOut, ModelUnreachable
from hermes.models.chunks import Answer
from hermes.models.dialects import parse
from hermes.models.holdback import Holdback
from hermes.models.hygiene import Hygiene, Mender
from hermes.models.server import Timeouts
from hermes.models.sse import EventStream
from hermes.models.transport import Exchange

_AGAIN = "try again, or use another model"


class Attempt:
    """Reads one exchange. `begin` waits for the first token, `pieces` gives the answer."""

    def __init__(
        self, exchange: Exchange, request: ModelRequest, hygiene: Hygiene, timeouts: Timeouts
    ) -> None:
        self._exchange = exchange
        self._request = request
        self._hygiene = hygiene
        self._timeouts = timeouts
        self._began = anyio.current_time()
        self._events = EventStream()
        self._answer = Answer()
        self._holdback = Holdback({tool.name for tool in request.tools})
        self._mender = Mender(hygiene)
        self._shown: list[str] = []
        self._early: list[Piece] = []
        self._over = False

    async def begin(self) -> None:
        """Wait until something was generated or the answer is over; raises ModelError."""
        deadline = self._began + self._timeouts.first_token_s
        while not self._early and not self._answer.begun and not self._over:
            self._early += await self._more(deadline, "the model did not begin to answer")

    async def pieces(self) -> AsyncGenerator[Piece | Reply]:
        """Give out pieces as they come, then the Reply; raises ModelError."""
        pieces = self._early
        while True:
            for piece in pieces:
                for shown in self._holdback.feed(piece.text) if not piece.thought else [piece]:
                    if mended := self._mended(shown):
                        yield mended
            if self._over or self._answer.done:
                break
            deadline = anyio.current_time() + self._timeouts.between_tokens_s
            pieces = await self._more(deadline, "the model fell silent")
        for piece in self._holdback.flush():
            yield piece
        reply = self._reply()
        rest = reply.text.removeprefix("".join(self._shown))
        if rest and len(rest) + sum(map(len, self._shown)) == len(reply.text):
            yield Piece(rest)
        yield reply

    async def settle(self) -> None:
        """After a whole answer: leave the connection fit for the next."""
        if self._answer.done and not self._over:
            await self._exchange.drain()

    async def _more(self, deadline: float, late: str) -> list[Piece]:
        """Read until an event came; a server that only sends comments is waited for in vain."""
        while True:
            try:
                chunk = await self._exchange.read(deadline)
            except ModelTimedOut as error:
                raise ModelTimedOut(f"{late} in time", _AGAIN) from error
            self._over = not chunk
            events = self._events.feed(chunk) if chunk else self._events.finish()
            pieces = [piece for event in events for piece in self._answer.take(event)]
            if self._over and not self._answer.ended:
                raise ModelUnreachable("the server cut the answer off", _AGAIN)
            if events or self._over:
                return pieces

    def _mended(self, piece: Piece) -> Piece | None:
        if piece.thought:
            return piece
        text = self._mender.feed(piece.text)
        self._shown.append(text)
        return Piece(text) if text else None

    def _reply(self) -> Reply:
        answer, generated = self._answer, self._holdback.answer
        restore = self._hygiene.restore
        calls, text, malformed, raw = answer.calls, generated, "", ""
        if not calls:
            parsed = parse(generated, self._request.tools, cut=answer.finish == "length")
            calls, text, malformed = parsed.calls, parsed.text, parsed.malformed
            raw = generated if calls or malformed else ""
        finish = answer.finish
        return Reply(
            text=restore(text),
            calls=tuple(ToolCall(c.id, restore(c.name), restore(c.arguments)) for c in calls),
            raw=raw,
            malformed=malformed,
            finish="tool_calls" if calls and finish == "stop" else finish,
            usage=answer.usage,
        )
