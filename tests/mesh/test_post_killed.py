import signal
import sqlite3
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.streams.text import TextReceiveStream

from hermes.identity.hot import HotKey
from hermes.mesh.envelope import Letter
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_keys import NostrKeys
from hermes.mesh.nostr_link import NostrLink
from hermes.mesh.post import Post
from hermes.store.store import Store

ANNE, BERT = HotKey(b"\1" * 32), HotKey(b"\2" * 32)
CHILD = str(Path(__file__).with_name("post_child.py"))


@asynccontextmanager
async def child(path, relay, mode):
    """A node in a process of its own; it is killed at the end, whatever it is doing."""
    command = [sys.executable, CHILD, str(path), relay, ANNE.public, mode]
    async with await anyio.open_process(command, stderr=None) as process:
        try:
            yield TextReceiveStream(process.stdout)
        finally:
            process.send_signal(signal.SIGKILL)


async def lines(stream, count):
    text = ""
    with anyio.fail_after(40):
        while text.count("\n") < count:
            text += await stream.receive()
    return [tuple(line.split()) for line in text.splitlines()]


@pytest.mark.slow
async def test_killed_at_any_moment_nothing_is_lost_and_nothing_done_twice(tmp_path, relay, clock):
    path = tmp_path / "bert.db"
    async with (
        Store.open(tmp_path / "anne.db", clock) as store,
        Wire(NostrKeys(ANNE.secret), clock) as wire,
    ):
        await wire.connect([relay])
        link = NostrLink(wire, store.mesh, clock, known=lambda who: who == BERT.public)
        async with Post(ANNE, store.mesh, [link], clock, lambda who, _: who == BERT.public) as anne:
            letters = [Letter(BERT.public, "turn", b"%d" % n) for n in range(6)]
            names = [await anne.send(one) for one in letters]
            async with child(path, relay, "idle") as said:
                # Killed between receipt and effect.
                first = await lines(said, 6)
                assert {again for _, again in first} == {"False"}
            async with child(path, relay, "deaf") as said:
                # Killed between effect and receipt.
                second = await lines(said, 6)
                assert sorted(name for name, _ in second) == sorted(names)
                assert {again for _, again in second} == {"True"}
            async with child(path, relay, "work") as said:
                # They come once more, and have no second effect: it would fail on its own note.
                names.append(await anne.send(Letter(BERT.public, "turn", b"last")))
                assert await lines(said, 1) == [(names[-1], "False")]
                with anyio.fail_after(60):
                    for name in names:
                        assert (await anne.outcome(name)).arrived
    database = sqlite3.connect(path)
    effects = database.execute("SELECT key FROM meta WHERE key LIKE 'effect %'").fetchall()
    database.close()
    assert sorted(row[0] for row in effects) == sorted(f"effect {name}" for name in names)
