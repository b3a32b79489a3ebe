"""The seam between the conversation and whatever answers it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from hermes.core.model import ModelRequest, Piece, Reply
from hermes.core.request import Profile


class Model(Protocol):
    """Something that answers chat completions.

    `window` in tokens; `profile` says how much fixed prompt it gets.
    """

    @property
    def name(self) -> str:
        """What the person calls it."""
        ...

    @property
    def window(self) -> int:
        """Tokens that prompt and answer share."""
        ...

    @property
    def profile(self) -> Profile:
        """How much fixed prompt it gets."""
        ...

    def stream(
        self, request: ModelRequest
    ) -> AbstractAsyncContextManager[AsyncIterator[Piece | Reply]]:
        """Answer: pieces as they are generated, then exactly one Reply; raises ModelError.

        Leaving the context early stops the generation.
        """
        ...

    async def count(self, request: ModelRequest) -> int:
        """Tokens of the rendered prompt, by the model's own tokenizer, else an estimate."""
        ...
