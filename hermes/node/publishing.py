"""What anybody may know of this instance is handed to the publisher: statements and anchors.

Checkpoints are published as they are signed (`hermes.node.checkpointing`). Who belongs to the fleet
is nobody else's business and is not published here.
"""

from collections.abc import Callable

import anyio

from hermes.errors import HermesError
from hermes.identity.publishing import Publisher
from hermes.store.anchors import ENDED, AnchorId
from hermes.store.store import Store

PUBLIC = ("hermes/genesis/1", "hermes/soul/1", "hermes/handoff/1", "hermes/accepted/1")
_LOOK_S = 10.0


class Publishing:
    """Publishes what the store holds, each once while the owner runs and again after a start."""

    def __init__(
        self, store: Store, publisher: Publisher, report: Callable[[str, BaseException], None]
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._report = report
        self._seen = self._looked = 0
        self._open: dict[AnchorId, str] | None = None
        """Anchors that may still change, and which transaction was published; None: look at all."""

    async def run(self) -> None:
        """Look every few seconds, until cancelled: it is two short questions."""
        while True:
            try:
                await self.look()
            except HermesError as error:
                self._report("publishing", error)
            await anyio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Publish what is new: blocks of statements, transactions that are in a block."""
        for act in await self._store.acts.since(self._seen, PUBLIC):
            await self._publisher.publish("attestation", act.cid, act.data)
            self._seen = act.seq
        anchors, open_before = self._store.anchors, self._open
        if open_before is None:
            found = await anchors.list()
        else:
            found = await anchors.unsettled(self._looked)
            gone = open_before.keys() - {one.id for one in found}
            found = (*found, *[await anchors.get(one) for one in gone])
        told = open_before or {}
        for one in found:
            if one.mined and told.get(one.id) != one.txid:
                await self._publisher.publish("anchor", one.txid, one.mined.raw)
        self._open = {one.id: one.txid for one in found if one.state not in ENDED}
        self._looked = max((one.at for one in found), default=self._looked)
