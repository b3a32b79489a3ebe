"""The parts that make tampering visible and succession provable, put together; see `furnish`."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import anyio
from anyio.abc import TaskGroup

from hermes.chain.batch import AnchorBatcher
from hermes.config import Settings
from hermes.core.clock import Clock
from hermes.identity.publishing import FilePublisher, Publishers
from hermes.node.alarms import Alarms
from hermes.node.anchoring import Anchoring
from hermes.node.calendar import NodeCalendar
from hermes.node.checkpointing import Checkpointing
from hermes.node.desk import Query
from hermes.node.ledger import Ledger
from hermes.node.proving import Proving
from hermes.node.publishing import Publishing
from hermes.node.signing import Signing
from hermes.node.succession import Inheritance
from hermes.node.warrants import Warrants
from hermes.node.witnesses import Witnesses
from hermes.skin.places import soul_path
from hermes.store.store import Store


@dataclass(frozen=True)
class Continuity:
    """Identity, log and anchors of one store; `warrants.agent` is who signs for all of them."""

    warrants: Warrants
    checkpointing: Checkpointing
    anchoring: Anchoring
    publishing: Publishing
    publishers: Publishers
    queries: Mapping[str, Query]

    async def look(self) -> None:
        """What every owner does at its start: say what is known to be wrong."""
        await self.anchoring.recall()
        await self.checkpointing.look()

    async def watch(self) -> None:
        """What a lasting owner does all the time: sign the log, watch over anchors, publish."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.checkpointing.run)
            tasks.start_soon(self.anchoring.run)
            tasks.start_soon(self.publishing.run)


@asynccontextmanager
async def open_continuity(
    settings: Settings,
    store: Store,
    clock: Clock,
    alarms: Alarms,
    report: Callable[[str, BaseException], None],
    tasks: TaskGroup,
) -> AsyncGenerator[Continuity]:
    """Open them; a signer that was started ends with the context."""
    soul = partial(soul_path, settings.config_dir)
    async with Signing(settings, soul) as signing:
        warrants = Warrants(signing, store, clock, alarms, soul)
        publisher = Publishers(FilePublisher(settings.data_dir / "published"))
        checkpointing = Checkpointing(
            settings, store, warrants.agent, alarms, report=report, publisher=publisher
        )
        signed = (settings, store, clock, warrants.agent, checkpointing.sign)
        anchoring = Anchoring(*signed, alarms=alarms, report=report)
        batcher = AnchorBatcher(store.anchors, anchoring.wake)
        calendar = NodeCalendar(settings, store.stamps, batcher, clock, report)
        queries = {
            **Ledger(store, checkpointing).queries(),
            **Witnesses(store).queries(),
            **warrants.queries(),
            **anchoring.queries(),
            **Proving(settings, store).queries(),
            **Inheritance(*signed, wake=anchoring.wake).queries(),
            **calendar.queries(),
        }
        tasks.start_soon(calendar.run)
        publishing = Publishing(store, publisher, report)
        yield Continuity(warrants, checkpointing, anchoring, publishing, publisher, queries)
