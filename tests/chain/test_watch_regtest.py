"""Anchors on a real regtest chain that reorganises, is double-spent, grows dear."""

import shutil

import pytest
from anchor_house import STRANGER, house, visit
from embit.script import Script, Witness
from embit.transaction import Transaction, TransactionInput, TransactionOutput

from hermes.chain.keeper import coin_after
from hermes.chain.payloads import genesis_payload
from hermes.chain.scripts import payload_script
from hermes.chain.sighash import keyhash_code
from hermes.chain.transaction import outpoint_of, transaction_of
from hermes.core.anchor import AnchorKind, Payload
from hermes.errors import CoinGone
from hermes.store.anchors import Anchor, AnchorId, Attempt
from hermes.testing.regtest import Regtest
from hermes.testing.regtest.anyone import anyone, spend

SPARE = "02" + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"


def evict(h, *txids: str) -> None:
    """Let the server forget what waits, as a restarted one does."""
    h.chain._node.pool._drop({bytes.fromhex(one)[::-1] for one in txids})


def steal(h, coin: str, value: int) -> bytes:
    """A spend of the plain coin by whoever else holds the key."""
    point = outpoint_of(coin)
    spend = TransactionInput(bytes.fromhex(point.txid), point.index, sequence=0xFFFFFFFD)
    outputs = [TransactionOutput(value // 2 - 2_500, Script(STRANGER)) for _ in range(2)]
    made = Transaction(2, [spend], outputs, 0)
    code = Script(keyhash_code(h.keeper.scripts.coin))
    signature = h.keys.sign_ecdsa(made.sighash_segwit(0, code, value)) + b"\x01"
    made.vin[0].witness = Witness([signature, h.keeper.scripts.public])
    return made.serialize()


def value_of(anchor) -> int:
    return transaction_of(anchor.attempts[-1].raw).outputs[1].value


async def tick(h, times: int = 1) -> None:
    async with h.keeper.connect() as backend:
        for _ in range(times):
            await h.keeper.tick(backend)


@pytest.mark.parametrize("depth", [3, 10])
@pytest.mark.parametrize("forgotten", [False, True])
async def test_a_reorg_undoes_an_anchor_and_it_is_mined_again(tmp_path, depth, forgotten):
    async with house(tmp_path) as h:
        await h.first()
        await h.chain.mine()
        await tick(h)
        assert await h.states() == ["mined", "mined"]
        before = [one.block for one in await h.store.anchors.list()]
        await h.chain.mine(depth - 2)
        await h.chain.reorg(depth)
        both = [one.attempts[-1].txid for one in await h.store.anchors.list()]
        if forgotten:
            evict(h, *both)
        await tick(h)
        assert sorted(await h.chain.mempool()) == sorted(both)
        await tick(h)
        assert await h.states() == ["seen", "seen"]
        await h.chain.mine()
        await tick(h)
        anchors = await h.store.anchors.list()
        assert [one.state for one in anchors] == ["mined", "mined"]
        assert not {one.block for one in anchors} & set(before)
        assert [len(one.attempts) for one in anchors] == [1, 1]


async def test_a_settled_anchor_too_is_looked_at_again(tmp_path):
    async with house(tmp_path) as h:
        await h.first()
        await h.chain.mine(8)
        await tick(h)
        assert await h.states() == ["settled", "settled"]
        await h.chain.reorg(10)
        await tick(h)
        assert "settled" not in await h.states()


async def test_a_stolen_coin_halts_everything_until_a_person_looked(tmp_path):
    async with house(tmp_path) as h:
        anchoring = await h.first()
        await h.chain.mine()
        await tick(h)
        last = (await h.store.anchors.list())[-1]
        thief = await h.chain.send(steal(h, coin_after(last), value_of(last)))
        await h.say("two")
        with pytest.raises(CoinGone, match=thief):
            await anchoring.now()
        assert len(h.told) == 1
        assert (
            f"somebody else spent the continuity coin {coin_after(last)}, in {thief}" in h.told[0]
        )
        assert (await anchoring.status())["halted"]["spender"] == thief
        with pytest.raises(CoinGone):
            await h.anchoring().now()  # a restarted owner knows
        with pytest.raises(CoinGone):
            await anchoring.resume()
        evict(h, thief)
        assert await anchoring.resume() == {"halted": None}
        assert (await anchoring.now())["state"] == "seen"
        assert (await anchoring.status())["halted"] is None


async def test_a_coin_that_is_stolen_under_an_open_anchor_loses_it(tmp_path):
    async with house(tmp_path) as h:
        await h.first()
        anchor = (await h.store.anchors.list())[-1]
        genesis = (await h.store.anchors.list())[0]
        evict(h, anchor.attempts[-1].txid)
        await h.chain.send(steal(h, anchor.attempts[-1].coin, value_of(genesis)))
        await h.chain.mine()
        with pytest.raises(CoinGone):
            await tick(h)
        assert await h.states() == ["mined", "lost"]
        await h.chain.reorg(1)
        evict(h, *await h.chain.mempool())
        await h.anchoring().resume()
        await tick(h, 2)
        assert await h.states() == ["mined", "seen"]


async def test_a_twin_of_the_instance_is_noticed(tmp_path):
    async with Regtest() as chain, visit(tmp_path / "a", chain) as one:
        await one.first()
        await chain.mine()
        await tick(one)
        shutil.copytree(tmp_path / "a/data/identity", tmp_path / "b/data/identity")
        async with visit(tmp_path / "b", chain) as twin, twin.keeper.connect() as backend:
            assert await twin.keeper.adopt(backend) == 2
            await twin.keeper.tick(backend)
            # Its signer would refuse another log; a batch commits to nothing of the log.
            await twin.store.anchors.add(int(AnchorKind.BATCH), b"HRM2\x01\x03" + bytes(32))
            await twin.keeper.tick(backend)
            await one.say("two")
            with pytest.raises(CoinGone):
                await one.anchoring().now()


async def test_a_fee_spike_is_waited_out(tmp_path):
    async with house(tmp_path) as h:
        await h.fund()
        h.chain.rates.estimate = 80.0
        anchoring = h.anchoring()
        told = await anchoring.now()
        genesis = (await anchoring.status())["anchors"][0]
        assert (told["state"], genesis["state"]) == ("draft", "draft")
        assert genesis["says"].startswith("fees are at 80.0 sat/vB, at most 50 are paid")
        assert await h.chain.mempool() == ()
        h.chain.rates.estimate = 3.0
        await tick(h, 2)
        first = (await h.store.anchors.list())[0]
        assert (first.state, first.says) == ("seen", "")


async def test_a_person_may_name_the_rate_within_the_cap(tmp_path):
    async with house(tmp_path) as h:
        await h.fund()
        anchoring = h.anchoring()
        await anchoring.now(rate=60.0)
        assert "60.0 sat/vB" in (await anchoring.status())["anchors"][0]["says"]
        await anchoring.now(rate=9.0)
        assert 8.9 <= (await anchoring.status())["anchors"][0]["rate"] <= 9.2


async def test_a_stuck_anchor_is_raised_up_to_the_caps_and_one_of_them_is_mined(tmp_path):
    async with house(tmp_path, fee_rate_most=10.0) as h:
        await h.first()
        h.chain.rates.block = 9.0
        rates = []
        for _ in range(4):
            await h.chain.mine(6)
            await tick(h, 2)
            anchor = (await h.store.anchors.list())[-1]
            rates.append(round(anchor.attempts[-1].fee / anchor.attempts[-1].size, 1))
        assert rates == [3.0, 4.5, 6.8, 10.0]
        assert len({one.coin for one in anchor.attempts}) == 1
        assert await h.chain.mempool() == (anchor.attempts[-1].txid,)
        h.chain.rates.block = 11.0
        await h.chain.mine(6)
        await tick(h)
        anchor = (await h.store.anchors.list())[-1]
        assert "more is not allowed" in anchor.says
        assert len(anchor.attempts) == 5
        h.chain.rates.block = 1.0
        await h.chain.mine()
        await tick(h)
        assert (await h.store.anchors.list())[-1].state == "mined"


async def test_an_earlier_attempt_may_be_the_one_that_is_mined(tmp_path):
    async with house(tmp_path) as h:
        await h.first()
        first = (await h.store.anchors.list())[-1].attempts[0]
        h.chain.rates.block = 50.0
        await h.chain.mine(6)
        await tick(h)
        await h.chain.reorg(1, transactions=[first.raw])
        await tick(h)
        anchor = (await h.store.anchors.list())[-1]
        assert (anchor.state, anchor.txid, len(anchor.attempts)) == ("mined", first.txid, 2)
        await h.say("two")
        h.chain.rates.block = 1.0
        await h.anchoring().now()
        spent = (await h.store.anchors.list())[-1].attempts[-1].coin
        assert spent == f"{first.txid}:1"


async def test_the_month_has_its_cap_whatever_the_clock_says(tmp_path):
    async with house(tmp_path, month_most=700) as h:
        anchoring = await h.first()  # two anchors of 160 vB at 2 sat/vB
        await h.chain.mine()
        await tick(h)
        await h.say("two")
        h.clock.skew = -365 * 24 * 3_600_000  # set back: what was paid still counts
        told = await anchoring.now()
        assert told["state"] == "draft"
        assert "this month has" in told["says"]
        h.clock.skew = 31 * 24 * 3_600_000
        assert (await anchoring.now())["state"] == "seen"


async def test_deposits_are_taken_in_when_the_coin_runs_low(tmp_path):
    async with house(tmp_path) as h:
        anchoring = await h.first(1_000)
        await h.chain.mine()
        await h.fund(3_000)
        await h.say("two")
        assert (await anchoring.now())["state"] == "seen"
        third = (await h.store.anchors.list())[-1]
        assert len(transaction_of(third.attempts[0].raw).inputs) == 2
        h.chain.rates.block = 50.0
        await h.chain.mine(6)
        await tick(h, 2)  # a replacement keeps both inputs
        third = (await h.store.anchors.list())[-1]
        assert len(third.attempts) == 2
        points = [{i.outpoint for i in transaction_of(a.raw).inputs} for a in third.attempts]
        assert points[0] == points[1]


async def test_a_deposit_that_somebody_spent_is_left_out(tmp_path):
    async with house(tmp_path) as h:
        coin = await h.fund()
        anchoring = h.anchoring()
        await anchoring.now()
        genesis = (await h.store.anchors.list())[0]
        evict(h, genesis.attempts[0].txid)
        await h.chain.send(steal(h, coin, 100_000))
        await h.fund(50_000)
        await tick(h, 2)
        genesis = (await h.store.anchors.list())[0]
        assert (genesis.state, len(genesis.attempts)) == ("seen", 2)
        assert (await anchoring.status())["halted"] is None


async def test_a_coin_with_a_recovery_path_goes_on_like_any_other(tmp_path):
    async with house(tmp_path, recovery=(SPARE, 144)) as h:
        anchoring = await h.first()
        assert h.keeper.scripts.coin[:2] == b"\x00\x20"
        for text in ("two", "three"):
            await h.chain.mine()
            await tick(h)
            await h.say(text)
            assert (await anchoring.now())["state"] == "seen"
        await h.chain.mine()
        await tick(h)
        assert await h.states() == ["mined"] * 4
        for anchor in await h.store.anchors.list():
            (made,) = anchor.attempts
            assert 2.0 <= made.fee / made.size < 2.05  # the size was told rightly beforehand


async def test_a_lost_store_finds_its_lineage_again(tmp_path):
    async with house(tmp_path, recovery=(SPARE, 144)) as h:
        anchoring = await h.first()
        await h.chain.mine()
        await tick(h)
        await h.say("two")
        await anchoring.now()
        await h.chain.mine()
        await tick(h)
        known = await h.store.anchors.list()
        lost = visit(tmp_path, h.chain, recovery=(SPARE, 144), db="other.db")
        async with lost as again, again.keeper.connect() as backend:
            assert await again.keeper.adopt(backend) == 3
            await again.keeper.tick(backend)
            found = await again.store.anchors.list()
            same = [(one.kind, one.payload, one.txid, one.block, one.height) for one in known]
            told = [(one.kind, one.payload, one.txid, one.block, one.height) for one in found]
            assert told == same
            assert await again.keeper.adopt(backend) == 0
            coin = coin_after(found[-1])
            await again.store.anchors.add(int(AnchorKind.BATCH), b"HRM2\x01\x03" + bytes(32))
            await again.keeper.tick(backend)
            assert (await again.store.anchors.list())[-1].attempts[0].coin == coin


async def test_somebody_who_pays_to_our_script_starts_no_lineage(tmp_path):
    async with house(tmp_path) as h:
        await h.first()
        await h.chain.mine()
        stranger = visit(tmp_path / "other", h.chain, secret=b"two")
        async with stranger as other, other.keeper.connect() as backend:
            await other.fund()
            assert await other.keeper.adopt(backend) == 0
            told = await other.anchoring().now()
            assert told["kind"] == "checkpoint"
            assert len(await other.store.anchors.list()) == 2


async def test_a_strangers_payload_to_our_script_starts_no_lineage(tmp_path):
    async with house(tmp_path) as h:
        forged = (Payload(AnchorKind.HANDOFF, bytes(64)), genesis_payload(h.genesis))
        for payload in forged:
            coin = await h.chain.fund(anyone(), 50_000)
            outputs = [(payload_script(payload), 0), (h.keeper.scripts.coin, 40_000)]
            await h.chain.send(spend({coin: 0}, outputs))
            await h.chain.mine()
        async with h.keeper.connect() as backend:
            assert await h.keeper.adopt(backend) == 0
        told = await h.anchoring().now()  # it is money like any other
        assert told["kind"] == "checkpoint"


async def test_drafts_wait_their_turn_behind_one_open_anchor(tmp_path):
    async with house(tmp_path) as h:
        await h.fund()
        for number in range(3):
            await h.store.anchors.add(int(AnchorKind.BATCH), b"HRM2\x01\x03" + bytes([number] * 32))
        seen = []
        for _ in range(3):
            await tick(h, 2)
            seen.append(await h.states())
            assert len(await h.chain.mempool()) == 1
            await h.chain.mine()
        await tick(h)
        assert seen == [
            ["seen", "draft", "draft"],
            ["mined", "seen", "draft"],
            ["mined", "mined", "seen"],
        ]
        lineage = [one.attempts[0].coin for one in await h.store.anchors.list()][1:]
        assert lineage == [coin_after(one) for one in (await h.store.anchors.list())[:-1]]


async def test_a_handoff_that_two_signed_is_sent_again_but_never_replaced_alone(tmp_path):
    async with house(tmp_path) as h:
        await h.first()
        await h.chain.mine()
        await tick(h)
        last = (await h.store.anchors.list())[-1]
        raw = steal(h, coin_after(last), value_of(last))
        found = transaction_of(raw)
        body = Payload(AnchorKind.HANDOFF, bytes(64)).encode()
        made = Attempt(found.txid, coin_after(last), raw, 5_000, found.size, 1, 0)
        both = Anchor(
            id=AnchorId("h"), kind=AnchorKind.HANDOFF, payload=body, state="sent", attempts=(made,)
        )
        await h.store.anchors.adopt(both, {})
        await h.chain.mine(8)
        await tick(h, 2)
        handoff = await h.store.anchors.get("h")
        assert (handoff.state, len(handoff.attempts)) == ("seen", 1)
        assert "signed by two" in handoff.says
