"""Anchors through the owner's queries, on a real regtest chain and with the real signer's rules."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "chain"))

from anchor_house import house

from hermes.chain.transaction import transaction_of
from hermes.errors import NotAvailable


async def test_the_genesis_record_goes_first_then_the_checkpoint(tmp_path):
    async with house(tmp_path) as h:
        anchoring = await h.first()
        told = await anchoring.status()
        assert [one["kind"] for one in told["anchors"]] == ["genesis", "checkpoint"]
        assert [one["state"] for one in told["anchors"]] == ["mined", "seen"]
        genesis, checkpoint = await h.store.anchors.list()
        spent = transaction_of(checkpoint.attempts[0].raw).inputs[0].outpoint
        assert (spent.txid, spent.index) == (genesis.txid, 1)
        await h.chain.mine()
        anchor = await anchoring.wait(checkpoint.id, "mined")
        assert anchor["state"] == "mined"
        await h.chain.mine(5)
        assert (await anchoring.wait(checkpoint.id, "settled"))["state"] == "settled"
        await h.chain.mine(138)
        assert (await anchoring.wait(checkpoint.id, "final"))["state"] == "final"
        assert not await h.store.anchors.open()


async def test_without_money_the_remedy_says_how_much_and_where(tmp_path):
    async with house(tmp_path) as h:
        await h.chain.mine()
        await h.say("one")
        with pytest.raises(NotAvailable, match="no confirmed deposit") as raised:
            await h.anchoring().now()
        assert "pay at least" in raised.value.remedy
        assert await h.store.anchors.list() == ()
        assert (await h.anchoring().status())["address"].startswith("bcrt1q")
