"""Versions hand over by record: the one before names the next, the next says that it took over."""

import hashlib

import pytest
from gate_house import gate_house, little, off

from hermes.core.clock import SystemClock
from hermes.errors import IdentityLocked, SuccessorError
from hermes.identity.genesis import found
from hermes.identity.keys import Keys
from hermes.identity.signer_memory import Memory
from hermes.identity.signer_statements import Standing, state
from hermes.successor.generations import generations
from hermes.successor.records import TAKEN_KIND, Records
from hermes.successor.signing import Signing
from hermes.successor.trees import own_digest

SOUL = "a" * 64


class Signer:
    """The signer's own judgement, without its process."""

    def __init__(self, name: bytes) -> None:
        self.keys = Keys.from_secret(hashlib.sha256(name).digest(), "regtest")
        self.genesis = found(self.keys, SOUL, 1_000)
        self.standing = Standing(self.genesis, Memory(self.genesis.cid, SOUL), SOUL)

    async def __call__(self) -> "Signer":
        return self

    async def attest(self, kind, fields):
        return state(self.keys, kind, fields, self.standing, SystemClock().now_ms())


@pytest.fixture(scope="module")
def me():
    return Signer(b"me")


@pytest.fixture
def checkout(tmp_path):
    return little(tmp_path / "checkout")


async def adopted(house, **more) -> str:
    name = await house.candidate(**more)
    await house.yes(name)
    return (await house.adopting.adopt(name)).tag


async def take(house, tag) -> None:
    row = await house.records.untaken(tag)
    place = house.versions.pointer.place(tag)
    await house.records.take(row, await off(own_digest, place))


def stands(found):
    return [(one.tag, one.named.stands, one.taken.stands) for one in found]


async def test_both_sides_sign_and_the_log_has_both(tmp_path, checkout, me):
    async with gate_house(tmp_path, checkout, signer=me) as house:
        await take(house, first := await adopted(house))
        await adopted(house, changes={"hermes/two.py": "Y = 2\n"}, task="two")
        one, two = await generations(house.store, me.genesis)
        assert stands([one, two]) == [
            ("v0.2.0", "signed", "signed"), ("v0.3.0", "signed", "missing"),
        ]  # fmt: skip
        assert (one.previous, two.previous, one.outcome, two.outcome) == ("", first, "kept", None)
        (act,) = await house.store.acts.list(TAKEN_KIND)
        assert act.cid == one.taken.cid
        assert await house.store.log.index_of(act.cid) >= 0
        assert await house.store.verify() == ()


async def test_a_version_says_it_once(tmp_path, checkout, me):
    async with gate_house(tmp_path, checkout, signer=me) as house:
        await take(house, tag := await adopted(house))
        assert await house.records.untaken(tag) is None
        assert await house.records.untaken("") is None
        assert await house.records.untaken("v9.9.9") is None


async def test_files_that_changed_are_not_vouched_for(tmp_path, checkout, me):
    async with gate_house(tmp_path, checkout, signer=me) as house:
        tag = await adopted(house)
        place = house.versions.pointer.place(tag) / "hermes" / "more.py"
        place.chmod(0o644)
        place.write_text("X = 'another'\n")
        with pytest.raises(SuccessorError, match="not those that were adopted"):
            await take(house, tag)
        assert await house.records.untaken(tag)
        assert stands(await generations(house.store, me.genesis)) == [(tag, "signed", "missing")]


async def test_the_word_of_another_identity_does_not_hold(tmp_path, checkout, me):
    stranger = Signer(b"stranger")
    async with gate_house(tmp_path, checkout, signer=me) as house:
        tag = await adopted(house)
        row = await house.records.untaken(tag)
        theirs = Records(house.store, Signing(stranger, SystemClock()))
        await theirs.take(row, row.tree)
        assert stands(await generations(house.store, me.genesis)) == [(tag, "signed", "wrong")]
        assert stands(await generations(house.store, stranger.genesis)) == [
            (tag, "wrong", "signed")
        ]
        assert stands(await generations(house.store, None)) == [(tag, "wrong", "wrong")]


async def test_without_an_identity_both_are_there_and_unsigned(tmp_path, checkout):
    async with gate_house(tmp_path, checkout) as house:
        await take(house, tag := await adopted(house))
        assert stands(await generations(house.store, None)) == [(tag, "not signed", "not signed")]


async def test_while_it_is_locked_nothing_is_said(tmp_path, checkout, me):
    async def locked():
        raise IdentityLocked("locked")

    async with gate_house(tmp_path, checkout, signer=me) as house:
        tag = await adopted(house)
        row = await house.records.untaken(tag)
        with pytest.raises(IdentityLocked):
            await Records(house.store, Signing(locked, SystemClock())).take(row, row.tree)
        assert await house.records.untaken(tag) == row
