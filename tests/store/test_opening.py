import os
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from hermes.errors import (
    HermesError,
    StoreCorrupt,
    StoreError,
    StoreNewer,
    StoreReadOnly,
)
from hermes.store.database import Database
from hermes.store.migrations import Migration, Plan
from hermes.store.opening import open_writer
from hermes.store.schema import plan
from hermes.store.statement import Statement
from hermes.store.store import Store
from tests.store.talk import chain, conversation


async def _filled(path, clock):
    async with Store.open(path, clock) as store:
        made = await conversation(store)
        await store.conversations.append(*chain(made, *("some words " * 20 for _ in range(200))))
    return path.read_bytes()


async def _read_everything(path, clock):
    async with Store.open(path, clock) as store:
        await store.integrity()
        await store.verify()


async def _refusal(path, clock) -> HermesError:
    with pytest.raises(StoreError) as caught:
        await _read_everything(path, clock)
    assert caught.value.remedy
    assert str(path) in caught.value.message
    return caught.value


async def test_a_new_store_is_private_and_named(path, clock):
    async with Store.open(path, clock) as store:
        node = store.node
        for file in path.parent.iterdir():
            assert file.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]
    async with Store.open(path, clock) as store:
        assert store.node == node


async def test_opening_writes_nothing(path, clock):
    before = await _filled(path, clock)
    async with Store.open(path, clock) as store:
        assert (await store.size())["log_bytes"] == 0
        await store.conversations.list()
        assert path.read_bytes() == before
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"", b"SQLite format 3\0" * 9])
async def test_what_is_no_database_is_left_alone(path, clock, content):
    path.parent.mkdir()
    path.write_bytes(content)

    assert isinstance(await _refusal(path, clock), StoreCorrupt)
    assert path.read_bytes() == content


async def test_a_directory_in_place(path, clock):
    path.mkdir(parents=True)
    assert isinstance(await _refusal(path, clock), StoreCorrupt)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
async def test_a_truncated_file(path, clock, share):
    data = await _filled(path, clock)
    path.write_bytes(data[: int(len(data) * share)])
    assert isinstance(await _refusal(path, clock), StoreCorrupt)


async def test_garbage_in_the_middle_is_found(path, clock):
    data = bytearray(await _filled(path, clock))
    for page in range(8, len(data) // 4096):
        data[page * 4096 : page * 4096 + 100] = os.urandom(100)
    path.write_bytes(data)
    assert isinstance(await _refusal(path, clock), StoreCorrupt)


async def test_a_store_without_its_file_but_with_its_log(path, clock):
    path.parent.mkdir()
    log = path.with_name("store.db-wal")
    log.write_bytes(b"committed pages")

    assert isinstance(await _refusal(path, clock), StoreCorrupt)
    assert log.exists()
    assert not path.exists()


async def test_somebody_elses_database(path, clock):
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE mine (x)")
    error = await _refusal(path, clock)
    assert isinstance(error, StoreCorrupt)
    assert "another kind" in error.message


async def test_a_database_without_books(path, clock):
    await _filled(path, clock)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DROP TABLE meta")
    error = await _refusal(path, clock)
    assert isinstance(error, StoreCorrupt)
    assert "books" in error.message


async def test_what_a_killed_creation_left_is_swept(path, clock):
    path.parent.mkdir()
    path.with_name("store.db.new").write_bytes(b"half a store")
    path.with_name("store.db.new-journal").write_bytes(b"x")
    async with Store.open(path, clock) as store:
        assert await store.integrity() == ()
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]


async def test_a_newer_store_is_refused_untouched(path, clock):
    await _filled(path, clock)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE meta SET value = '99' WHERE key = 'min_reader'")
    before = path.read_bytes()

    with pytest.raises(StoreNewer, match="99"):
        async with Store.open(path, clock):
            pass

    assert path.read_bytes() == before


async def test_a_newer_store_that_we_can_still_read_opens(path, clock):
    await _filled(path, clock)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    async with Store.open(path, clock) as store:
        assert len(await store.conversations.list()) == 1
        await conversation(store)


