"""Nodes that witness each other: real stores, signers and post offices, joined by a cable."""

import hashlib
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace

import anyio

from hermes.core.canonical import encode
from hermes.core.checkpoint import Checkpoint, Note, checkpoint_of, note_of
from hermes.core.clock import SystemClock
from hermes.errors import IdentityLocked
from hermes.identity.founding import Lock, establish, folder_of
from hermes.identity.genesis import found
from hermes.identity.hot import HotKey
from hermes.identity.keys import Keys
from hermes.identity.publishing import FilePublisher, Publishers
from hermes.identity.signer_service import Signer
from hermes.identity.signer_wire import Caps, SignerOptions
from hermes.identity.vault import Argon2Cost
from hermes.mesh.members import Member, Standing
from hermes.mesh.post import Post
from hermes.node.alarms import Alarms
from hermes.node.cosigning import Cosigning
from hermes.node.witnesses import Witnesses
from hermes.store.store import Store
from hermes.testing.links import Cable

CAPS = Caps(network="regtest", fee_most=2_000, fee_rate_most=20.0, month_most=5_000)
SOUL = b"# Soul\n\nI answer plainly.\n"
CLOCK = SystemClock()


class Roster:
    """The members that a test says."""

    def __init__(self, genesis, all_):
        self.genesis = genesis
        self.me = genesis.nostr
        self._all = all_

    @property
    def others(self):
        return tuple(one for one in self._all if one != self.me)

    def admits(self, node):
        return node in self._all


class Node:
    """One of them."""

    def __init__(self, base, number, all_):
        self.base = base
        self.secret = hashlib.sha256(bytes([number])).digest()
        self.keys = Keys.from_secret(self.secret, "regtest")
        self.genesis = found(self.keys, hashlib.sha256(SOUL).hexdigest(), 1_000 + number)
        self.key = HotKey(self.keys.nostr_secret())
        self.name = self.genesis.nostr
        self.roster = Roster(self.genesis, all_)
        self.told = []
        self.reports = []
        self.said = 0
        self.locked = False

    async def make(self):
        self.base.mkdir(parents=True, mode=0o700)
        (self.base / "SOUL.md").write_bytes(SOUL)
        cost = Argon2Cost(memory=8 * 1024, passes=1, lanes=1)
        await establish(
            self.base, self.secret, self.genesis, Lock("word", unattended=True, cost=cost)
        )
        options = SignerOptions(
            str(folder_of(self.base)), "", str(self.base / "SOUL.md"), CAPS, unattended=True
        )
        self.signer = Signer(options, CLOCK)
        await self.signer.unlock_itself()

    @asynccontextmanager
    async def up(self, cable, *, db="hermes.db"):
        async with (
            Store.open(self.base / db, CLOCK) as self.store,
            Post(
                self.key,
                self.store.mesh,
                (cable.end(self.name),),
                CLOCK,
                lambda who, _what: self.roster.admits(who),
            ) as self.post,
            anyio.create_task_group() as tasks,
        ):
            self.alarms = Alarms(self.told.append)
            self.publishers = Publishers(FilePublisher(self.base / "published"))
            self.cosigning = Cosigning(self.ground)
            tasks.start_soon(self.cosigning.run)
            await anyio.wait_all_tasks_blocked()
            try:
                yield self
            finally:
                tasks.cancel_scope.cancel()

    async def agent(self):
        if self.locked:
            raise IdentityLocked("locked")
        return self.signer

    @property
    def ground(self):
        rooms = SimpleNamespace(
            store=self.store,
            alarms=self.alarms,
            desk=SimpleNamespace(report=lambda *told: self.reports.append(told)),
            continuity=SimpleNamespace(
                warrants=SimpleNamespace(agent=self.agent), publishers=self.publishers
            ),
        )
        alive = Member(1, Standing.ALIVE, 0)
        return SimpleNamespace(
            owner=SimpleNamespace(rooms=rooms),
            clock=CLOCK,
            key=self.key,
            post=self.post,
            roster=self.roster,
            presence=SimpleNamespace(member=lambda _node: alive),
        )

    async def write(self, count=1, word="entry"):
        for _ in range(count):
            self.said += 1
            block = encode({"t": "test", "word": word, "number": self.said})
            await self.store.acts.add("test", word, block)

    async def note(self):
        """Sign the log as it is, whatever was signed before: what a rogue member can do."""
        size, root = await self.store.log.newest()
        text = Checkpoint(self.genesis.name, size, root).text
        return Note(text, (self.keys.sign_note(text),)).format()

    async def sign(self):
        note = await self.note()
        await self.store.checkpoints.add(note)
        await self.publishers.publish("checkpoint", "note", note.encode())
        return note

    async def witnesses(self):
        return await Witnesses(self.store).witnesses()

    async def cosigners(self, count, size=None):
        """Wait until so many members cosigned the newest checkpoint."""
        return await until(self._cosigned, lambda rows: len(rows) == count, size)

    async def _cosigned(self, size):
        told = await self.witnesses()
        want = told["size"] if size is None else size
        return [one for one in told["cosigned"] if one["size"] == want and one["holds"]]

    async def accusations(self, count=1):
        """Wait for evidence."""
        return await until(self.store.witness.faults, lambda rows: len(rows) >= count)

    async def alarm(self, words):
        return await until(self._lines, lambda lines: any(words in one for one in lines))

    async def no_alarms(self):
        return not self.alarms.lines()

    async def _lines(self):
        return self.alarms.lines()


async def until(ask, holds, *arguments):
    """Ask until the answer is as it should be."""
    with anyio.fail_after(20):
        while not holds(answer := await ask(*arguments)):  # noqa: ASYNC110 - others' tasks
            await anyio.sleep(0.01)
    return answer


def size_of(note):
    return checkpoint_of(note_of(note).text).size


@asynccontextmanager
async def town(base, count=2, cable=None):
    """So many nodes that know each other."""
    names: list[str] = []
    nodes = [Node(base / f"n{number}", number, names) for number in range(1, count + 1)]
    names += [one.name for one in nodes]
    cable = cable or Cable()
    async with AsyncExitStack() as stack:
        for one in nodes:
            await one.make()
            await stack.enter_async_context(one.up(cable))
        yield nodes
