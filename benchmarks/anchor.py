"""The way of an anchor on a regtest chain: asked for, signed, sent, mined, settled, proven.

The signer's rules run in this process, its vault is opened beforehand. Beside it what a judge
of one transaction costs: Bitcoin Core's engine, and our own path.
"""

import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import anyio

from benchmarks import Row, at_most, told
from benchmarks.measure import median
from hermes.chain.sighash import check_ours
from hermes.chain.spend import check_spend
from hermes.chain.transaction import Output, output_of, transaction_of
from hermes.config import Chain, Settings
from hermes.core.canonical import encode
from hermes.core.clock import SystemClock
from hermes.identity.founding import Lock, establish, folder_of
from hermes.identity.genesis import found
from hermes.identity.keys import Keys
from hermes.identity.publishing import FilePublisher
from hermes.identity.signer_service import Signer
from hermes.identity.signer_wire import Caps, SignerOptions
from hermes.identity.vault import Argon2Cost
from hermes.node.alarms import Alarms
from hermes.node.anchoring import Anchoring
from hermes.node.checkpointing import Checkpointing
from hermes.node.proving import Proving
from hermes.store.store import Store
from hermes.testing.regtest import Regtest

CYCLE_MS = 200.0
SETTLED = 6
WORD = "benchmark"


async def unlocked(base: Path) -> Signer:
    """A new identity's signer, its keys in memory."""
    soul = base / "SOUL.md"
    await anyio.Path(soul).write_bytes(b"# Soul\n")
    secret = hashlib.sha256(b"benchmark").digest()
    genesis = found(
        Keys.from_secret(secret, "regtest"), hashlib.sha256(b"# Soul\n").hexdigest(), 1_000
    )
    cost = Argon2Cost(memory=8 * 1024, passes=1, lanes=1)
    await establish(base / "data", secret, genesis, Lock(WORD, cost=cost))
    caps = Caps(network="regtest", fee_most=20_000, fee_rate_most=50.0, month_most=10**9)
    folder = str(folder_of(base / "data"))
    signer = Signer(SignerOptions(folder, str(base / "s"), str(soul), caps), SystemClock())
    await signer.unlock(WORD)
    return signer


async def cycles(base: Path, count: int) -> tuple[list[float], list[float], bytes, bytes]:
    """Seconds of each cycle, and of each proof; the last anchor and the one that it spends."""
    signer = await unlocked(base)
    taken, proofs = [], []

    async def agent() -> Signer:
        return signer

    def report(where: str, error: BaseException) -> None:
        raise RuntimeError(where) from error

    db = base / "data" / "hermes.db"
    async with Regtest() as chain, Store.open(db, SystemClock()) as store:
        settings = Settings(
            data_dir=base / "data",
            config_dir=base,
            runtime_dir=base,
            chain=Chain(backend=chain.url, month_most=10**9),
        )
        alarms = Alarms(lambda _: None)
        publisher = FilePublisher(settings.data_dir / "published")
        checkpointing = Checkpointing(
            settings, store, agent, alarms, report=report, publisher=publisher
        )
        anchoring = Anchoring(
            settings,
            store,
            SystemClock(),
            agent,
            checkpointing.sign,
            alarms=alarms,
            report=report,
        )
        proving = Proving(settings, store)
        await say(store, -1)
        with_money = (await anchoring_address(anchoring), 10_000_000)
        await chain.fund(*with_money)
        for number in range(-1, count):  # the first brings the genesis record into the chain
            cid = await say(store, number)
            start = time.perf_counter()
            anchor = await anchoring.now(regtest=True)
            if number < 0:
                await chain.mine()
                anchor = await anchoring.now(regtest=True)
            await chain.mine(SETTLED)
            anchor = await anchoring.wait(anchor["id"], "settled")
            between = time.perf_counter()
            if anchor["state"] != "settled":
                raise RuntimeError(f"the anchor is {anchor['state']}")
            if number >= 0:
                taken.append(between - start)
                await proving.prove(cid)
                proofs.append(time.perf_counter() - between)
        last = (await store.anchors.list())[-1].attempts[0].raw
        parent = await store.anchors.parent(transaction_of(last).inputs[0].outpoint.txid)
    assert parent is not None
    return taken, proofs, last, parent


async def anchoring_address(anchoring: Anchoring) -> bytes:
    """The script that deposits go to."""
    keeper = await anchoring._load()  # noqa: SLF001 - a benchmark looks inside
    script: bytes = keeper.scripts.deposit
    return script


async def say(store: Store, number: int) -> str:
    """One more leaf."""
    block = encode({"t": "hermes/bench/1", "n": number})
    await store.acts.add("hermes/bench/1", str(number), block)
    return block.cid


def micros(act: Callable[[], object], times: int) -> float:
    """The middle of several runs."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        taken.append(time.perf_counter() - start)
    return median(taken) * 1e6


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Go the whole way several times."""
    with tempfile.TemporaryDirectory() as folder:
        taken, proofs, raw, parent = anyio.run(cycles, Path(folder), 3 if quick else 12)
    read = transaction_of(raw)
    output = output_of(parent, read.inputs[0].outpoint)
    previous = {read.inputs[0].outpoint: (output.value, output.script)}
    return [
        at_most("anchor: asked, signed, sent, 6 blocks", median(taken) * 1e3, "ms", CYCLE_MS),
        told("  then one bundle made and checked", median(proofs) * 1e3, "ms"),
        told("  the transaction", read.size, "vB"),
        told("  judged by Core's engine", micros(lambda: check_spend(raw, previous), 200), "us"),
        told("  judged by our own path", micros(lambda: _ours(raw, output), 200), "us"),
    ]


def _ours(raw: bytes, output: Output) -> None:
    check_ours(transaction_of(raw), (output,))
