"""What anybody may know of this instance is handed to the publisher: statements and anchors.

Checkpoints are published as they are signed (`hermes.node.checkpointing`). Who belongs to the fleet
is nobody else's business and is not published here.
"""

from collections.abc import Callable

import anyio

from hermes.errors import HermesError
from hermes.identity.publishing import Publisher
from hermes.store.store import Store

PUBLIC = ("hermes/genesis/1", "hermes/soul/1", "hermes/handoff/1", "hermes/accepted/1")
_LOOK_S = 60.0


class Publishing:
    """Publishes what the store holds, each once while the owner runs and again after a start."""

    def __init__(
        self, store: Store, publisher: Publisher, report: Callable[[str, BaseException], None]
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._report = report
        self._told: set[str] = set()

    async def run(self) -> None:
        """Look every minute, until cancelled."""
        while True:
            try:
                await self.look()
            except HermesError as error:
                self._report("publishing", error)
            await anyio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Publish what is new: blocks of statements, transactions that are in a block."""
        for kind in PUBLIC:
            for act in await self._store.acts.list(kind):
                await self._publish("attestation", act.cid, act.data)
        for anchor in await self._store.anchors.list():
            if anchor.mined:
                await self._publish("anchor", anchor.txid, anchor.mined.raw)

    async def _publish(self, kind: str, name: str, data: bytes) -> None:
        if name not in self._told:
            await self._publisher.publish(kind, name, data)
            self._told.add(name)
