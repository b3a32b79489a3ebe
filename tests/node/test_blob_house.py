"""The blob house: real stores, chunks and endpoints; a cable between two of them."""

import os
import socket
from contextlib import asynccontextmanager

import anyio
import pytest

from hermes.config import Mesh, Settings
from hermes.core.clock import SystemClock
from hermes.errors import BlobRefused, NotAvailable, SettingsInvalid
from hermes.identity.hot import HotKey
from hermes.mesh.blob_client import BlobClient
from hermes.mesh.blob_seal import digest_of
from hermes.mesh.blobs import Blobs
from hermes.mesh.envelope import Letter
from hermes.mesh.members import Card
from hermes.mesh.post import Post
from hermes.node.blob_house import BlobHouse
from hermes.node.whereabouts import Whereabouts
from hermes.store.blob_chunks import OWN, Chunks
from hermes.store.store import Store
from hermes.testing.links import Cable

ANNE, BERT, EVE = (HotKey(bytes([n]) * 32) for n in (1, 2, 9))
CLOCK = SystemClock()
PAYLOAD = bytes(range(256)) * 2_000


class People:
    """A fleet of two."""

    others = (ANNE.public, BERT.public)

    def admits(self, node, _payload_type=""):
        return node in self.others


def unreported(part, error):
    raise AssertionError(f"{part}: {error!r}") from error


class Node:
    """A house, its places, and whatever it said."""

    def __init__(self, base, store, blobs, relays=()):
        mesh = Mesh(blobs=blobs, relays=relays)
        self.settings = Settings(data_dir=base, config_dir=base, runtime_dir=base, mesh=mesh)
        self.store = store
        self.places = Whereabouts(self.settings.mesh, store)
        self.house = BlobHouse(self.settings, People(), self.places, CLOCK, unreported)
        self.up = anyio.Event()
        self.said = []

    def say(self, text):
        self.said.append(text)
        self.up.set()


@pytest.fixture
def node(tmp_path):
    @asynccontextmanager
    async def opened(key, blobs="127.0.0.1:0", relays=("ws://127.0.0.1:1",)):
        base = tmp_path / key.public[:8]
        base.mkdir(exist_ok=True)
        async with (
            Store.open(base / "hermes.db", CLOCK) as store,
            anyio.create_task_group() as tasks,
        ):
            made = Node(base, store, blobs, relays)
            if blobs:
                tasks.start_soon(made.house.run, made.say)
                with anyio.fail_after(5):
                    await made.up.wait()
            yield made
            tasks.cancel_scope.cancel()

    return opened


async def test_it_says_where_it_serves_and_members_may_ask(node):
    async with node(ANNE) as anne:
        url = anne.places.blobs
        assert anne.said == [url]
        assert url.startswith("http://127.0.0.1:")
        chunks = await anne.house._opened()
        reference = await Blobs(chunks).keep(PAYLOAD)
        async with BlobClient.open(url, BERT, CLOCK) as bert:
            assert await bert.has(reference.root)
        async with BlobClient.open(url, EVE, CLOCK) as eve:
            with pytest.raises(BlobRefused) as raised:
                await eve.get(reference.root)
            assert raised.value.reason == "stranger"
        told = await anne.house.status()
        assert (told["address"], told["refused"]) == (url, {"stranger": 1})
        assert told["own"] == chunks.used(OWN) > len(PAYLOAD)
    assert anne.places.blobs == ""


async def test_an_address_that_is_taken_is_named_and_one_that_is_none(node):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with node(ANNE, "") as anne:
            for blobs, error in (
                (f"127.0.0.1:{port}", NotAvailable),
                ("0.0.0.0:1", SettingsInvalid),
            ):
                house = Node(anne.settings.data_dir, anne.store, blobs).house
                with pytest.raises(error, match="blob endpoint"):
                    await house.run(anne.say)


