"""Where others say that they read: taken from signed lists, newest first, and used when sending."""

import time

import anyio
import pytest
from dm_house import phone, serving
from house import House
from witness_house import CLOCK

from hermes.config import Mesh
from hermes.mesh.event import Filter
from hermes.mesh.members import Card
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_keys import NostrKeys
from hermes.node.relay_lists import RelayLists
from hermes.node.whereabouts import Whereabouts
from hermes.store.store import Store
from hermes.testing.relays import local_relay, meddler

ALICE = NostrKeys(b"\1" * 32)
NOW = int(time.time())


@pytest.fixture
async def relay():
    async with local_relay() as url:
        yield url


async def lists_of(folder, relay, *events):
    """What is known of Alice after these events."""
    async with (
        Store.open(folder / "hermes.db", CLOCK) as store,
        Wire(NostrKeys(b"\2" * 32), CLOCK) as wire,
    ):
        await wire.connect([relay])
        for one in events:
            await wire.publish(one)
        lists = RelayLists(wire, store.witness, CLOCK)
        await lists.load()
        before = lists.where(ALICE.public)
        await lists.look([ALICE.public], [relay, "ws://127.0.0.1:9"])
        return before, lists.where(ALICE.public)


def listed(kind, *urls, at=NOW):
    name = "r" if kind == 10002 else "relay"
    return ALICE.sign(kind, "", tuple((name, url) for url in urls), at)


async def test_the_inbox_comes_before_the_general_list_and_is_remembered(tmp_path, relay):
    general, inbox = listed(10002, "ws://general"), listed(10050, "ws://inbox")
    assert await lists_of(tmp_path, relay, general) == ((), ("ws://general",))
    assert await lists_of(tmp_path, relay, inbox) == (("ws://general",), ("ws://inbox",))


async def test_an_older_list_takes_no_newers_place_and_one_from_the_future_none(tmp_path, relay):
    await lists_of(tmp_path, relay, listed(10050, "ws://new"))
    async with local_relay() as liar:
        old = listed(10050, "ws://old", at=NOW - 1_000)
        assert await lists_of(tmp_path, liar, old) == (("ws://new",), ("ws://new",))
    async with local_relay() as liar:
        ahead = listed(10050, "ws://ahead", at=NOW + 100_000)
        assert await lists_of(tmp_path, liar, ahead) == (("ws://new",), ("ws://new",))


async def test_a_members_list_adds_to_what_its_card_says(tmp_path):
    async with Store.open(tmp_path / "hermes.db", CLOCK) as store:
        places = Whereabouts(Mesh(), store)
        places.listed["a"] = ("ws://listed", "ws://card")
        assert places.where("a") == ("ws://listed", "ws://card")
        assert not places.is_known("a")
        await places.saw("a", Card(1, 2, relays=("ws://card",)))
        assert places.where("a") == ("ws://card", "ws://listed")
        assert places.is_known("a")


async def test_answers_go_where_a_person_reads(tmp_path, relay):
    house = House(tmp_path)
    model = house.script(*({"text": f"answer {n}"} for n in range(50)))
    house = House(tmp_path, model=model)
    asked = []

    def hear(way, frame):
        if way == "up" and frame[0] == "REQ":
            asked.extend(kind for wish in frame[2:] for kind in wish.get("kinds", ()))
        return [frame]

    async with (
        local_relay() as other,
        meddler(other, hear) as heard,
        Store.open(tmp_path / "lists.db", CLOCK) as store,
        serving(house, relay, book=store.witness) as post,
        phone(relay) as person,
    ):
        await post.dms.wire.connect([heard])
        await person.wire.connect([heard])
        wraps = Filter(kinds=(1059,), tags={"p": (person.keys.public,)})
        await person.publish(person.keys.sign(10050, "", (("relay", relay),), NOW))
        await post.pair(person)  # answered everywhere; then the list is looked up
        with anyio.fail_after(10):
            while not await store.witness.lists():  # noqa: ASYNC110 - another's task
                await anyio.sleep(0.01)
        before = len(await person.wire.fetch(wraps, url=heard))
        assert await person.ask("hello") == "answer 0"
        assert len(await person.wire.fetch(wraps, url=relay)) == 2
        assert len(await person.wire.fetch(wraps, url=heard)) == before == 1
        assert 10050 in asked
