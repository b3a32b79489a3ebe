"""Puts the parts of the house together on an open store; called once, by `owner`."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from anyio.abc import TaskGroup

from hermes.config import Settings
from hermes.conversation.shards import Shards
from hermes.core.clock import Clock
from hermes.node.desk import Desk
from hermes.node.state import State
from hermes.sandbox.shell import Shell
from hermes.store.store import Store

_RESULT_SHARE = 6  # one result takes at most a sixth of the window
_RESULT_MOST = 8_000
_RESULT_LEAST = 600


@dataclass(frozen=True)
class Rooms:
    """What the owner runs."""

    desk: Desk
    shards: Shards
    state: State


async def furnish(
    settings: Settings,
    environ: Mapping[str, str],
    clock: Clock,
    store: Store,
    shell: Shell,
    models: AsyncExitStack,
    tasks: TaskGroup,
) -> Rooms:
    """Build every part and hand each what it needs."""
    raise NotImplementedError
