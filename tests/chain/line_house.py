"""Instances of one line, each with a store, a log and a signer process of its own, on one chain."""

import base64
import hashlib
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec

from hermes.chain.scripts import scripts_of
from hermes.config import Chain, Settings
from hermes.core.canonical import encode
from hermes.core.clock import SystemClock
from hermes.identity.founding import Lock, establish
from hermes.identity.genesis import found
from hermes.identity.keys import Keys
from hermes.identity.publishing import FilePublisher
from hermes.identity.vault import Argon2Cost
from hermes.node.alarms import Alarms
from hermes.node.anchoring import Anchoring
from hermes.node.checkpointing import Checkpointing
from hermes.node.signing import Signing
from hermes.node.succession import Inheritance
from hermes.store.store import Store
from hermes.testing.lineages import RECOVERY
from hermes.testing.regtest import Regtest

KEY = RECOVERY.public_key.format().hex()
AFTER = 12


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def raw(told: dict) -> bytes:
    return base64.b64decode(told["file"])


class Instance:
    """One instance; `heirs` answers its queries on succession."""

    def __init__(self, base: Path, chain: Regtest, store: Store, settings: Settings) -> None:
        self.base, self.chain, self.store, self.settings = base, chain, store, settings
        self.faults: list[BaseException] = []

    async def open(self, parent: str, recovery: tuple[str, int], signing: Signing) -> None:
        soul = self.base / "SOUL.md"
        data = f"# {self.base.name}\n".encode()
        await anyio.Path(soul).write_bytes(data)
        keys = Keys.from_secret(hashlib.sha256(data).digest(), "regtest")
        digest = hashlib.sha256(data).hexdigest()
        self.genesis = found(keys, digest, 1_000, recovery, parent)
        lock = Lock("word", unattended=True, cost=Argon2Cost(memory=8192, passes=1, lanes=1))
        secret = hashlib.sha256(data).digest()
        await establish(self.settings.data_dir, secret, self.genesis, lock)
        clock, alarms = SystemClock(), Alarms(lambda _: None)
        self.signing = signing
        self.checkpointing = Checkpointing(
            self.settings, self.store, signing.agent, alarms,
            report=self.report, publisher=FilePublisher(self.settings.data_dir / "published"),
        )  # fmt: skip
        given = (self.settings, self.store, clock, signing.agent, self.checkpointing.sign)
        self.anchoring = Anchoring(*given, alarms=alarms, report=self.report)
        self.heirs = Inheritance(*given)

    @property
    def block(self) -> bytes:
        return self.genesis.record.block().data

    def report(self, where: str, error: BaseException) -> None:
        self.faults.append(error)

    async def say(self, words: str) -> None:
        await self.store.acts.add(
            "hermes/test/1", words, encode({"t": "hermes/test/1", "x": words})
        )

    async def anchor(self, words: str, blocks: int = 1) -> None:
        """One more leaf, anchored, and the blocks for it."""
        await self.say(words)
        told = await self.anchoring.now(regtest=True)
        await self.chain.mine(blocks)
        await self.anchoring.wait(told["id"], "mined")

    async def begin(self, sat: int = 100_000) -> None:
        """A coin of its own, its genesis anchored, and the first checkpoint."""
        await self.chain.fund(scripts_of(self.genesis).deposit, sat)
        await self.say("one")
        told = await self.anchoring.now(regtest=True)
        await self.chain.mine()
        await self.anchoring.now(regtest=True)
        await self.chain.mine()
        await self.anchoring.wait(told["id"], "mined")

    async def mined(self, told: dict, blocks: int = 1) -> dict:
        """Mine blocks, and see that an anchor lies in one."""
        await self.chain.mine(blocks)
        return await self.anchoring.wait(told["id"], "mined")

    async def hand_over(self, to: "Instance") -> bytes:
        """All steps with what lies between in files; gives the answer's."""
        offer = raw(await self.heirs.offer(text(to.block)))
        answer = raw(await to.heirs.accept(text(offer)))
        sent = await to.heirs.finish(text(answer))
        told = await self.heirs.finish(text(answer))
        assert told["txid"] == sent["txid"]
        await self.mined(told)
        await to.mined(sent, 0)
        return answer

    async def recovery_key(self, draft: dict, key: Path, **change) -> dict:
        """Have the recovery key's process sign a draft."""
        names = ("psbt", "old", "new", "fee_most", "fee_rate_most")
        request = {name: draft[name] for name in names} | {"key": str(key)} | change
        done = await anyio.run_process(
            [sys.executable, "-m", "hermes.chain.recovery_signer"],
            input=msgspec.json.encode(request) + b"\n",
        )
        return msgspec.json.decode(done.stdout)


@asynccontextmanager
async def instance(base, chain, name, *, parent="", recovery=("", 0), **caps):
    """An instance of a name on a chain."""
    home = base / name
    home.mkdir(mode=0o700)
    (home / "run").mkdir(mode=0o700)
    settings = Settings(
        data_dir=home / "data",
        config_dir=home,
        runtime_dir=home / "run",
        chain=Chain(backend=chain.url, **caps),
    )
    clock = SystemClock()
    async with (
        Store.open(settings.data_dir / "hermes.db", clock) as store,
        Signing(settings, lambda: home / "SOUL.md") as signing,
    ):
        made = Instance(home, chain, store, settings)
        await made.open(parent, recovery, signing)
        yield made


@asynccontextmanager
async def line(base):
    """A, its heir B, and B's heir C, on one chain; nothing is anchored yet."""
    async with (
        Regtest() as chain,
        instance(base, chain, "a", recovery=(KEY, AFTER)) as a,
        instance(base, chain, "b", parent=a.genesis.cid, recovery=(KEY, AFTER)) as b,
        instance(base, chain, "c", parent=b.genesis.cid) as c,
    ):
        yield a, b, c
