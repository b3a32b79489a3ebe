"""Changes of this runtime that its agent proposes: queued from any turn, tried one at a time.

What a trial needs is loaded when there is one. A proposal that waits outlives this owner.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from hermes.config import Settings
from hermes.conversation.bus import Bus
from hermes.conversation.shards import Shards
from hermes.core.clock import Clock
from hermes.core.event import Notice
from hermes.core.ids import ConversationId, TurnId
from hermes.core.request import TurnRequest
from hermes.core.tool import ToolContext
from hermes.errors import Halted, HermesError, ModelUnreachable, NotAvailable
from hermes.load import load
from hermes.models.model import Model
from hermes.node.shelf import Shelf
from hermes.node.wish import SCRIPTED, wish_of
from hermes.store.store import Store
from hermes.successor.propose import ProposePatchArguments

_NOBODYS = TurnRequest(turn_id=TurnId(""), text="", cwd="/", root="/")


class Proposing:
    """Takes proposals and tries them (`successor.propose.Proposals`)."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        clock: Clock,
        signer: Callable[[], Any],
        env: Mapping[str, str],
        beside: tuple[Shards, Shelf],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._with = (settings, store, clock, signer, env)
        self._woken, self._idle = anyio.Event(), anyio.Event()
        self._conversations: dict[str, ConversationId] = {}
        self._shards, self._shelf = beside
        self._trials: Any = None

    async def trials(self) -> Any:  # noqa: ANN401 - `node.trials.Trials`, which is loaded late
        """What trials are made with."""
        if self._trials is None:
            module = await anyio.to_thread.run_sync(load, "trials")
            self._trials = module.Trials(*self._with)
        return self._trials

    async def take(self, context: ToolContext, arguments: ProposePatchArguments) -> str:
        """Queue a trial; its id."""
        trials = await self.trials()
        await trials.stops.check("trial")
        patch = arguments.patch.encode(errors="surrogateescape")
        await anyio.to_thread.run_sync(load("trials").read_patch, patch)
        order = load("trials").Order(
            patch=patch,
            task=arguments.task,
            state=self._export(context.conversation),
            by="agent",
            goal=arguments.goal,
            effort=self._settings.successor.effort,
        )
        name: str = await anyio.to_thread.run_sync(trials.waiting.add, order)
        self._conversations[name] = context.conversation
        self._woken.set()
        return name

    async def run(self, bus: Bus, report: Callable[[str, BaseException], None]) -> None:
        """Try what waits, the oldest first, as long as this owner runs."""
        while True:
            self._woken = anyio.Event()
            for name in await anyio.to_thread.run_sync(_names, self._settings.data_dir):
                try:
                    said = await self._one(name, bus)
                except (Halted, NotAvailable) as error:
                    self._tell(bus, name, f"is put off: {error.message}")
                    break
                except HermesError as error:
                    said = f"cannot be tried: {error.message}"
                except Exception as error:  # noqa: BLE001 - the edge of a background task
                    report("a proposal", error)
                    said = "failed by an error of Hermes itself: see the log"
                self._tell(bus, name, said)
                trials = await self.trials()
                await anyio.to_thread.run_sync(trials.waiting.done, name)
            self._idle.set()
            await self._woken.wait()
            self._idle = anyio.Event()

    async def idle(self) -> None:
        """Return once nothing is tried and nothing new waits."""
        await self._idle.wait()

    async def _one(self, name: str, bus: Bus) -> str:
        trials = await self.trials()
        order = await anyio.to_thread.run_sync(trials.waiting.get, name)
        if order is None:
            return "cannot be read"
        async with trials.workshop(bus, self._model)() as workshop:
            judged = await load("trials").run_trial(workshop, order)
        if judged.verdict is None:
            return f"was tried before, as trial {judged.trial.id}: {judged.trial.word}"
        verdict = judged.verdict
        return f"is trial {judged.trial.id}: {verdict.word}; {'; '.join(verdict.reasons)[:500]}"

    async def _model(self) -> Model:
        """The default model, which no conversation of ours uses then; raises ModelError."""
        if wish_of(_NOBODYS, self._settings).spec.startswith(SCRIPTED):
            raise ModelUnreachable("a script is no model to ask")
        return await self._shelf.beside(_NOBODYS)

    def _export(self, conversation: ConversationId) -> bytes:
        loop = self._shards.find(conversation)
        return loop.session.export() if loop else b"{}"

    def _tell(self, bus: Bus, name: str, text: str) -> None:
        place = self._conversations.get(name)
        if place is None:
            return
        at, said = self._clock.now_ms(), f"proposal {name} {text}"
        bus.publish(Notice(conversation_id=place, turn_id=TurnId(""), at=at, text=said))


def _names(data_dir: Path) -> list[str]:
    """What waits; without loading anything."""
    with suppress(FileNotFoundError):
        folder = data_dir / "successor" / "waiting"
        return sorted(one.name for one in folder.iterdir() if not one.name.startswith("."))
    return []
