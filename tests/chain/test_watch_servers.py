"""Anchors through a server that lies, lags or dies: nothing false is believed, nothing is lost."""

import pytest
from anchor_house import house
from embit.transaction import Transaction
from test_watch_regtest import evict, steal, value_of
from twisted import Dying, Twisted

from hermes.chain.backend import Place, Tip
from hermes.chain.keeper import coin_after
from hermes.chain.transaction import transaction_of, txid_of
from hermes.core.anchor import AnchorKind
from hermes.errors import ChainError, ChainLied, ChainRefused, ChainUnreachable, NotAvailable

BATCH = b"HRM2\x01\x03" + bytes(32)


async def look(h, **answers) -> Twisted:
    """One look through a server that answers otherwise."""
    async with h.keeper.connect() as backend:
        bent = Twisted(backend, **answers)
        await h.keeper.tick(bent)
        return bent


async def test_a_block_that_does_not_hold_the_anchor_is_not_believed(tmp_path):
    async with house(tmp_path) as h:
        await h.first()
        tip = h.chain.tip
        lies = [
            {"height_of": lambda real, txid, script: tip.height},
            {
                "height_of": lambda real, txid, script: tip.height,
                "place": lambda real, txid, height: Place(height, 0, (b"\x01" * 32,)),
            },
            {
                "height_of": lambda real, txid, script: tip.height,
                "headers": lambda real, start, count: (b"\x00" * 80,),
            },
            {"height_of": lambda real, txid, script: tip.height + 9},
        ]
        for lie in lies:
            with pytest.raises(ChainError):
                await look(h, **lie)
            assert await h.states() == ["mined", "seen"]


async def test_a_made_up_height_makes_nothing_final(tmp_path):
    async with house(tmp_path) as h:
        await h.first()
        await h.chain.mine(2)
        await look(h, tip=lambda real: Tip(9_999, "00" * 32))
        assert await h.states() == ["mined", "mined"]


async def test_headers_without_work_or_links_count_for_nothing(tmp_path):
    async with house(tmp_path) as h:
        await h.first()
        await h.chain.mine(7)

        async def padded(real, start, count):
            found = await real.headers(start, count)
            return (*found, *[b"\x00" * 80] * 140)

        async def shuffled(real, start, count):
            found = await real.headers(start, count)
            return (found[0], *reversed(found[1:]))

        for lie in (padded, shuffled):
            with pytest.raises(ChainLied):
                await look(h, headers=lie)
        assert await h.states() == ["mined", "seen"]


async def test_a_forged_spend_of_the_coin_raises_no_alarm(tmp_path):
    async with house(tmp_path) as h:
        await h.first()
        await h.chain.mine()
        await look(h)
        last = (await h.store.anchors.list())[-1]
        forged = Transaction.parse(steal(h, coin_after(last), value_of(last)))
        forged.vin[0].witness.items[0] = forged.vin[0].witness.items[0][:-9] + bytes(8) + b"\x01"
        raw = forged.serialize()

        async def told(real, txid):
            return raw if txid == txid_of(raw) else await real.transaction(txid)

        other = last.attempts[0].raw
        hidden = {"transaction": lambda real, txid: raw if txid == txid_of(raw) else None}
        lies = [
            ({"transaction": told}, txid_of(raw), "forged spend"),
            (hidden, txid_of(raw), "forged spend"),
            ({"transaction": lambda real, txid: None}, "00" * 32, "does not know"),
            ({"transaction": lambda real, txid: b"junk"}, "00" * 32, "not a transaction"),
            ({"transaction": lambda real, txid: other}, txid_of(other), "does not spend"),
        ]
        for lie, spender, words in lies:
            with pytest.raises(ChainLied, match=words):
                await look(h, spender=lambda real, point, script, name=spender: name, **lie)
            assert await h.store.anchors.halted() is None


async def test_a_refusal_with_a_made_up_spender_makes_no_second_anchor(tmp_path):
    async with house(tmp_path) as h:
        for sat in (400, 400, 400):
            await h.fund(sat)
        await h.store.anchors.add(int(AnchorKind.BATCH), BATCH)

        async def refuse(real, raw):
            raise ChainRefused("no")

        await look(h, send=refuse)
        (anchor,) = await h.store.anchors.list()
        coin, other = (one.outpoint for one in transaction_of(anchor.attempts[0].raw).inputs[:2])

        async def spender(real, point, script):
            return txid_of(anchor.attempts[0].raw)[::-1] if point == other else None

        with pytest.raises(ChainLied):
            await look(h, send=refuse, spender=spender)
        (anchor,) = await h.store.anchors.list()
        assert [one.dead for one in anchor.attempts] == [False]
        assert coin not in (None, other)


async def test_deposits_are_what_their_transactions_say(tmp_path):
    async with house(tmp_path) as h:
        await h.fund(700)
        await h.store.anchors.add(int(AnchorKind.BATCH), BATCH)

        async def rich(real, script):
            (coin,) = await real.coins(script)
            return (type(coin)(coin.outpoint, 10**8, coin.script, coin.height),)

        await look(h, coins=rich)
        raw = (await h.store.anchors.list())[0].attempts[0].raw
        assert transaction_of(raw).outputs[1].value < 700
        assert (await look(h)).asked
        assert await h.states() == ["seen"]


