"""Signed checkpoints: what is signed, what is noticed, what stays quiet."""

import sqlite3
from contextlib import asynccontextmanager, closing

import anyio
import pytest
from house import House

from hermes.core.checkpoint import checkpoint_of, note_of
from hermes.core.clock import SystemClock
from hermes.core.ids import ConversationId, NodeId, SessionId, TurnId, uuid7
from hermes.core.merkle import verify_consistency
from hermes.core.message import Message, Text
from hermes.errors import IdentityLocked, IdentityMissing, ProofInvalid, Refused
from hermes.identity.genesis import found, save_genesis
from hermes.identity.keys import Keys
from hermes.identity.publishing import FilePublisher
from hermes.node.alarms import Alarms
from hermes.node.checkpointing import Checkpointing
from hermes.store.store import Store

KEYS = Keys.from_secret(bytes(range(32)), "regtest")


class Signer:
    """Signs as the signer does: only what grew out of what it signed before."""

    def __init__(self):
        self.signed = []
        self.locked = False

    async def sign_checkpoint(self, text, proof):
        new = checkpoint_of(text)
        if self.signed:
            old = self.signed[-1]
            try:
                verify_consistency(old.size, old.root, new.size, new.root, proof)
            except ValueError as error:
                raise Refused(str(error)) from error
        self.signed.append(new)
        return KEYS.sign_note(text)


class Watched:
    """A store with an identity, and what is said about it."""

    def __init__(self, house, **settings):
        self.house = House(house.base, **settings)
        self.folder = self.house.settings.data_dir / "identity"
        self.db = self.house.settings.data_dir / "hermes.db"
        self.signer = Signer()
        self.reports = []
        self.told = []

    def identify(self):
        save_genesis(self.folder, found(KEYS, "00" * 32, 1_700_000_000_000))

    async def agent(self):
        if self.signer.locked:
            raise IdentityLocked("locked")
        return self.signer

    @property
    def note(self):
        return self.folder / "checkpoint.note"

    @asynccontextmanager
    async def open(self):
        async with Store.open(self.db, SystemClock()) as store:
            self.alarms = Alarms(self.told.append)
            yield store, Checkpointing(
                self.house.settings, store, self.agent, self.alarms,
                report=lambda where, error: self.reports.append((where, error)),
                publisher=FilePublisher(self.house.settings.data_dir / "published"),
            )  # fmt: skip


async def say(store, *texts):
    made = ConversationId(uuid7())
    await store.conversations.create(conversation=made, root="/")
    for text in texts:
        await store.conversations.append(
            Message(
                conversation=made, session=SessionId("s"), turn=TurnId("t"), role="user",
                parts=(Text(text),), at=1, node=NodeId("n"), salt=uuid7(),
            )
        )  # fmt: skip


@pytest.fixture
def watched(house):
    made = Watched(house)
    made.identify()
    return made


@pytest.fixture
def hasty(house):
    """Its task signs every few milliseconds."""
    made = Watched(house, checkpoint_minutes=0.0001)
    made.identify()
    return made


async def test_a_log_is_signed_when_it_grew(watched):
    async with watched.open() as (store, checkpointing):
        assert await checkpointing.sign() == ""
        await say(store, "one", "two")
        first = await checkpointing.sign()
        assert await checkpointing.sign() == first
        await say(store, "three")
        second = await checkpointing.sign()
        root = await store.log.root()
        assert await store.checkpoints.list() == (first, second)
        await checkpointing.check(second)
    signed = checkpoint_of(note_of(second).text)
    assert (signed.size, signed.root) == (3, root)
    assert signed.origin == f"hermes/{KEYS.roles.nostr[:16]}"
    assert [one.size for one in watched.signer.signed] == [2, 3]
    assert watched.note.read_text() == second
    published = watched.house.settings.data_dir / "published/checkpoint"
    assert (published / "3.note").read_text() == second


async def test_a_shortened_store_is_noticed_and_nothing_is_signed(watched):
    async with watched.open() as (store, checkpointing):
        await say(store, "one")
    short = watched.db.read_bytes()
    async with watched.open() as (store, checkpointing):
        await say(store, "two", "three")
        note = await checkpointing.sign()
    watched.db.write_bytes(short)

    async with watched.open() as (store, checkpointing):
        assert not await checkpointing.look()
        assert "shortened: 3 entries are signed, 1 are there" in watched.alarms.lines()[0]
        assert watched.told == watched.alarms.lines()
        await say(store, "other", "and more", "until it is as long", "again")
        assert not await checkpointing.look()
        assert "rewritten" in watched.alarms.lines()[0]
        with pytest.raises(ProofInvalid, match="rewritten"):
            await checkpointing.sign()
    assert watched.note.read_text() == note
    assert len(watched.signer.signed) == 1


