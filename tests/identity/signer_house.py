"""A signer of its own in a process, on a fresh identity: what the signer's tests share."""

import hashlib
import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE

import anyio

from hermes.core.anchor import AnchorKind, Payload
from hermes.core.checkpoint import Checkpoint
from hermes.core.merkle import Frontier, leaf_hash
from hermes.identity.agent import Agent
from hermes.identity.claim import SpendClaim
from hermes.identity.founding import Lock, establish, folder_of
from hermes.identity.genesis import found
from hermes.identity.keys import Keys
from hermes.identity.signer_wire import READY, Caps, SignerOptions
from hermes.identity.vault import Argon2Cost

CHEAP = Argon2Cost(memory=8 * 1024, passes=1, lanes=1)
CAPS = Caps(network="regtest", fee_most=2_000, fee_rate_most=20.0, month_most=5_000)
WORD = "correct horse"
SOUL = b"# Soul\n\nI answer plainly.\n"


class Home:
    """An identity on the disk, its SOUL.md, and the keys that only a test may hold."""

    def __init__(self, base: Path, *, network="regtest", seed=b"one", **record) -> None:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        base.chmod(0o700)
        self.base = base
        self.soul = base / "SOUL.md"
        self.soul.write_bytes(SOUL)
        self.secret = hashlib.sha256(seed).digest()
        self.keys = Keys.from_secret(self.secret, network)
        digest = hashlib.sha256(SOUL).hexdigest()
        self.genesis = found(self.keys, digest, 1_000, **record)
        self.folder = folder_of(base)
        self.caps = CAPS
        self.unattended = True

    async def make(self, *, unattended=True) -> "Home":
        lock = Lock(WORD, unattended=unattended, cost=CHEAP)
        await establish(self.base, self.secret, self.genesis, lock)
        return self

    @property
    def options(self) -> SignerOptions:
        return SignerOptions(
            folder=str(self.folder),
            socket=str(self.base / "s.sock"),
            soul=str(self.soul),
            caps=self.caps,
            unattended=self.unattended,
        )

    @asynccontextmanager
    async def process(self):
        command = [sys.executable, "-m", "hermes.identity.signer"]
        line = json.dumps(plain(self.options)).encode() + b"\n"
        async with await anyio.open_process(command, stdin=PIPE, stdout=PIPE) as process:
            await process.stdin.send(line)
            with anyio.fail_after(50):
                assert await process.stdout.receive() == READY
            try:
                yield process
            finally:
                with anyio.CancelScope(shield=True):
                    await process.stdin.aclose()
                    await process.wait()

    @asynccontextmanager
    async def signer(self):
        async with self.process(), Agent.connect(self.base / "s.sock") as agent:
            yield agent


def plain(options: SignerOptions) -> dict:
    caps = {name: getattr(options.caps, name) for name in Caps.__struct_fields__}
    return {**{n: getattr(options, n) for n in SignerOptions.__struct_fields__}, "caps": caps}


def log_of(size: int) -> Frontier:
    """A log of so many leaves."""
    frontier = Frontier()
    for number in range(size):
        frontier.append(leaf_hash(number.to_bytes(4, "big")))
    return frontier


def checkpoint(home: Home, size: int) -> str:
    """The text of this home's log at a size."""
    return Checkpoint(home.genesis.name, size, log_of(size).root).text


def anchor_payload(text: str) -> bytes:
    """What an anchor of a checkpoint commits to."""
    return Payload(AnchorKind.CHECKPOINT, hashlib.sha256(text.encode()).digest()).encode()


def claim_of(text: str, coin: str, **fields) -> SpendClaim:
    """An anchor's claim."""
    fields = {"kind": "anchor", "payload": anchor_payload(text).hex(), "checkpoint": text} | fields
    return SpendClaim(coin=coin, **fields)


def read(path: str) -> bytes:
    """A small file, such as one of /proc; empty when it is not there."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


async def gone(pid: int) -> None:
    """Wait until a process, nobody's child of ours, has ended."""
    while (status := read(f"/proc/{pid}/status")) and b"State:\tZ" not in status:  # noqa: ASYNC110
        await anyio.sleep(0.01)


def modes(folder: Path) -> set[int]:
    """The permissions of everything in a folder, and of itself."""
    return {path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
