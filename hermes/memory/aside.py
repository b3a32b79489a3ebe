"""Asking a model beside the conversations: what the background tasks of this room need of one.

Such a question never holds up a person: it waits until no turn runs and is dropped when one
begins, where both would share one machine's cores.
"""

from typing import Protocol


class Aside(Protocol):
    """A model for background work; made by `node`."""

    async def worth_it(self) -> bool:
        """Whether the owner's model writes well enough to be asked (Ember and scripts do not)."""
        ...

    async def ask(self, system: str, text: str, most_tokens: int) -> str | None:
        """Answer in at most so many tokens; None: no model, it failed, or a turn came first.

        Raises nothing but cancellation: background work goes on without a model.
        """
        ...
