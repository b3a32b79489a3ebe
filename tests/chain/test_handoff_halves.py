"""A handoff that one side alone finishes, or that dies on its way: both know where they are."""

import sys
from functools import partial
from pathlib import Path

import anyio.to_thread
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from line_house import line, raw, text
from twisted import Dying

from hermes.chain.succession import Succession
from hermes.core.anchor import AnchorKind
from hermes.core.clock import SystemClock
from hermes.errors import ChainUnreachable, Refused


async def offered(a, b) -> tuple[bytes, bytes]:
    await a.begin()
    await a.mined(await a.heirs.stake(text(b.block)))
    offer = raw(await a.heirs.offer(text(b.block)))
    return offer, raw(await b.heirs.accept(text(offer)))


async def looked(one) -> None:
    """One look of the task that watches over anchors."""
    keeper = await one.anchoring._load()
    async with keeper.connect() as backend:
        await keeper.tick(backend)


async def test_a_handoff_that_the_heir_sent_is_no_theft_to_the_old_node(tmp_path):
    async with line(tmp_path) as (a, b, c):
        _, answer = await offered(a, b)
        told = await b.heirs.finish(text(answer))
        batch = await a.store.anchors.add(AnchorKind.BATCH, b"HRM2\x01\x03" + bytes(32))
        await looked(a)
        assert await a.store.anchors.halted() is None
        lost = await a.store.anchors.get(batch.id)
        assert (lost.state, "handed over" in lost.says) == ("lost", True)
        await b.mined(told)
        await looked(a)
        assert (await a.store.anchors.newest()).txid == told["txid"]
        for refused in (
            a.anchoring.now(regtest=True),
            a.heirs.stake(text(c.block)),
            a.heirs.offer(text(c.block)),
        ):
            with pytest.raises(Refused, match="handed over"):
                await refused
        assert (await a.heirs.show())["now"] == a.genesis.cid  # the records are in the answer
        await a.heirs.finish(text(answer))
        assert (await a.heirs.show())["now"] == b.genesis.cid


async def test_a_draft_behind_a_handoff_says_so_and_is_lost_with_it(tmp_path):
    async with line(tmp_path) as (a, b, _):
        _, answer = await offered(a, b)
        told = await a.heirs.finish(text(answer))
        batch = await a.store.anchors.add(AnchorKind.BATCH, b"HRM2\x01\x03" + bytes(32))
        await a.mined(told)
        waits = await a.store.anchors.get(batch.id)
        assert (waits.state, "handed over" in waits.says) == ("draft", True)
        await a.chain.mine(143)
        await looked(a)
        await looked(a)
        assert (await a.store.anchors.get(batch.id)).state == "lost"
        assert await a.store.anchors.open() == ()


async def test_an_heir_that_never_finishes_finds_itself_in_office(tmp_path):
    async with line(tmp_path) as (a, b, _):
        _, answer = await offered(a, b)
        before = await b.heirs.show()
        assert (before["now"], before["links"]) == (b.genesis.cid, 0)
        await a.mined(await a.heirs.finish(text(answer)))
        await b.anchor("mine now")
        told = await b.heirs.show()
        assert [one["genesis"] for one in told["instances"]] == [a.genesis.cid, b.genesis.cid]
        assert len(told["instances"][1]["anchors"]) == 2
        await b.heirs.finish(text(answer))  # late, and no second line
        assert (await b.heirs.show())["links"] == told["links"]


class Mortal(Succession):
    """Dies at one question to the server."""

    def connect(self):
        return Failing(super().connect(), self.at, self.after)


class Failing:
    def __init__(self, inner, at, after) -> None:
        self._inner, self._at, self._after = inner, at, after

    async def __aenter__(self):
        backend = await self._inner.__aenter__()
        return Dying(backend, self._at, ChainUnreachable("gone"), after=self._after)

    async def __aexit__(self, *error):
        return await self._inner.__aexit__(*error)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
async def test_dying_at_any_question_the_heir_loses_neither_coin_nor_line(tmp_path, after):
    async with line(tmp_path) as (a, b, _):
        _, answer = await offered(a, b)
        given = (b.settings, b.store, SystemClock(), b.signing.agent, b.checkpointing.sign)
        died = 0
        for at in range(9):
            mortal = await anyio.to_thread.run_sync(partial(Mortal, *given))
            mortal.at, mortal.after = at, after
            try:
                await mortal.finish(answer)
                break
            except ChainUnreachable:
                died += 1
                assert await b.store.anchors.halted() is None
        assert died == 3
        (row,) = await b.store.anchors.list()
        await a.chain.mine()
        await b.anchoring.wait(row.id, "mined")
        await b.anchor("mine now")
        assert (await b.heirs.show())["now"] == b.genesis.cid
        assert (await b.heirs.show())["links"] > 2
