"""Handoffs, recovery and the walk of trust as the owner serves them.

Light: what knows Bitcoin is loaded by the first question. Nothing is dialled but the server that
the settings name; between two instances only files go.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import anyio.to_thread

from hermes.config import Settings
from hermes.core.clock import Clock
from hermes.core.event import Json
from hermes.errors import Refused, Usage
from hermes.load import load
from hermes.node.desk import Query
from hermes.store.store import Store


class Inheritance:
    """This node's part in its line.

    Args:
        settings: which chain, which server, which caps.
        store: anchors, acts, the log.
        clock: the time.
        agent: the signer; raises IdentityMissing, IdentityLocked or SignerGone.
        checkpoint: signs the log as it is now and gives the note.
        wake: lets the watch over anchors look at a new one.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        clock: Clock,
        agent: Callable[[], Awaitable[Any]],
        checkpoint: Callable[[], Awaitable[str]],
        *,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._agent = agent
        self._checkpoint = checkpoint
        self._wake = wake
        self._line: Any = None  # hermes.chain.succession.Succession, loaded late

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {
            "anchor.handoff.stake": self.stake,
            "anchor.handoff.offer": self.offer,
            "anchor.handoff.accept": self.accept,
            "anchor.handoff.finish": self.finish,
            "anchor.recover": self.recover,
            "anchor.recover.finish": self.recovered,
            "trust.show": self.show,
            "trust.export": self.export,
        }

    async def stake(self, to: str, rate: float = 0.0, fingerprint: str = "") -> Json:
        """Anchor the log and pay the successor (its genesis record, base64) its stake."""
        line = await self._load()
        told = await line.stake(_bytes(to), rate, fingerprint)
        self._wake()
        return told

    async def offer(
        self, to: str, verdict: str = "", rate: float = 0.0, fingerprint: str = ""
    ) -> Json:
        """Name a successor (its genesis record, base64) and sign; gives the file (base64)."""
        line = await self._load()
        made = await line.offer(_bytes(to), verdict, rate, fingerprint)
        return {"file": b64encode(made).decode()}

    async def accept(self, file: str, fingerprint: str = "") -> Json:
        """Check an offer (base64), sign it too; gives the answer's file (base64)."""
        line = await self._load()
        return {"file": b64encode(await line.accept(_bytes(file), fingerprint)).decode()}

    async def finish(self, file: str) -> Json:
        """Check an answer (base64) and send the transaction."""
        line = await self._load()
        told = await line.finish(_bytes(file))
        self._wake()
        return told

    async def recover(self, record: str, rate: float = 0.0, fingerprint: str = "") -> Json:
        """What the recovery key has to sign, from a predecessor's lineage (base64)."""
        rescue = await self._rescue()
        draft = await rescue.draft(_bytes(record), rate, fingerprint)
        chain = self._settings.chain
        return draft | {"fee_most": chain.fee_most, "fee_rate_most": chain.fee_rate_most}

    async def recovered(self, record: str, psbt: str) -> Json:
        """Check what the recovery key signed, and send it."""
        rescue = await self._rescue()
        told = await rescue.finish(_bytes(record), psbt)
        self._wake()
        return told

    async def show(self) -> Json:
        """The walk from genesis to now, as this node knows it, and the versions that ran here."""
        line = await self._load()
        heavy = await anyio.to_thread.run_sync(load, "pedigree")
        walk = await heavy.show(line, await self._store.anchors.list(), self._clock.now_ms())
        versions = await anyio.to_thread.run_sync(load, "generations")
        return {**walk, "versions": await versions.told(self._store, line.genesis)}

    async def export(self) -> Json:
        """The lineage's file (base64), up to the newest move that lies in a block."""
        line = await self._load()
        heavy = await anyio.to_thread.run_sync(load, "pedigree")
        data, walk = await heavy.export(line)
        told = {"links": walk.links, "instances": len(walk.instances), "bytes": len(data)}
        return told | {"file": b64encode(data).decode()}

    async def _rescue(self) -> Any:  # noqa: ANN401 - loaded late
        line = await self._load()
        return (await anyio.to_thread.run_sync(load, "rescue")).Rescue(line)

    async def _load(self) -> Any:  # noqa: ANN401
        """This identity's line; raises IdentityMissing."""
        if self._line is None:
            heavy = await anyio.to_thread.run_sync(load, "succession")
            make = partial(
                heavy.Succession,
                self._settings,
                self._store,
                self._clock,
                self._agent,
                self._checkpoint,
            )
            line = await anyio.to_thread.run_sync(make)
            if line.genesis.network != self._settings.chain.network:
                raise Refused("the identity lives on another network than the settings say")
            self._line = line
        return self._line


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except binascii.Error as error:
        raise Usage("the file did not come through whole") from error