OPEN = """
import os, sys
from pathlib import Path
import anyio
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
from hermes.core.clock import SystemClock
from hermes.errors import StoreError
from hermes.store.store import Store
async def main():
    try:
        async with Store.open(Path(sys.argv[1]), SystemClock()) as store:
            print("opened")
    except StoreError as error:
        print(type(error).__name__, "|", error.message, "|", error.remedy)
anyio.run(main)
"""


@pytest.mark.parametrize(("file", "directory"), [(0o444, 0o777), (0o666, 0o555)])
async def test_what_cannot_be_written_is_said(clock, file, directory):
    # Root may write anything, so the child is nobody, in a place that nobody can reach.
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "data" / "store.db"
        path.parents[1].chmod(0o755)
        await _filled(path, clock)
        before = path.read_bytes()
        path.chmod(file)
        path.parent.chmod(directory)
        ran = await anyio.run_process([sys.executable, "-c", OPEN, str(path)])
        path.parent.chmod(0o777)
        assert ran.stdout.decode().startswith("StoreReadOnly | the store ")
        assert path.read_bytes() == before


def test_the_writer_is_set_up_to_be_durable(path):
    # No test without a power cut can see a missing fsync, so this looks at the settings.
    with closing(open_writer(path, plan("node"))) as database:
        found = {
            name: database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "wal_autocheckpoint", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "wal_autocheckpoint": 0,
        "busy_timeout": 5000,
    }


APPLICATION = 77
FIRST = Migration(1, "first", ("CREATE TABLE a (x)", "INSERT INTO a VALUES (1)"))
SECOND = Migration(2, "second", ("ALTER TABLE a ADD COLUMN y DEFAULT 5",))
BROKEN = Migration(2, "broken", ("CREATE TABLE b (x)", "INSERT INTO nowhere VALUES (1)"))


async def test_migrations_run_once_in_order(path):
    for migrations in ((FIRST,), (FIRST,), (FIRST, SECOND), (FIRST, SECOND)):
        async with Database(path, Plan(APPLICATION, migrations)) as database:
            rows = await database.read("SELECT * FROM a")
            books = await database.read("SELECT number, name FROM migrations")
            version = await database.read("SELECT value FROM meta WHERE key = 'schema_version'")
        assert rows == [(1,)] if len(migrations) == 1 else [(1, 5)]
        assert books == [(m.number, m.name) for m in migrations]
        assert version == [(str(len(migrations)),)]


async def test_a_migration_that_fails_leaves_nothing(path):
    async with Database(path, Plan(APPLICATION, (FIRST,))):
        pass
    with pytest.raises(StoreError, match="nowhere"):
        async with Database(path, Plan(APPLICATION, (FIRST, BROKEN))):
            pass
    async with Database(path, Plan(APPLICATION, (FIRST,))) as database:
        tables = await database.read("SELECT name FROM sqlite_master WHERE name = 'b'")
        assert tables == []
        assert await database.read("SELECT max(number) FROM migrations") == [(1,)]


async def test_a_creation_that_fails_leaves_no_store(path):
    with pytest.raises(StoreError):
        async with Database(path, Plan(APPLICATION, (FIRST, BROKEN))):
            pass
    assert not path.exists()


async def test_what_the_body_raises_comes_out_as_it_is(path, clock):
    with pytest.raises(KeyError, match="mine"):
        async with Store.open(path, clock):
            raise KeyError("mine")


async def test_a_closed_store_says_so(path, clock):
    async with Store.open(path, clock) as store:
        pass
    with pytest.raises(StoreError, match="closed"):
        await conversation(store)


async def test_readers_cannot_write(path):
    async with Database(path, plan("node")) as database:
        with pytest.raises(StoreReadOnly):
            await database.read("DELETE FROM meta")
        await database.write(Statement("UPDATE meta SET value = 'x' WHERE key = 'node'"))
        assert await database.read("SELECT value FROM meta WHERE key = 'node'") == [("x",)]
