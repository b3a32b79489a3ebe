"""Garbage collection: what is named anywhere stays, also while turns write."""

import sqlite3
from contextlib import closing

import anyio
import libipld
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.core.canonical import encode, link_blob
from hermes.core.clock import SystemClock
from hermes.core.ids import CallId, TurnId
from hermes.store.architecture import Architecture
from hermes.store.blobs import blob_statement, digest_of
from hermes.store.database import Database
from hermes.store.schema import plan
from hermes.store.store import Store
from hermes.store.sweep import Sweep
from tests.store.talk import conversation


def thrown(path, *bodies):
    """Blobs that an earlier process put and nobody named."""
    with closing(sqlite3.connect(path)) as database, database:
        for body in bodies:
            statement = blob_statement(body)
            database.execute(statement.sql, statement.parameters)
    return [digest_of(body) for body in bodies]


async def intend(store, made, number, before):
    return await store.journal.intend(
        turn=TurnId("turn"), conversation=made, call=CallId(f"call-{number}"), tool="FileWrite",
        arguments="{}", changes=[("/file", before, b"after")],
    )  # fmt: skip


async def test_garbage_goes_and_everything_named_stays(path, clock):
    async with Store.open(path, clock) as store:
        made = await conversation(store)
        entry = await intend(store, made, 0, b"before")
        state = Architecture("1", "model", "", {"soul": b"a soul", "skin": b"a skin"})
        await store.architectures.record(state)
        inner = digest_of(b"named in a blob")
        text = libipld.encode_cid(link_blob(digest_of(b"named as a CID")))
        outer = {
            "t": "hermes/x/1",
            "blob": link_blob(digest_of(f"see {inner} and {text}".encode())),
        }
        await store.acts.add("hermes/x/1", digest_of(b"a subject"), encode(outer))
    names = f"see {inner} and {text}".encode()
    kept = thrown(path, b"named in a blob", b"named as a CID", names, b"a subject")
    garbage = sorted(thrown(path, b"nobody", b"nothing"))

    async with Store.open(path, clock) as store:
        tried = await store.sweep(dry=True)
        assert (list(tried.digests), tried.bytes, tried.dry) == (garbage, 13, True)
        assert await store.blobs.get(garbage[0]) is not None
        done = await store.sweep()
        assert (list(done.digests), done.kept) == (garbage, 7)
        assert await store.blobs.get(garbage[0]) is None
        for digest in (*kept, *state.digests.values()):
            assert await store.blobs.get(digest) is not None
        (written,) = await store.journal.of_turn(TurnId("turn"))
        assert await store.journal.before(written, "/file") == b"before"
        assert written.id == entry
        assert (await store.sweep()).digests == ()
        assert await store.verify() == ()


async def test_a_row_of_any_table_keeps_a_blob(path, clock):
    async with Store.open(path, clock):
        pass
    kept = thrown(path, b"one", b"two", b"three")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE later (a TEXT)")
        database.execute("CREATE TABLE other (a TEXT PRIMARY KEY, b BLOB) WITHOUT ROWID")
        database.execute("INSERT INTO later VALUES (?)", (f"x{kept[0]}y",))
        database.execute("INSERT INTO other VALUES ('k', ?)", (b"\x00" + link_blob(kept[1]),))
    async with Store.open(path, clock) as store:
        assert (await store.sweep()).digests == (kept[2],)


async def test_what_this_process_put_waits_for_its_name(path, clock):
    async with Store.open(path, clock) as store:
        digest = await store.blobs.put(b"about to be named")
        assert (await store.sweep()).digests == ()
        assert await store.blobs.get(digest) == b"about to be named"
    async with Store.open(path, clock) as store:
        assert (await store.sweep()).digests == (digest,)


