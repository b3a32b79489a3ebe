"""A GGUF as a model: the one client, over a socket of an engine that starts when needed."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from typing import Self

import anyio

from hermes.core.model import ModelRequest, Piece, Reply
from hermes.core.request import Profile
from hermes.errors import EngineDied, ModelUnreachable
from hermes.models.client import ChatClient, Retry
from hermes.models.engine import Engine, EngineServer
from hermes.models.server import Server


class EmbeddedModel(anyio.AsyncContextManagerMixin):
    """Answers through the owner's engine (`models.model.Model`)."""

    def __init__(self, engine: Engine, profile: Profile) -> None:
        self._engine = engine
        self._profile = profile
        self._client: ChatClient | None = None
        self._stack: AsyncExitStack

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        async with AsyncExitStack() as self._stack:
            yield self

    @property
    def name(self) -> str:
        """The file's own name."""
        return self._engine.info.name

    @property
    def window(self) -> int:
        """Tokens that prompt and answer share."""
        return self._engine.window

    @property
    def profile(self) -> Profile:
        """How much fixed prompt it gets."""
        return self._profile

    def stream(
        self, request: ModelRequest
    ) -> AbstractAsyncContextManager[AsyncIterator[Piece | Reply]]:
        """Answer; raises EngineDied with the reason when the engine ends in the middle."""
        return self._stream(request)

    async def count(self, request: ModelRequest) -> int:
        """Tokens of the rendered prompt, by the model's own tokenizer."""
        async with self._engine.use() as server:
            return await (await self._at(server)).count(request)

    @asynccontextmanager
    async def _stream(self, request: ModelRequest) -> AsyncGenerator[AsyncIterator[Piece | Reply]]:
        async with self._engine.use() as server, self._kept(request):
            client = await self._at(server)
            try:
                async with client.stream(request) as pieces:
                    yield pieces
            except ModelUnreachable as error:
                if reason := await self._engine.death(server):
                    raise EngineDied(
                        f"the engine died in the middle of an answer: {reason}",
                        "ask again: the next turn starts it anew",
                    ) from error
                raise

    def _kept(self, request: ModelRequest) -> AbstractAsyncContextManager[None]:
        keeping = self._engine.keeping
        return nullcontext() if keeping is None else keeping.around(request)

    async def _at(self, server: EngineServer) -> ChatClient:
        """The client; socket and key stay the same when the engine is started again."""
        if self._client is None:
            place = Server(
                model=self.name,
                uds=server.uds,
                api_key=server.key,
                window=server.window,
                profile=self._profile,
                embedded=True,
                tokens=self._engine.info.control_tokens,
            )
            # No second try: an engine that died is started anew by the next turn.
            client = ChatClient(place, retry=Retry(times=0))
            self._client = await self._stack.enter_async_context(client)
        return self._client
