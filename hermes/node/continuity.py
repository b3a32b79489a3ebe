"""The parts that make tampering visible and succession provable, put together; see `furnish`."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from hermes.config import Settings
from hermes.core.clock import Clock
from hermes.node.alarms import Alarms
from hermes.node.checkpointing import Checkpointing
from hermes.node.desk import Query
from hermes.node.ledger import Ledger
from hermes.node.proving import Proving
from hermes.node.signing import Signing
from hermes.node.warrants import Warrants
from hermes.skin.places import soul_path
from hermes.store.store import Store


@dataclass(frozen=True)
class Continuity:
    """Identity and log of one store; `warrants.agent` is who signs for all of them."""

    warrants: Warrants
    checkpointing: Checkpointing
    queries: Mapping[str, Query]


@asynccontextmanager
async def open_continuity(
    settings: Settings,
    store: Store,
    clock: Clock,
    alarms: Alarms,
    report: Callable[[str, BaseException], None],
) -> AsyncGenerator[Continuity]:
    """Open them; a signer that was started ends with the context."""
    soul = partial(soul_path, settings.config_dir)
    async with Signing(settings, soul) as signing:
        warrants = Warrants(signing, store, clock, alarms, soul)
        checkpointing = Checkpointing(settings, store, warrants.agent, alarms, report)
        queries = {
            **Ledger(store, checkpointing).queries(),
            **warrants.queries(),
            **Proving(settings, store).queries(),
        }
        yield Continuity(warrants, checkpointing, queries)