async def test_a_deposit_that_nobody_has_is_no_money(tmp_path):
    async with house(tmp_path) as h:
        await h.fund()
        await h.store.anchors.add(int(AnchorKind.BATCH), BATCH)
        with pytest.raises(ChainLied, match="does not have"):
            await look(h, transaction=lambda real, txid: None)
        with pytest.raises(NotAvailable):
            await look(h, coins=lambda real, script: ())
        assert await h.states() == ["draft"]
        assert "no confirmed deposit" in (await h.store.anchors.list())[0].says


async def test_what_a_server_swallowed_is_sent_again(tmp_path):
    async with house(tmp_path) as h:
        await h.fund()
        await h.store.anchors.add(int(AnchorKind.BATCH), BATCH)
        for _ in range(2):
            await look(h, send=lambda real, raw: txid_of(raw))
            assert await h.chain.mempool() == ()
        assert await h.states() == ["sent"]
        await look(h)
        (anchor,) = await h.store.anchors.list()
        assert await h.chain.mempool() == (anchor.attempts[0].txid,)
        assert len(anchor.attempts) == 1


async def test_a_refusal_is_told_in_the_servers_words_and_tried_again(tmp_path):
    async with house(tmp_path) as h:
        await h.fund()
        h.chain.rates.relay = 9.0
        await h.store.anchors.add(int(AnchorKind.BATCH), BATCH)
        await look(h)
        assert "min relay fee not met" in (await h.store.anchors.list())[0].says
        h.chain.rates.relay = 1.0
        await look(h)
        await look(h)
        (anchor,) = await h.store.anchors.list()
        assert (anchor.state, anchor.says, len(anchor.attempts)) == ("seen", "", 1)


async def test_a_server_that_lags_undoes_nothing_for_good(tmp_path):
    async with house(tmp_path) as h:
        await h.first()
        await h.chain.mine(8)
        await look(h)
        assert await h.states() == ["settled", "settled"]
        tip = h.chain.tip
        old = Tip(tip.height - 5, "11" * 32)

        async def behind(real, start, count):
            return (await real.headers(start, count))[: max(0, old.height - start + 1)]

        await look(h, tip=lambda real: old, headers=behind)
        assert await h.states() == ["settled", "settled"]
        # Further behind than the anchor: it is taken for undone and sent, which harms nothing.
        refused = ChainRefused("bad-txns-inputs-missingorspent")

        def refuse(real, raw):
            raise refused

        nowhere = {
            "tip": lambda real: Tip(tip.height - 9, "00" * 32),
            "headers": lambda real, start, count: (),
            "height_of": lambda real, txid, script: None,
            "spender": lambda real, point, script: None,
            "send": refuse,
        }
        await look(h, **nowhere)
        assert await h.states() == ["sent", "sent"]
        await look(h)
        assert await h.states() == ["settled", "settled"]
        assert [len(one.attempts) for one in await h.store.anchors.list()] == [1, 1]


@pytest.mark.parametrize("after", [False, True])
async def test_a_server_that_dies_at_any_question_leaves_one_transaction(tmp_path, after):
    async with house(tmp_path) as h:
        await h.fund()
        await h.store.anchors.add(int(AnchorKind.BATCH), BATCH)
        first = ""
        for at in range(40):
            h.keeper = h.new_keeper()  # as a restarted process
            async with h.keeper.connect() as backend:
                dying = Dying(backend, at, ChainUnreachable("gone"), after=after)
                try:
                    await h.keeper.tick(dying)
                except ChainUnreachable:
                    pass
                else:
                    break
            (anchor,) = await h.store.anchors.list()
            waiting = await h.chain.mempool()
            # Whatever was sent is known, and it never becomes another one.
            assert set(waiting) <= {one.txid for one in anchor.attempts}
            first = first or (anchor.attempts[0].txid if anchor.attempts else "")
            assert [one.txid for one in anchor.attempts] == [first][: len(anchor.attempts)]
        assert at > 2
        await look(h)
        assert await h.states() == ["seen"]
        assert await h.chain.mempool() == (first,)


async def test_a_server_that_forgot_and_lies_about_fees(tmp_path):
    async with house(tmp_path) as h:
        await h.fund()
        await h.store.anchors.add(int(AnchorKind.BATCH), BATCH)
        for odd in (float("nan"), float("inf"), 1e9):
            await look(h, fee_rate=lambda real, blocks, odd=odd: odd)
            assert await h.states() == ["draft"]
        await look(h, fee_rate=lambda real, blocks: -4.0)
        (anchor,) = await h.store.anchors.list()
        assert anchor.attempts[0].fee >= anchor.attempts[0].size  # one satoshi a vbyte at least
        evict(h, anchor.attempts[0].txid)
        await look(h)
        assert await h.chain.mempool() == (anchor.attempts[0].txid,)