async def test_a_changed_root_beside_the_store_is_noticed(watched):
    async with watched.open() as (store, checkpointing):
        await say(store, "one")
        note = await checkpointing.sign()
        bad = (note.replace("\n1\n", "\n2\n"), note[:-30], "nonsense", "x" * 20_000)
        for content in (*(one.encode() for one in bad), b"\xff" * 9):
            watched.note.write_bytes(content)
            assert not await checkpointing.look()
            assert watched.alarms.lines()
        watched.note.write_text(note)
        assert await checkpointing.look()
        assert watched.alarms.lines() == []


async def test_a_note_of_another_key_is_refused(watched):
    other = Keys.from_secret(bytes(range(1, 33)), "regtest")
    async with watched.open() as (store, checkpointing):
        await say(store, "one")
        note = note_of(await checkpointing.sign())
        forged = note.text + "\n" + other.sign_note(note.text).line()
        with pytest.raises(ProofInvalid):
            await checkpointing.check(forged)
        watched.note.write_text(forged)
        assert not await checkpointing.look()
        assert "no signature of this key" in watched.alarms.lines()[0]


async def test_a_signer_that_signs_something_else_is_not_believed(watched):
    async with watched.open() as (store, checkpointing):
        await say(store, "one")

        async def liar(text, proof):
            return KEYS.sign_note("another text\n")

        watched.signer.sign_checkpoint = liar
        with pytest.raises(ProofInvalid):
            await checkpointing.sign()
        assert await store.checkpoints.latest() is None
        assert not watched.note.exists()


async def test_a_log_that_cannot_be_read_is_an_alarm(watched):
    async with watched.open() as (store, checkpointing):
        await say(store, "one", "two", "three")
        await checkpointing.sign()
        await say(store, "four")
        with closing(sqlite3.connect(watched.db)) as database, database:
            whole = database.execute("SELECT hashes FROM log_state").fetchone()
            database.execute("UPDATE log_state SET hashes = x''")
        assert not await checkpointing.look()
        assert "could not be compared" in watched.alarms.lines()[0]
        assert len(watched.reports) == 1
        with closing(sqlite3.connect(watched.db)) as database, database:
            database.execute("UPDATE log_state SET hashes = ?", whole)
        assert await checkpointing.look()
        assert watched.alarms.lines() == []


async def test_without_an_identity_nothing_is_said(house):
    watched = Watched(house, checkpoint_minutes=0.0001)
    async with watched.open() as (store, checkpointing):
        await say(store, "one")
        with pytest.raises(IdentityMissing):
            await checkpointing.sign()
        with anyio.move_on_after(0.2):
            await checkpointing.run()
    assert (watched.reports, watched.told, watched.alarms.lines()) == ([], [], [])
    assert not watched.folder.exists()


async def test_a_locked_signer_is_waited_for(hasty):
    watched = hasty
    watched.signer.locked = True
    async with watched.open() as (store, checkpointing), anyio.create_task_group() as tasks:
        await say(store, "one")
        tasks.start_soon(checkpointing.run)
        await anyio.wait_all_tasks_blocked()
        assert watched.signer.signed == []
        watched.signer.locked = False
        with anyio.fail_after(10):
            while not await store.checkpoints.latest():
                await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert (watched.reports, watched.alarms.lines()) == ([], [])


async def test_a_refusal_is_an_alarm_until_it_is_mended(hasty):
    watched = hasty
    real = watched.signer.sign_checkpoint

    async def refuse(text, proof):
        raise Refused("SOUL.md was changed")

    watched.signer.sign_checkpoint = refuse
    async with watched.open() as (store, checkpointing), anyio.create_task_group() as tasks:
        await say(store, "one")
        tasks.start_soon(checkpointing.run)
        with anyio.fail_after(10):
            while not watched.alarms.lines():
                await anyio.wait_all_tasks_blocked()
            assert "SOUL.md was changed" in watched.alarms.lines()[0]
            watched.signer.sign_checkpoint = real
            while watched.alarms.lines():
                await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert len(watched.told) == 1
    assert watched.signer.signed


async def test_what_the_signer_kept_and_the_store_did_not_is_continued(watched):
    """Killed between the signer's word and the store's: the file has it, the proof goes on."""
    async with watched.open() as (store, checkpointing):
        await say(store, "one")
        await checkpointing.sign()
        await say(store, "two")
        await checkpointing.sign()
    with closing(sqlite3.connect(watched.db)) as database, database:
        database.execute("DELETE FROM checkpoints")
    async with watched.open() as (store, checkpointing):
        await say(store, "three")
        await checkpointing.sign()
    assert [one.size for one in watched.signer.signed] == [1, 2, 3]
