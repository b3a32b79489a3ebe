import re
import sqlite3
from contextlib import closing

import anyio
import pytest

from hermes.core.canonical import Block, encode, link
from hermes.core.checkpoint import Checkpoint, Note, NoteSignature
from hermes.core.ids import Cid
from hermes.core.merkle import (
    EMPTY_ROOT,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from hermes.errors import ProofInvalid, StoreCorrupt, StoreError, StoreFull, Usage
from hermes.store.checkpoints import Checkpoints
from hermes.store.database import Database
from hermes.store.ledger import Ledger
from hermes.store.merkle_log import MerkleLog
from hermes.store.migrations import Plan
from hermes.store.schema import MIGRATIONS, plan
from hermes.store.statement import Statement
from hermes.store.store import Store
from hermes.store.verify import verify
from tests.store.talk import chain, conversation

ADD = "INSERT INTO blocks (cid, kind, data) VALUES (?, 'test', ?)"


def block(number: int) -> Block:
    return encode({"t": "test", "number": number})


def name(number: int) -> Cid:
    return block(number).cid


def blocks(start: int, stop: int) -> list[Statement]:
    return [Statement(ADD, block(number), append=True) for number in range(start, stop)]


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(link(name(number))) for number in range(count)]


def logged(path) -> Database:
    return Database(path, plan("node"), companion=Ledger(path))


def unlogged(path) -> Database:
    """As a Hermes before there was a log opens a store."""
    return Database(path, Plan(plan("node").application, MIGRATIONS[:1], plan("node").initial))


def stored(path) -> tuple:
    with closing(sqlite3.connect(path)) as database:
        state = database.execute("SELECT size, hashes FROM log_state").fetchall()
        tiles = database.execute("SELECT * FROM log_tiles ORDER BY level, number").fetchall()
    return state, tiles


def note(size: int, root: bytes) -> str:
    text = Checkpoint("hermes/test", size, root).text
    return Note(text, (NoteSignature("hermes/test", b"\0" * 4, b"\0" * 64),)).format()


async def test_a_new_store_has_an_empty_log(store):
    assert await store.log.size() == 0
    assert await store.log.root() == EMPTY_ROOT
    assert await store.log.consistency(0, 0) == ()
    assert await store.verify() == ()


async def test_every_block_is_a_leaf_in_commit_order(store):
    made = await conversation(store)
    roots = [await store.log.root()]
    cids = []
    for text in ("one", "two", "three"):
        cids += await store.conversations.append(*chain(made, text))
        roots.append(await store.log.root())
    cids = [await store.log.leaf(index) for index in range(await store.log.size())]
    size = len(cids)
    assert size >= 3
    for index, cid in enumerate(cids):
        assert await store.log.index_of(cid) == index
        path = await store.log.inclusion(index, size)
        verify_inclusion(leaf_hash(link(cid)), index, size, path, roots[-1])
    assert len(set(roots)) == 4
    assert await store.log.root(0) == EMPTY_ROOT