async def test_old_chunks_of_others_are_swept(node, tmp_path):
    base = tmp_path / ANNE.public[:8]
    chunks = await Chunks.open(base / "chunks")
    old = digest_of(b"of last year")
    await chunks.put(old, b"of last year", BERT.public)
    await chunks.put(digest_of(b"of today"), b"of today", BERT.public)
    os.utime(base / "chunks" / BERT.public / old, (1, 1))
    async with node(ANNE) as anne:
        with anyio.fail_after(5):
            while len((await anne.house._opened()).owned(BERT.public)) == 2:  # noqa: ASYNC110 - files have no event
                await anyio.sleep(0.01)


@pytest.mark.parametrize(
    "told",
    [
        "ftp://host:1",
        "http://host",
        "http://user@host:1",
        "http://host:1/path",
        "http://" + "a" * 64 + ":1",
        "http://[::1]:1",
        "http://host:1\nx",
        "file:///etc/passwd",
    ],
)
async def test_what_a_card_says_is_dialled_only_if_it_is_an_address(node, told):
    async with node(ANNE, "") as anne:
        await anne.places.saw(BERT.public, Card(1, 1 << 50, blobs=told))
        assert anne.house.where(BERT.public) == ""
        await anne.places.saw(BERT.public, Card(2, 1 << 50, blobs="http://127.0.0.1:7448"))
        assert anne.house.where(BERT.public) == "http://127.0.0.1:7448"
        await anne.places.saw(EVE.public, Card(2, 1 << 50, blobs="http://127.0.0.1:7448"))
        assert anne.house.where(EVE.public) == ""


@pytest.mark.parametrize("near", ["127.0.0.1", "127.9.9.9", "localhost", "169.254.169.254"])
async def test_what_is_on_this_machine_alone_is_no_member_s_to_name(node, near):
    told = f"http://{near}:6379"
    for relays, found in ((("wss://relay.example",), ""), (("ws://127.0.0.1:7447",), told)):
        async with node(ANNE, "", relays) as anne:
            await anne.places.saw(BERT.public, Card(1, 1 << 50, blobs=told))
            assert anne.house.where(BERT.public) == found
            await anne.places.saw(BERT.public, Card(2, 1 << 50, blobs="http://192.168.1.20:7448"))
            assert anne.house.where(BERT.public) == "http://192.168.1.20:7448"


async def test_a_card_s_address_is_known_after_a_restart(node):
    async with node(ANNE, "") as anne:
        await anne.places.saw(BERT.public, Card(1, 1 << 50, blobs="http://127.0.0.1:1"))
        assert not await anne.places.saw(BERT.public, Card(2, 1 << 50, blobs="http://127.0.0.1:2"))
    async with node(ANNE, "") as anne:
        await anne.places.load()
        assert anne.house.where(BERT.public) == "http://127.0.0.1:2"


@pytest.mark.parametrize("serving", ["sender", "recipient"])
async def test_a_large_letter_goes_from_house_to_house(node, serving):
    cable, people = Cable(), People()
    addresses = ("127.0.0.1:0", "") if serving == "sender" else ("", "127.0.0.1:0")
    async with node(ANNE, addresses[0]) as anne, node(BERT, addresses[1]) as bert:
        await anne.places.saw(BERT.public, Card(1, 1 << 50, blobs=bert.places.blobs))
        await bert.places.saw(ANNE.public, Card(1, 1 << 50, blobs=anne.places.blobs))
        posts = [
            Post(key, one.store.mesh, (cable.end(key.public),), CLOCK, people.admits)
            for key, one in ((ANNE, anne), (BERT, bert))
        ]
        posts[0].freight = await anne.house.freight(ANNE)
        posts[1].freight = await bert.house.freight(BERT)
        async with posts[0] as first, posts[1] as second:
            letters = second.received("blocks")
            name = await first.send(Letter(BERT.public, "blocks", PAYLOAD))
            with anyio.fail_after(10):
                arrival = await letters.receive()
                assert arrival.envelope.data == PAYLOAD
                await second.settle(arrival.envelope)
                assert (await first.outcome(name)).arrived
