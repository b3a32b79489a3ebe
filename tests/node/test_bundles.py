from contextlib import asynccontextmanager

import anyio
import pytest

from hermes.core.clock import SystemClock
from hermes.errors import BundleInvalid, Usage
from hermes.identity.hot import HotKey
from hermes.identity.npub import npub_of
from hermes.mesh.envelope import Letter
from hermes.mesh.post import Post
from hermes.node.bundles import Bundles
from hermes.store.store import Store

ANNE, BERT, EVE = (HotKey(bytes([n]) * 32) for n in (1, 2, 9))


class Identity:
    """An unlocked signer."""

    def __init__(self, key):
        self._key = key

    async def agent(self):
        return self

    async def hot_key(self):
        return self._key.secret.hex()


class Counter:
    """A post office that nobody runs, for a fleet of two (`node.by_hand` has the real one)."""

    fleet = None

    def __init__(self, store, key):
        self._store, self._key = store, key

    def open(self):
        return self._opened()

    @asynccontextmanager
    async def _opened(self):
        async with office(self._store, self._key, {ANNE.public, BERT.public}) as self._post:
            yield self

    async def take(self, received):
        return await self._post.take(received)

    async def refused(self):
        return await self._post.refused()


@pytest.fixture
def node(tmp_path):
    @asynccontextmanager
    async def opened(key):
        clock = SystemClock()
        async with Store.open(tmp_path / f"{key.public[:8]}.db", clock) as store:
            yield store, Bundles(store, clock, Identity(key), lambda: Counter(store, key))

    return opened


@asynccontextmanager
async def office(store, key, friends=frozenset({ANNE.public, BERT.public, EVE.public})):
    async with Post(key, store.mesh, (), SystemClock(), lambda who, _: who in friends) as post:
        yield post


async def put(store, key, *letters):
    async with office(store, key) as post:
        return [await post.send(letter) for letter in letters]


async def test_letters_go_by_hand_and_receipts_come_back_by_hand(node, tmp_path):
    there, back = str(tmp_path / "there.hbundle"), str(tmp_path / "back.hbundle")
    async with node(ANNE) as (anne, annes), node(BERT) as (bert, berts):
        names = await put(
            anne, ANNE, *(Letter(BERT.public, "turn", b"x" * size) for size in (1, 90_000))
        )
        told = await annes.export(there)
        assert (told["letters"], told["receipts"], told["to"]) == (2, 0, [BERT.public])
        for refused in ({}, {"replayed": 2}):
            found = await berts.bring(there)
            assert (found["letters"], found["refused"]) == (2, refused)
            assert found["creator"] == npub_of(ANNE.public)
        async with office(bert, BERT) as post:
            turns = post.received("turn")
            for _ in names:
                with anyio.fail_after(5):
                    await post.settle((await turns.receive()).envelope)
        assert (await berts.export(back))["receipts"] == 1
        assert len(await anne.mesh.waiting()) == 2
        assert (await annes.bring(back))["refused"] == {}
        assert await anne.mesh.waiting() == ()
        assert [await anne.mesh.fate(name) for name in names] == [("delivered", "")] * 2


async def test_only_for_who_is_named(node, tmp_path):
    path = tmp_path / "a.hbundle"
    async with node(ANNE) as (anne, annes):
        with pytest.raises(Usage, match="nothing waits"):
            await annes.export(str(path))
        await put(anne, ANNE, Letter(BERT.public, "turn", b"1"), Letter(EVE.public, "turn", b"2"))
        told = await annes.export(str(path), to=(npub_of(BERT.public),))
        assert (told["letters"], told["to"]) == (1, [BERT.public])
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(Usage, match="exists already"):
            await annes.export(str(path))
        with pytest.raises(Usage, match="cannot write"):
            await annes.export(str(tmp_path / "no" / "such"))
        with pytest.raises(BundleInvalid, match="somebody else"):
            await annes.bring(str(path))
        with pytest.raises(Usage, match="cannot be read"):
            await annes.bring(str(tmp_path / "none"))


async def test_a_revoked_node_brings_nothing_in(node, tmp_path):
    path = str(tmp_path / "eve.hbundle")
    async with node(EVE) as (eve, eves), node(BERT) as (bert, berts):
        await put(eve, EVE, Letter(BERT.public, "turn", b"let me in"))
        await eves.export(path)
        assert (await berts.bring(path))["refused"] == {"not admitted": 1}
        assert await bert.mesh.came() == ()
