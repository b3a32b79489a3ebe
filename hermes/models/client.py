"""The one client: OpenAI-compatible chat completions, streamed, for every model server.

It retries what may mend itself, as long as nothing was shown yet, and holds calls back
while a server is unwell. It does not start engines and does not judge calls.
"""

import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
)
from typing import Self
from urllib.parse import urlsplit

import anyio

from hermes.core.model import ModelRequest, Piece, Reply
from hermes.core.request import Profile
from hermes.errors import (
    ModelFailed,
    ModelGarbled,
    ModelOverloaded,
    ModelTimedOut,
    ModelUnreachable,
)
from hermes.models.attempt import Attempt
from hermes.models.count import Counter
from hermes.models.hygiene import Hygiene
from hermes.models.server import Retry, Server, Timeouts
from hermes.models.transport import Transport
from hermes.models.wire import Wire
from hermes.telemetry.breaker import CircuitBreaker

__all__ = ["ChatClient", "Retry", "Server", "Timeouts"]

_MENDS = (ModelUnreachable, ModelOverloaded, ModelFailed)
_UNWELL = (*_MENDS, ModelTimedOut, ModelGarbled)
_NEAR = {"localhost", "127.0.0.1", "::1", "host.docker.internal"}
_COMPLETIONS = "/v1/chat/completions"


class ChatClient(AbstractAsyncContextManager["ChatClient"]):
    """One model on one server (`models.model.Model`); open it, it owns connections."""

    def __init__(
        self,
        server: Server,
        timeouts: Timeouts | None = None,
        retry: Retry | None = None,
        breaker: CircuitBreaker | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._server = server
        self._timeouts = timeouts or Timeouts()
        self._retry = retry or Retry()
        self._breaker = breaker or CircuitBreaker()
        self._chance = chance
        self._hygiene = Hygiene(server.tokens)
        self._wire = Wire(server, self._hygiene)
        self._transport = Transport(server, self._timeouts)
        self._counter = Counter(self._transport, self._wire)

    @property
    def name(self) -> str:
        """What the server calls the model."""
        return self._server.model

    @property
    def near(self) -> bool:
        """Whether the server runs on this machine and shares its cores."""
        return urlsplit(self._server.base_url).hostname in _NEAR

    @property
    def window(self) -> int:
        """Tokens that prompt and answer share."""
        return self._server.window

    @property
    def profile(self) -> Profile:
        """How much fixed prompt it gets."""
        return self._server.profile

    async def __aenter__(self) -> Self:
        """Open the pool; nothing is connected yet."""
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close every connection."""
        await self._transport.__aexit__(None, None, None)

    def stream(
        self, request: ModelRequest
    ) -> AbstractAsyncContextManager[AsyncIterator[Piece | Reply]]:
        """Answer: pieces, then exactly one Reply; raises ModelError.

        Entering waits for the first token. Leaving early closes the connection at once,
        which stops the generation.
        """
        return self._stream(request)

    async def count(self, request: ModelRequest) -> int:
        """Count the rendered prompt's tokens with the server's tokenizer, else estimate."""
        return await self._counter.count(request)

    @asynccontextmanager
    async def _stream(self, request: ModelRequest) -> AsyncGenerator[AsyncIterator[Piece | Reply]]:
        body = self._wire.body(request)
        with self._breaker.guard(_UNWELL):
            async with AsyncExitStack() as stack:
                attempt = await self._begin(stack, request, body)
                yield await stack.enter_async_context(aclosing(attempt.pieces()))
                await attempt.settle()

    async def _begin(self, stack: AsyncExitStack, request: ModelRequest, body: bytes) -> Attempt:
        """Try until the first token came; raises what the last try ended with."""
        tried = 0
        while True:
            tried += 1
            async with AsyncExitStack() as trial:
                try:
                    exchange = await trial.enter_async_context(
                        self._transport.exchange(
                            "POST", _COMPLETIONS, body, self._timeouts.first_token_s
                        )
                    )
                    attempt = Attempt(exchange, request, self._hygiene, self._timeouts)
                    await attempt.begin()
                except _MENDS as error:
                    asked = error.retry_after if isinstance(error, ModelOverloaded) else None
                    pause = self._retry.pause(tried, asked, self._chance())
                    if pause is None:
                        raise
                else:
                    stack.push_async_exit(trial.pop_all())
                    return attempt
            await anyio.sleep(pause)