async def test_a_sweep_among_turns_drops_nothing_they_write(path, clock):
    """Turns name blobs that are garbage until that very moment."""
    bodies = [f"content {number}".encode() for number in range(300)]
    async with Store.open(path, clock) as store:
        made = await conversation(store)
    thrown(path, *bodies)
    async with Store.open(path, clock) as store, anyio.create_task_group() as tasks:

        async def write(start):
            for number in range(start, 200, 4):
                await intend(store, made, number, bodies[number])

        for start in range(4):
            tasks.start_soon(write, start)
        swept = [await store.sweep() for _ in range(3)]
    async with Store.open(path, clock) as store:
        last = await store.sweep()
        entries = await store.journal.of_turn(TurnId("turn"))
        assert len(entries) == 200
        for entry in entries:
            body = bodies[int(entry.call.removeprefix("call-"))]
            assert await store.journal.before(entry, "/file") == body
        gone = {digest for one in (*swept, last) for digest in one.digests}
        assert gone >= {digest_of(body) for body in bodies[200:]}


@pytest.mark.parametrize("turns", range(0, 40, 4))
async def test_a_name_that_comes_between_look_and_removal_is_seen(path, clock, turns):
    """Wherever the sweep stands when the block comes."""
    async with Store.open(path, clock) as store:
        made = await conversation(store)
    inner = f"names {digest_of(b'inner')}".encode()
    thrown(path, b"inner", inner, b"garbage")
    async with Store.open(path, clock) as store:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.sweep)
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
            await intend(store, made, 0, inner)
        (entry,) = await store.journal.of_turn(TurnId("turn"))
        assert await store.journal.before(entry, "/file") == inner
        await store.sweep()
        assert await store.journal.before(entry, "/file") == inner
        assert await store.blobs.get(digest_of(b"garbage")) is None


async def test_a_removal_asks_the_blocks_that_came_since(path, clock):
    """A block saves a blob, and that one saves the blob that it names."""
    async with Store.open(path, clock) as store:
        made = await conversation(store)
    inner = f"names {digest_of(b'inner')}".encode()
    thrown(path, b"inner", inner, b"garbage")
    async with Store.open(path, clock) as store:
        one = Sweep(store._database, store.blobs)
        found = await one.look()
        assert found == {digest_of(b"inner"), digest_of(inner), digest_of(b"garbage")}
        await intend(store, made, 0, inner)
        assert await one.remove() == {digest_of(b"garbage")}


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["hex", "link", "cid"])), max_size=6))
async def test_chains_of_blobs_are_followed(tmp_path_factory, links):
    """Blob n names other blobs; block names blob 0: what is reached from it stays."""
    path, clock = tmp_path_factory.mktemp("chains") / "store.db", SystemClock()
    async with Store.open(path, clock) as store:
        names, bodies = [], []
        for number in range(10):
            said = [form for to, form in links if to == number and names]
            body = f"{number}:".encode() + b" ".join(_said(form, names[-1]) for form in said)
            bodies.append(body)
            names.append(digest_of(body))
        top = {"t": "hermes/x/1", "blob": link_blob(names[-1])}
        await store.acts.add("hermes/x/1", "top", encode(top))
    thrown(path, *bodies)
    reached = {names[9]}
    for number in range(9, 0, -1):
        if names[number] in reached and any(to == number for to, _ in links):
            reached.add(names[number - 1])
    async with Store.open(path, clock) as store:
        await store.sweep()
        assert {name for name in names if await store.blobs.get(name)} == reached


def _said(form, digest):
    raw = link_blob(digest)
    return {"hex": digest.encode(), "link": raw, "cid": libipld.encode_cid(raw).encode()}[form]


async def test_many_are_removed_in_pieces(path, clock):
    async with Store.open(path, clock):
        pass
    garbage = thrown(path, *(str(number).encode() for number in range(350)))
    async with Store.open(path, clock) as store:
        assert (await store.sweep()).digests == tuple(sorted(garbage))
    async with Database(path, plan("")) as database:
        assert await database.read("SELECT count(*) FROM blobs") == [(0,)]


@pytest.mark.parametrize("text", ["bafkrei", "bafkrei" + "!" * 52, "0" * 63, "g" * 64])
async def test_what_only_looks_like_a_name_is_none(path, clock, text):
    async with Store.open(path, clock) as store:
        await conversation(store, text)
    (digest,) = thrown(path, b"garbage")
    async with Store.open(path, clock) as store:
        assert (await store.sweep()).digests == (digest,)
