"""The owner's model, asked beside the conversations (`memory.aside.Aside`).

It waits until no turn runs and is dropped the moment one begins: nobody waits for it, ever.
"""

from collections.abc import Awaitable, Callable

import anyio

from hermes.config import Settings
from hermes.conversation.bus import Bus
from hermes.core.ids import TurnId
from hermes.core.model import ChatMessage, ModelRequest, Reply
from hermes.core.request import TurnRequest
from hermes.errors import HermesError
from hermes.models.model import Model
from hermes.node.wish import SCRIPTED, wish_of

_LONGEST_S = 120.0
_NOBODYS = TurnRequest(turn_id=TurnId(""), text="", cwd="/", root="/")

OpenModel = Callable[[TurnRequest], Awaitable[Model]]
"""Opens the model that a request names; raises ModelError."""


class Sideline:
    """Asks the default model while nobody talks with it."""

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        open_model: OpenModel,
        report: Callable[[str, BaseException], None],
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._open = open_model
        self._report = report

    async def worth_it(self) -> bool:
        """Whether the default model writes well enough to be asked."""
        return await self._model() is not None

    async def ask(self, system: str, text: str, most_tokens: int) -> str | None:
        """Answer, or None: there is no such model, it failed, or a turn came first."""
        if (model := await self._model()) is None:
            return None
        request = ModelRequest(system, (ChatMessage("user", text),), max_tokens=most_tokens)
        answers: list[str] = []
        await self._bus.quiet()
        with anyio.move_on_after(_LONGEST_S):
            async with self._bus.giving_way():
                try:
                    async with model.stream(request) as pieces:
                        answers += [one.text async for one in pieces if isinstance(one, Reply)]
                except HermesError as error:
                    self._report("asking a model aside", error)
        return answers[0].strip() if answers else None

    async def _model(self) -> Model | None:
        who = self._settings.memory.summaries
        spec = wish_of(_NOBODYS, self._settings).spec
        if who == "never" or spec.startswith(SCRIPTED):
            return None
        try:
            model = await self._open(_NOBODYS)
        except HermesError as error:
            self._report("opening a model aside", error)
            return None
        return model if who == "always" or model.profile != "native" else None
