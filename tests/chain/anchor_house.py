"""An identity with its real signer (in this process), a store with its log, and a regtest chain."""

import hashlib
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from hermes.chain.keeper import Keeper
from hermes.chain.transaction import outpoint_text
from hermes.config import Chain, Settings
from hermes.core.canonical import encode
from hermes.core.clock import SystemClock
from hermes.identity.founding import Lock, establish
from hermes.identity.genesis import found, load_genesis
from hermes.identity.keys import Keys
from hermes.identity.publishing import FilePublisher
from hermes.identity.signer_service import Signer
from hermes.identity.signer_wire import Caps, SignerOptions
from hermes.identity.vault import Argon2Cost
from hermes.node.alarms import Alarms
from hermes.node.anchoring import Anchoring
from hermes.node.checkpointing import Checkpointing
from hermes.store.store import Store
from hermes.testing.regtest import Regtest

WORD = "correct horse"
SOUL = b"# Soul\n"
STRANGER = b"\x00\x14" + bytes(range(20))


class Clock:
    """The machine's clock, moved by as many milliseconds as a test says."""

    def __init__(self) -> None:
        self.skew = 0

    def now_ms(self) -> int:
        return SystemClock().now_ms() + self.skew


class House:
    """Everything around the anchors of one identity."""

    def __init__(self, base: Path, chain: Regtest, store: Store, clock: Clock, caps: Chain) -> None:
        self.base, self.chain, self.store, self.clock = base, chain, store, clock
        self.settings = Settings(
            data_dir=base / "data", config_dir=base, runtime_dir=base / "run", chain=caps
        )
        self.told: list[str] = []
        self.faults: list[BaseException] = []
        self.alarms = Alarms(self.told.append)

    async def establish(self, secret: bytes, recovery: tuple[str, int]) -> None:
        soul = self.base / "SOUL.md"
        soul.write_bytes(SOUL)
        self.keys = Keys.from_secret(secret, "regtest")
        self.genesis = found(self.keys, hashlib.sha256(SOUL).hexdigest(), 1_000, recovery=recovery)
        lock = Lock(WORD, cost=Argon2Cost(memory=8 * 1024, passes=1, lanes=1))
        folder = self.base / "data" / "identity"
        if await anyio.Path(folder).exists():
            self.genesis = await anyio.to_thread.run_sync(load_genesis, folder)
        else:
            await establish(self.base / "data", secret, self.genesis, lock)
        names = ("network", "fee_most", "fee_rate_most", "month_most")
        caps = Caps(**{name: getattr(self.settings.chain, name) for name in names})
        options = SignerOptions(str(folder), str(self.base / "s"), str(soul), caps)
        self.signer = Signer(options, self.clock)
        await self.signer.unlock(WORD)
        self.checkpointing = Checkpointing(
            self.settings, self.store, self.agent, self.alarms,
            report=self.report, publisher=FilePublisher(self.settings.data_dir / "published"),
        )  # fmt: skip
        self.keeper = self.new_keeper()
        await self.say("begun")

    async def agent(self) -> Signer:
        return self.signer

    def report(self, where: str, error: BaseException) -> None:
        self.faults.append(error)

    def new_keeper(self, **caps) -> Keeper:
        """A keeper as a restarted process would have it, maybe under other caps."""
        chain = msgspec.structs.replace(self.settings.chain, **caps)
        store = self.store
        return Keeper(chain, store.anchors, store.acts, self.clock, self.genesis, self.agent)

    def anchoring(self, **settings) -> Anchoring:
        chosen = msgspec.structs.replace(self.settings, **settings)
        return Anchoring(
            chosen,
            self.store,
            self.clock,
            self.agent,
            self.checkpointing.sign,
            alarms=self.alarms,
            report=self.report,
        )

    async def say(self, text: str) -> None:
        """One more leaf in the log."""
        await self.store.acts.add("hermes/test/1", text, encode({"t": "hermes/test/1", "x": text}))

    async def fund(self, sat: int = 100_000) -> str:
        point = await self.chain.fund(self.keeper.scripts.deposit, sat)
        return outpoint_text(point)

    async def first(self, sat: int = 100_000) -> Anchoring:
        """A funded identity whose genesis stands in a block, and whose checkpoint is sent."""
        await self.fund(sat)
        await self.say("one")
        anchoring = self.anchoring()
        await anchoring.now(regtest=True)
        await self.chain.mine()
        await anchoring.now(regtest=True)
        return anchoring

    async def states(self) -> list[str]:
        return [one.state for one in await self.store.anchors.list()]


@asynccontextmanager
async def house(base: Path, *, secret=b"one", recovery=("", 0), **caps):
    """A house on a chain of its own."""
    async with (
        Regtest() as chain,
        visit(base, chain, secret=secret, recovery=recovery, **caps) as h,
    ):
        yield h


@asynccontextmanager
async def visit(
    base: Path, chain: Regtest, *, secret=b"one", recovery=("", 0), db="hermes.db", **caps
):
    """The same on a chain that is there; another `db` is another store of the same identity."""
    clock = Clock()
    await anyio.Path(base).mkdir(parents=True, exist_ok=True)
    settings = Chain(backend=chain.url, **caps)
    async with Store.open(base / "data" / db, clock) as store:
        made = House(base, chain, store, clock, settings)
        await made.establish(hashlib.sha256(secret).digest(), recovery)
        yield made