async def test_proofs_across_tiles(path):
    count = 256 * 256 + 300
    every = leaves(count)
    async with logged(path) as database:
        for start in range(0, count, 5_000):
            await database.write(*blocks(start, min(start + 5_000, count)))
        log = MerkleLog(database)
        assert await log.size() == count
        for size in (1, 255, 256, 257, 4_096, 65_535, 65_536, 65_537, count):
            root = await log.root(size)
            assert root == root_of(every[:size])
            for index in {0, size // 2, size - 1, min(size - 1, 65_536)}:
                path_ = await log.inclusion(index, size)
                verify_inclusion(every[index], index, size, path_, root)
            newest = await log.root()
            verify_consistency(size, root, count, newest, await log.consistency(size, count))
    state, tiles = stored(path)
    assert state[0][0] == count
    assert [tile[:2] for tile in tiles] == [(0, number) for number in range(257)] + [(1, 0)]
    assert all(len(tile[3]) == 8_192 for tile in tiles)


async def test_what_is_not_in_the_log_cannot_be_proved(store):
    await conversation(store, "one", "two")
    size = await store.log.size()
    for question in (
        store.log.root(size + 1),
        store.log.root(-1),
        store.log.inclusion(size, size),
        store.log.inclusion(-1, size),
        store.log.inclusion(0, size + 1),
        store.log.consistency(2, 1),
        store.log.consistency(0, size + 1),
        store.log.leaf(size),
        store.log.leaf(-1),
        store.log.index_of(name(1)),
    ):
        with pytest.raises(Usage):
            await question


async def test_units_that_fail_leave_no_leaf_and_their_neighbours_theirs(path):
    bad = Statement("UPDATE meta SET value = 'x' WHERE key = 'nothing'", expect=1)
    failed = []

    async def write(*statements: Statement) -> None:
        try:
            await database.write(*statements)
        except StoreError:
            failed.append(statements)

    async with logged(path) as database:
        async with anyio.create_task_group() as tasks:  # one group, then each alone
            for number in range(0, 600, 2):
                last = [bad] if number % 10 == 0 else []
                tasks.start_soon(write, *blocks(number, number + 2), *last)
        log = MerkleLog(database)
        names = [row[0] for row in await database.read("SELECT cid FROM blocks ORDER BY seq")]
        assert len(failed) == 60
        assert len(names) == 480
        assert await log.root() == root_of(leaf_hash(link(one)) for one in names)
        await database.write(*blocks(1_000, 1_100))
        assert await log.size() == 580
        names = [row[0] for row in await database.read("SELECT cid FROM blocks ORDER BY seq")]
        assert await log.root() == root_of(leaf_hash(link(one)) for one in names)
    state, tiles = stored(path)
    assert state[0][0] == 580
    assert len(tiles) == 2


async def test_a_full_disk_takes_neither_block_nor_leaf(path):
    async with logged(path) as database:
        await database.write(*blocks(0, 1_000))
        pages = (await database.read("SELECT page_count FROM pragma_page_count"))[0][0]
    start = 1_000
    companion = Ledger(path)
    async with Database(path, plan("node"), max_pages=pages + 30, companion=companion) as database:
        full = False
        while not full:
            try:
                await database.write(*blocks(start, start + 100))
                start += 100
            except StoreFull:
                full = True
        log = MerkleLog(database)
        assert await log.root() == root_of(leaves(start))
    async with logged(path) as database:
        await database.write(*blocks(start, start + 300))
        assert await MerkleLog(database).root() == root_of(leaves(start + 300))


@pytest.mark.parametrize("count", [0, 1, 255, 256, 16_384, 16_385, 40_000])
async def test_a_store_from_before_the_log_gets_one(path, count):
    async with unlogged(path) as database:
        if count:
            await database.write(*blocks(0, count))
    async with logged(path) as database:
        log = MerkleLog(database)
        assert await log.size() == count
        assert await log.root() == root_of(leaves(count))
        await database.write(*blocks(count, count + 1))
        assert await log.root() == root_of(leaves(count + 1))


async def test_what_an_older_hermes_wrote_meanwhile_is_logged(path):
    async with logged(path) as database:
        await database.write(*blocks(0, 300))
    async with unlogged(path) as database:
        await database.write(*blocks(300, 700))
    async with logged(path) as database:
        log = MerkleLog(database)
        assert await log.root() == root_of(leaves(700))


async def test_a_store_without_a_log_can_do_without(path):
    async with unlogged(path) as database:
        await database.write(*blocks(0, 3))
        assert await database.read("SELECT count(*) FROM blocks") == [(3,)]


async def test_checkpoints_are_kept_by_size(store):
    await conversation(store, "one")
    assert await store.checkpoints.latest() is None
    first = note(await store.log.size(), await store.log.root())
    await store.checkpoints.add(first)
    await store.checkpoints.add(first)
    await conversation(store, "two")
    size, root = await store.log.newest()
    second = note(size, root)
    await store.checkpoints.add(second)
    await store.checkpoints.add(note(1, await store.log.root(1)))
    assert await store.checkpoints.latest() == second
    assert await store.checkpoints.at(size) == second
    assert await store.checkpoints.at(size + 1) is None
    assert len(await store.checkpoints.list()) == len({*await store.checkpoints.list()}) == 2
    assert await store.verify() == ()


async def test_a_checkpoint_of_another_log_is_refused(store):
    await conversation(store, "one")
    with pytest.raises(ProofInvalid, match="another root"):
        await store.checkpoints.add(note(1, EMPTY_ROOT))
    with pytest.raises(Usage):
        await store.checkpoints.add(note(100, EMPTY_ROOT))
    with pytest.raises(ProofInvalid, match="not a signed checkpoint"):
        await store.checkpoints.add("some words")
    assert await store.checkpoints.list() == ()


COUNT = 256 * 10 + 200
ROOTS = (256, 2_000, 2_600)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A store whose log has ten tiles, a part that is in none, and checkpoints."""
    path = tmp_path_factory.mktemp("large") / "store.db"

    async def fill() -> None:
        async with logged(path) as database:
            await database.write(*blocks(0, COUNT))
            log = MerkleLog(database)
            notes = Checkpoints(database, log)
            for size in ROOTS:
                await notes.add(note(size, await log.root(size)))

    anyio.run(fill)
    return path


async def judged(large, path, clock, *changes: str, against=()) -> tuple[str, ...]:
    path.parent.mkdir()
    path.write_bytes(large.read_bytes())
    with closing(sqlite3.connect(path)) as database, database:
        for change in changes:
            assert database.execute(change).rowcount != 0, change
    async with Store.open(path, clock) as store:
        return tuple(re.sub(r" bafy[^:]+", "", one) for one in await store.verify(against=against))


FORGED = block(COUNT + 1)
LOG_CHANGES = {
    "UPDATE log_tiles SET root = zeroblob(32) WHERE level = 0 AND number = 3": [
        "log tile 0/3: its root was changed"
    ],
    "UPDATE log_tiles SET data = zeroblob(8192) WHERE number = 4": [
        "log tile 0/4: its hashes were changed at 0, 1, 2, 3, 4, 5, 6, 7, …"
    ],
    "UPDATE log_tiles SET root = 5 WHERE number = 4": ["log tile 0/4: its root was changed"],
    "UPDATE log_tiles SET data = x'00' WHERE number = 9": [
        "log tile 0/9: its hashes were changed: their number is another"
    ],
    "DELETE FROM log_tiles WHERE number = 9": ["log tile 0/9: it is missing"],
    "UPDATE log_tiles SET number = 1000 WHERE number = 9": [
        "log tile 0/9: it is missing",
        "log tile 0/1000: there can be no such tile",
    ],
    "UPDATE log_tiles SET level = 1 WHERE number = 0": [
        "log tile 0/0: it is missing",
        "log tile 1/0: there can be no such tile",
    ],
    "UPDATE blocks SET data = NULL WHERE seq = 1000": [
        "block 1000: its bytes are missing and were not erased"
    ],
    "DELETE FROM blocks WHERE seq = 1000": ["block 1000 is missing"],
    "DELETE FROM blocks WHERE seq BETWEEN 1000 AND 2000": ["blocks 1000 to 2000 are missing"],
    "UPDATE blocks SET seq = 0 WHERE seq = 1000": [
        "block 0: it stands outside the log",
        "block 1000 is missing",
    ],
    "UPDATE checkpoints SET size = 7 WHERE seq = 1": [
        "checkpoint 1: its size differs from its note"
    ],
    "UPDATE checkpoints SET note = 'words' WHERE seq = 2": ["checkpoint 2: not a signed note"],
    "UPDATE checkpoints SET note = (SELECT note FROM checkpoints WHERE seq = 3) WHERE seq = 2": [
        "checkpoint 2: its size differs from its note"
    ],
    f"DELETE FROM blocks WHERE seq > {COUNT - 100}": [
        f"the log has {COUNT} leaves, and only {COUNT - 100} blocks"
    ],
    f"UPDATE log_state SET size = {COUNT} + 1": [
        f"the log has {COUNT + 1} leaves, and only {COUNT} blocks"
    ],
}


@pytest.mark.parametrize(("change", "found"), LOG_CHANGES.items())
async def test_each_change_of_the_log_is_found_and_named(large, path, clock, change, found):
    assert await judged(large, path, clock, change) == tuple(found)


async def test_the_large_log_is_well(large, path, clock):
    assert await judged(large, path, clock) == ()


def renamed(seq: int) -> list[str]:
    return [
        f"UPDATE blocks SET cid = '{FORGED.cid}', data = x'{FORGED.data.hex()}' WHERE seq = {seq}"
    ]


async def test_an_exchanged_block_is_named(large, path, clock):
    assert await judged(large, path, clock, *renamed(1_000)) == (
        "block 1000: it is not the one that was logged there",
    )


async def test_an_exchanged_block_behind_the_last_tile_is_found(large, path, clock):
    (found,) = await judged(large, path, clock, *renamed(COUNT))
    assert found.startswith("the log's frontier was changed at ")


async def test_two_blocks_that_changed_places_are_named(large, path, clock):
    swap = [
        f"UPDATE blocks SET seq = {to} WHERE seq = {seq}" for seq, to in ((9, 0), (8, 9), (0, 8))
    ]
    assert await judged(large, path, clock, *swap) == (
        "block 8: it is not the one that was logged there",
        "block 9: it is not the one that was logged there",
    )


async def test_a_log_that_was_written_anew_contradicts_its_checkpoints(large, path, clock):
    anew = ["DELETE FROM log_tiles", "UPDATE log_state SET size = 0, hashes = x''"]
    found = await judged(large, path, clock, *renamed(1_900), *anew)  # opening logs all again
    assert found == (
        "checkpoint 2: the log has another root at 2000",
        "checkpoint 3: the log has another root at 2600",
    )


async def test_a_log_that_was_cut_and_written_anew_contradicts_a_checkpoint(large, path, clock):
    short = [
        "DELETE FROM log_tiles",
        "UPDATE log_state SET size = 0, hashes = x''",
        "DELETE FROM blocks WHERE seq > 2500",
    ]
    kept = Checkpoint("hermes/test", 2_501, root_of(leaves(2_501)))
    found = await judged(
        large, path, clock, *short, "DELETE FROM checkpoints WHERE size > 256", against=(kept,)
    )
    assert found == ("the checkpoint given: it is of 2501 leaves, and 2500 are here",)


async def test_a_checkpoint_that_was_kept_elsewhere(large, path, clock):
    right = Checkpoint("hermes/test", 2_501, root_of(leaves(2_501)))
    wrong = Checkpoint("hermes/test", 300, EMPTY_ROOT)
    assert await judged(large, path, clock, against=(right, wrong)) == (
        "the checkpoint given: the log has another root at 300",
    )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE log_state SET hashes = zeroblob(length(hashes))",
        "UPDATE log_state SET size = size - 1",
        "UPDATE log_state SET size = 'x'",
        "DELETE FROM log_state",
        "DELETE FROM blocks WHERE seq = 2600",
        f"DELETE FROM blocks WHERE seq = {COUNT}",
        f"UPDATE blocks SET cid = 'bafy' WHERE seq = {COUNT - 1}",
        f"UPDATE blocks SET cid = CAST(x'ff' AS TEXT) WHERE seq = {COUNT}",
    ],
)
async def test_a_damaged_log_takes_nothing_more_but_can_be_looked_at(large, path, change):
    path.parent.mkdir()
    path.write_bytes(large.read_bytes())
    with closing(sqlite3.connect(path)) as database, database:
        assert database.execute(change).rowcount
    before = stored(path)
    async with logged(path) as database:
        with pytest.raises(StoreCorrupt, match="log verify"):
            await database.write(*blocks(COUNT + 5, COUNT + 6))
        assert (await database.read("SELECT count(*) FROM blocks"))[0][0] >= COUNT - 1
    assert stored(path) == before


async def test_each_bit_of_the_frontier_and_of_a_tile(tmp_path, clock):
    path = tmp_path / "store.db"
    async with logged(path) as database:
        await database.write(*blocks(0, 300))
    places = [
        ("log_state", "hashes", 32 * 4), ("log_tiles", "data", 8_192), ("log_tiles", "root", 32)
    ]  # fmt: skip
    async with Store.open(path, clock) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            for table, column, size in places:
                whole = database.execute(f"SELECT {column} FROM {table}").fetchone()[0]
                assert len(whole) == size
                for place in range(0, size, max(1, size // 64)):
                    spoilt = bytearray(whole)
                    spoilt[place] ^= 1 << place % 8
                    database.execute(f"UPDATE {table} SET {column} = ?", (bytes(spoilt),))
                    (found,) = await store.verify()
                    assert re.match(r"log tile 0/0: its|the log's frontier", found)
                    assert column == "root" or f"changed at {place // 32}" in found
                database.execute(f"UPDATE {table} SET {column} = ?", (whole,))
        assert await store.verify() == ()


@pytest.mark.slow
async def test_changes_of_the_second_level(path):
    count = 256 * 256 + 300
    async with logged(path) as database:
        for start in range(0, count, 10_000):
            await database.write(*blocks(start, min(start + 10_000, count)))
        for change, found in (
            ("UPDATE log_tiles SET root = zeroblob(32) WHERE level = 1", "its root was changed"),
            (
                "UPDATE log_tiles SET data = zeroblob(8192) WHERE level = 1",
                "its hashes were changed",
            ),
            ("DELETE FROM log_tiles WHERE level = 1", "it is missing"),
        ):
            await database.write(Statement(change, expect=1))
            assert f"log tile 1/0: {found}" in "\n".join(await verify(database))
