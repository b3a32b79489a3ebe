"""Anchors as the owner serves them: `anchor now`, its status, and the task that watches over them.

Light: what knows Bitcoin is loaded by the first anchor. Nothing is dialled unless the settings
name a server, and then only while an anchor is not final, or one is asked for or due.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, get_args

import anyio
import anyio.to_thread

from hermes.config import Settings
from hermes.core.anchor import GONE, AnchorKind, Payload, commitment
from hermes.core.checkpoint import checkpoint_in
from hermes.core.clock import Clock
from hermes.core.event import Json
from hermes.errors import CoinGone, HermesError, NotAvailable, Usage, WrongNetwork
from hermes.load import load
from hermes.node.alarms import Alarms
from hermes.node.anchor_facts import facts_of, rank, row
from hermes.node.anchor_guard import check_allowed
from hermes.node.desk import Query
from hermes.store.anchors import Anchor, AnchorState
from hermes.store.store import Store

_ABOUT = "anchor"
_LOOK_S = 60.0
_LONGEST_WAIT_S = 30.0
_HOUR_MS = 3_600_000


class Anchoring:
    """The anchors of this node's identity.

    Args:
        settings: which chain, which server, which caps.
        store: where anchors are kept, and the log that they are of.
        clock: the time.
        agent: the signer; raises IdentityMissing, IdentityLocked or SignerGone.
        checkpoint: signs the log as it is now and gives the note.
        alarms: where a person sees that the coin is gone.
        report: where a background fault is written down.
    """

    def __init__(  # noqa: PLR0913 - a part of the house is handed what it needs
        self,
        settings: Settings,
        store: Store,
        clock: Clock,
        agent: Callable[[], Awaitable[Any]],
        checkpoint: Callable[[], Awaitable[str]],
        *,
        alarms: Alarms,
        report: Callable[[str, BaseException], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._agent = agent
        self._checkpoint = checkpoint
        self._alarms = alarms
        self._report = report
        self._keeper: Any = None  # hermes.chain.keeper.Keeper, loaded late
        self._fingerprint = ""
        self._woken = anyio.Event()
        self.looked = anyio.Event()
        """Set after each look of the task, and then another one."""

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {
            "anchor.now": self.now,
            "anchor.status": self.status,
            "anchor.wait": self.wait,
            "anchor.resume": self.resume,
        }

    def wake(self) -> None:
        """There is a new draft: let the task look."""
        self._woken.set()

    async def now(self, *, rate: float = 0.0, fingerprint: str = "", regtest: bool = False) -> Json:
        """Anchor the log as it is: the first time with the genesis record before it.

        An anchor that is under way, or that says the same already, is gone on with. Raises
        NotAvailable, Refused, ChainError, IdentityError; where nothing was signed, nothing stays.
        """
        self._fingerprint = fingerprint or self._fingerprint
        check_allowed(self._settings, self._fingerprint, regtest=regtest)
        keeper = await self._load()
        async with keeper.connect() as backend:
            await keeper.adopt(backend)
            if await self._store.anchors.open():  # what is thought to be under way may be mined
                await self._tick(keeper, backend, rate)
            await keeper.refuse_handed_over()
            wanted, fresh = await self._order(keeper)
            try:
                await self._tick(keeper, backend, rate)
            except HermesError:
                for anchor in fresh:  # nothing was signed for those: they were only wishes
                    await self._store.anchors.drop(anchor)
                raise
        self.wake()
        return await self._row(wanted.id)

    async def status(self) -> Json:
        """Every anchor, the address to pay to, what may be spent, the alarm; dials nobody."""
        keeper = await self._load()
        facts = await facts_of(self._settings.chain, self._store, self._clock)
        rows = [await self._row(one.id) for one in await self._store.anchors.list()]
        return {**keeper.facts(), **facts, "anchors": rows}

    async def wait(self, id: str, state: AnchorState, seconds: float = 10.0) -> Json:  # noqa: A002 - the public query's word
        """Watch until an anchor is that far, at most so many seconds; then how it stands."""
        if state not in get_args(AnchorState):
            raise Usage(f"{state!r} is no state of an anchor")
        keeper = await self._load()
        with anyio.move_on_after(min(seconds, _LONGEST_WAIT_S)):
            async with keeper.connect() as backend:
                while True:
                    tip = await self._tick(keeper, backend)
                    if rank((await self._store.anchors.get(id)).state) >= rank(state):
                        break
                    await backend.next_tip(tip, _LOOK_S)
        return await self._row(id)

    async def resume(self) -> Json:
        """Look whether the coin is still spent by somebody else, and let the alarm go if not."""
        keeper = await self._load()
        async with keeper.connect() as backend:
            await keeper.resume(backend)
        self._alarms.set(_ABOUT, "")
        return {"halted": None}

    async def recall(self) -> None:
        """Raise the alarm again that an earlier owner raised; dials nobody."""
        if (halt := await self._store.anchors.halted()) is not None:
            self._alarms.set(_ABOUT, f"{halt.says}; {GONE}")

    async def run(self) -> None:
        """Watch over anchors and make the periodic ones, until cancelled."""
        await self.recall()  # nothing may be open any more
        if not self._settings.chain.backend:
            return
        while True:
            self._woken = anyio.Event()
            try:
                await self._look()
            except HermesError as error:
                self._report("anchoring", error)
            self._tell_looked()
            with anyio.move_on_after(_LOOK_S):
                await self._woken.wait()

    async def _look(self) -> None:
        """Go on with what is open, block by block, and return once nothing is."""
        if not await self._due() and not await self._store.anchors.open():
            return
        keeper = await self._load()
        due = await self._due() and not await keeper.handed_over()
        if not due and not await self._store.anchors.open():
            return
        async with keeper.connect() as backend:
            if due:
                await keeper.adopt(backend)
                await self._order(keeper)
            while await self._store.anchors.open():
                tip = await self._tick(keeper, backend)
                self._tell_looked()
                await self._next(backend, tip)
                if await self._due() and not await keeper.handed_over():
                    await self._order(keeper)

    def _tell_looked(self) -> None:
        told, self.looked = self.looked, anyio.Event()
        told.set()

    async def _next(self, backend: Any, tip: Any) -> None:  # noqa: ANN401 - loaded late
        """Until the next block, or until there is a new draft."""

        async def or_woken() -> None:
            await self._woken.wait()
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(or_woken)
            await backend.next_tip(tip, _LOOK_S)
            group.cancel_scope.cancel()
        self._woken = anyio.Event()

    async def _due(self) -> bool:
        """Whether a periodic anchor is: on the main network only once a person has typed."""
        hours = self._settings.chain.every_hours
        if hours <= 0 or (self._settings.chain.network == "main" and not self._fingerprint):
            return False
        last = await self._store.anchors.newest()
        # A clock that was set back must not hold anchors up.
        since = self._clock.now_ms() - last.at if last else hours * _HOUR_MS
        return since < 0 or since >= hours * _HOUR_MS

    async def _order(self, keeper: Any) -> tuple[Anchor, tuple[Anchor, ...]]:  # noqa: ANN401
        """The anchor of the log as it is now, and what was newly put down for it."""
        note = await self._checkpoint()
        if not note:
            raise NotAvailable("the log is empty: there is nothing to anchor", "talk first: hermes")
        checkpoint = checkpoint_in(note)
        payload = Payload(AnchorKind.CHECKPOINT, commitment(checkpoint)).encode()
        anchors = self._store.anchors
        if same := await anchors.with_payload(payload):
            return same[-1], ()
        for one in await anchors.open():
            if one.kind != AnchorKind.CHECKPOINT or rank(one.state) >= rank("mined"):
                continue
            if not one.attempts:  # nothing is signed yet: it may as well say the newest
                await anchors.rewrite(one, payload, note)
            return one, ()
        fresh = []
        if await anchors.newest() is None:
            first = keeper.genesis_payload()
            fresh.append(await anchors.add(int(AnchorKind.GENESIS), first))
        wanted = await anchors.add(int(AnchorKind.CHECKPOINT), payload, note)
        return wanted, (*fresh, wanted)

    async def _row(self, anchor: str) -> dict[str, Json]:
        return await row(self._store, await self._store.anchors.get(anchor))

    async def _load(self) -> Any:  # noqa: ANN401
        """The keeper of this identity's coin; raises IdentityMissing."""
        if self._keeper is None:
            heavy = await anyio.to_thread.run_sync(load, "anchors")
            folder = self._settings.data_dir / "identity"
            genesis = await anyio.to_thread.run_sync(heavy.load_genesis, folder)
            chain = self._settings.chain
            if genesis.network != chain.network:
                raise WrongNetwork(
                    f"the identity is of {genesis.network}, the settings say {chain.network}",
                    "set chain.network",
                )
            self._keeper = heavy.Keeper(
                chain, self._store.anchors, self._store.acts, self._clock, genesis, self._agent
            )
        return self._keeper

    async def _tick(self, keeper: Any, backend: Any, rate: float = 0.0) -> Any:  # noqa: ANN401
        """Look; the alarm is raised or let go by what was seen."""
        said = keeper.asked(rate, self._fingerprint)
        try:
            tip = await keeper.tick(backend, said)
            if any(one.state == "sent" for one in await self._store.anchors.open()):
                tip = await keeper.tick(backend, said)  # what was sent just now is seen
        except CoinGone as error:
            self._alarms.set(_ABOUT, f"{error.message}; {error.remedy}")
            raise
        self._alarms.set(_ABOUT, "")
        return tip
