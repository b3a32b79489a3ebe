"""Replication where letters get lost, members lie, stores are old, and processes are killed."""

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import msgspec
import pytest
from replica_house import fleet, meet, part, same, until

from hermes.core.clock import SystemClock
from hermes.core.ids import ConversationId, SessionId, TurnId, uuid7
from hermes.core.message import Message, Text, block_of
from hermes.mesh.envelope import Letter, seal, write
from hermes.mesh.link import Received
from hermes.node.replica_wire import Blocks, Have, Row, pack
from hermes.store.replica_values import Parcel
from hermes.store.store import Store
from hermes.testing.relays import local_relay, meddler

CLOCK = SystemClock()


async def test_three_nodes_and_who_comes_late_has_it_from_whoever_is_there(tmp_path):
    async with local_relay() as relay, fleet(tmp_path, relay, 3) as (anne, bert, cleo):
        meet(anne, bert)
        talk = await anne.talk("one")
        await same(anne, bert, conversation=talk)
        await bert.talk("two", conversation=talk)
        told = await same(anne, bert, conversation=talk)
        part(anne, bert)
        meet(bert, cleo)
        assert await same(bert, cleo, conversation=talk) == told
        await cleo.replication.fetched(talk)  # nothing more to fetch ends at once
        assert cleo.replication.place(talk) == anne.key.public
        await cleo.talk("three", conversation=talk)
        part(bert, cleo)
        meet(anne, cleo)
        assert len(await same(anne, cleo, conversation=talk)) == 6


async def test_fetched_returns_once_it_is_here(tmp_path):
    async with local_relay() as relay, fleet(tmp_path, relay) as (anne, bert):
        talk = await anne.talk(*(f"message {n}" for n in range(5)))
        bert.town.alive.add(anne.key.public)
        anne.town.alive.add(bert.key.public)
        with anyio.fail_after(10):
            await bert.replication.fetched(talk)
            assert len(await bert.texts(talk)) == 10
            await bert.replication.fetched(ConversationId(uuid7()))  # nobody has it


async def test_letters_that_get_lost_are_made_good(tmp_path):
    """A relay that drops the first events on their way down, and a third of all others."""
    chance, lost = random.Random(5), 0

    def drop(way, frame):
        nonlocal lost
        if way == "down" and frame[0] == "EVENT" and (lost < 3 or chance.random() < 1 / 3):
            lost += 1
            return []
        return [frame]

    async with (
        local_relay() as near,
        meddler(near, drop) as relay,
        fleet(tmp_path, relay) as (anne, bert),
    ):
        meet(anne, bert)
        talk = await anne.talk(*(f"message {n}" for n in range(9)))
        assert len(await same(anne, bert, conversation=talk)) == 18
        assert lost >= 3


async def test_a_member_that_lies_harms_nothing(tmp_path):
    async with local_relay() as relay, fleet(tmp_path, relay) as (anne, bert):
        talk = await anne.talk("one")
        meet(anne, bert)
        told = await same(anne, bert, conversation=talk)
        heads = await bert.heads(talk)
        stray = _message(
            "stray", talk, ("bafyreihnz6pkqyyoyjhwdgyh3jcz7ucpyj4hh7zj7m7ovlb3qxyfy4s2qm",)
        )
        blocks = (block_of(stray).data, b"junk")
        bad = Parcel(
            id=talk, heads=(block_of(stray).cid,), blocks=blocks, more=False, turns=(), taken={},
            title="t", titled=0, place=anne.key.public, root="/", created=1,
        )  # fmt: skip
        have = Have((Row(ConversationId(uuid7()), heads, "0" * 16),), ask=True)
        for n, (kind, body) in enumerate(
            (
                ("blocks", pack(Blocks("", (bad,)))),
                ("blocks", b"no zlib"),
                ("blocks", pack(Blocks("", (bad,)))[:-3]),
                ("have", msgspec.json.encode(have)),
                ("have", b'{"rows": [["x", [], ""]]}'),
                ("want", b"[[[["),
            )
        ):
            letter = Letter(bert.key.public, kind, body, ttl_ms=60_000)
            data = write(seal(anne.key, letter, (1 << 62) + n, CLOCK.now_ms()))
            await bert.post.take(Received(data, anne.key.public, "test", durable=False))

        async def refused():
            return (await bert.query("replication.status"))["refused"].get("malformed", 0) >= 4

        await until(refused)
        counts = (await bert.query("replication.status"))["refused"]
        assert (counts["orphan"], counts["no message"]) == (1, 1)
        assert await bert.texts(talk) == told
        assert await bert.heads(talk) == heads
        await anne.talk("two", conversation=talk)
        assert len(await same(anne, bert, conversation=talk)) == 4
        assert await bert.store.verify() == ()


def _message(text, conversation, parents=()):
    turn, session = TurnId(uuid7()), SessionId(uuid7())
    return Message(conversation, session, turn, "user", (Text(text),), 1, "n", "00", tuple(parents))


async def test_a_store_from_yesterday_gets_everything_again(tmp_path):
    """A node whose disk was put back forgot what it had; the other one still counts on it."""
    async with local_relay() as relay:
        async with fleet(tmp_path, relay) as (anne, bert):
            talk = await anne.talk("one")
            meet(anne, bert)
            await same(anne, bert, conversation=talk)
            data = bert.house.settings.data_dir
        await anyio.to_thread.run_sync(shutil.rmtree, data)
        async with fleet(tmp_path, relay) as (anne, bert):
            meet(anne, bert)
            assert len(await same(anne, bert, conversation=talk)) == 2


@pytest.mark.slow
async def test_killed_half_way_it_goes_on_where_it_was(tmp_path):
    place = ConversationId(uuid7())
    source, target = tmp_path / "a.db", tmp_path / "b.db"
    async with Store.open(source, CLOCK) as giver:
        await giver.conversations.create(conversation=place, root="/work")
        parents = ()
        for n in range(200):
            said = _message(f"message {n} " + "x" * 200, place, parents)
            parents = await giver.conversations.append(said)
        whole = await giver.conversations.history(place)
    taken = await anyio.to_thread.run_sync(_killed, source, target, place)
    async with Store.open(target, CLOCK) as taker:
        held = await taker.conversations.history(place)
        assert taken <= len(held) < len(whole)
        assert list(held) == list(whole[: len(held)])
        assert await taker.verify() == ()
        async with Store.open(source, CLOCK) as giver:
            cut = await giver.replicas.cut(await taker.replicas.wanted(place), "a" * 64, 1 << 20)
            await taker.replicas.take(cut.parcel, "b" * 64)
        assert await taker.conversations.history(place) == whole
        assert await taker.verify() == ()


def _killed(source, target, place):
    """How many messages a process said it has, when it was killed."""
    child = Path(__file__).with_name("replica_child.py")
    words = [sys.executable, str(child), str(source), str(target), place]
    taken = 0
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            taken += int(line)
            if taken >= 20:
                running.send_signal(signal.SIGKILL)
                break
    assert running.returncode == -signal.SIGKILL
    return taken
