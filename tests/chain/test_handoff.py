"""An offer and its answer on their way: what is changed is refused with its reason, unsigned."""

import json
import sys
from base64 import b64decode, b64encode
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
from embit.psbt import PSBT, OutputScope
from embit.script import Script
from embit.transaction import SIGHASH

sys.path.insert(0, str(Path(__file__).parent))

from line_house import instance, line, raw, text

from hermes.chain.lineage import check_heir
from hermes.chain.lineage_wire import lineage_of
from hermes.chain.payloads import handoff_payload
from hermes.chain.scripts import payload_script, scripts_of
from hermes.core.attestation import attestation_of
from hermes.errors import CoinGone, HermesError, NotAvailable, ProofInvalid, Refused
from hermes.testing.lineages import who
from hermes.testing.regtest import Regtest

THIEF = b"\x00\x14" + bytes(range(20))


def changed(file, **parts):
    return json.dumps(json.loads(file) | parts).encode()


def repacked(file, change):
    """The file with its PSBT changed; signatures stay as they are."""
    psbt = PSBT.from_string(json.loads(file)["psbt"])
    change(psbt)
    return changed(file, psbt=psbt.to_base64())


def dearer(psbt):
    psbt.outputs[1].value -= 300


def far_dearer(psbt):
    psbt.outputs[1].value -= 30_000


def elsewhere(psbt):
    psbt.outputs[1].script_pubkey = Script(THIEF)


def one_more_output(psbt):
    psbt.outputs[1].value -= 5_000
    psbt.outputs.append(OutputScope(vout=psbt.outputs[1].vout))
    psbt.outputs[2].value, psbt.outputs[2].script_pubkey = 5_000, Script(THIEF)


def another_payload(psbt):
    data = bytearray(psbt.outputs[0].script_pubkey.data)
    data[-1] ^= 1
    psbt.outputs[0].script_pubkey = Script(bytes(data))


def another_sighash(psbt):
    psbt.inputs[1].sighash_type = SIGHASH.NONE


def lied_amount(psbt):
    psbt.inputs[1].witness_utxo.value += 500


def another_coin(psbt):
    psbt.inputs[0].vout = 2
    psbt.inputs[0].witness_utxo = None


def without_previous(psbt):
    psbt.inputs[0].non_witness_utxo = None


def unsigned(psbt):
    psbt.inputs[0].partial_sigs.clear()


def forged(psbt):
    (key,) = psbt.inputs[0].partial_sigs
    made = bytearray(psbt.inputs[0].partial_sigs[key])
    made[20] ^= 1
    psbt.inputs[0].partial_sigs[key] = bytes(made)


def covers_less(psbt):
    (key,) = psbt.inputs[1].partial_sigs
    psbt.inputs[1].partial_sigs[key] = psbt.inputs[1].partial_sigs[key][:-1] + b"\x83"


def final(psbt):
    psbt.inputs[1].sequence = 0xFFFFFFFF


ALTERED = {
    dearer: "altered after the old instance signed",
    far_dearer: "more than the settings allow",
    elsewhere: "does not go to the successor",
    one_more_output: "somebody whom the record does not name",
    another_payload: "payload is not of the record",
    another_sighash: "only ALL is signed",
    lied_amount: "not the real one",
    another_coin: "not the continuity coin",
    without_previous: "lacks its previous transaction",
    unsigned: "the old instance did not sign",
    forged: "altered after the old instance signed",
    final: "another sequence",
}


async def refused(instance, file, why):
    with pytest.raises(HermesError, match=why) as raised:
        await instance.heirs.accept(text(file))
    assert isinstance(raised.value, ProofInvalid | Refused), raised.value
    assert not await instance.store.acts.list("hermes/accepted/1")


async def test_whatever_is_changed_between_two_signers_is_refused(tmp_path):
    async with line(tmp_path) as (a, b, c):
        await a.begin()
        with pytest.raises(NotAvailable, match="no coin in a block") as raised:
            await a.heirs.offer(text(b.block))
        assert "1000 sat" in raised.value.remedy
        await a.mined(await a.heirs.stake(text(b.block)))
        offer = raw(await a.heirs.offer(text(b.block)))
        for change, why in ALTERED.items():
            await refused(b, repacked(offer, change), why)
        await _records(b, offer)
        for cut in (b"", offer[:100], offer[: len(offer) // 2], offer[:-3], b"\xff" + offer):
            await refused(b, cut, "cut short|not a handoff file")
        psbt = json.loads(offer)["psbt"]
        await refused(b, changed(offer, psbt=psbt[: len(psbt) // 2]), "truncated|base64")
        await refused(c, offer, "another instance than this one")
        await _answers(a, b, offer)


async def _records(b, offer):
    parts = json.loads(offer)
    record = attestation_of(bytes.fromhex(parts["record"]))
    for fields, why in (
        ({"soul": "00" * 32}, "signature of a statement"),
        ({"verdict": record.fields["old"]}, "signature of a statement"),
    ):
        bad = msgspec.structs.replace(record, fields={**record.fields, **fields})
        await refused(b, changed(offer, record=bad.block().data.hex()), why)
    forged = who("thief").says("hermes/handoff/1", {**record.fields})
    await refused(b, changed(offer, record=forged.block().data.hex()), "by another key")
    stranger = who("stranger")
    await refused(b, changed(offer, new=stranger.block.hex()), "another successor")
    await refused(b, changed(offer, old=stranger.block.hex()), "another predecessor|another key")
    lineage = lineage_of(b64decode(parts["lineage"]))
    short = msgspec.structs.replace(lineage, links=lineage.links[:-1], place=None)
    cut = b64encode(short.encode()).decode()
    await refused(b, changed(offer, lineage=cut), "not the continuity coin")
    await refused(b, changed(offer, lineage=parts["lineage"][:-8]), "cut short|base64")


async def _answers(a, b, offer):
    with pytest.raises(ProofInvalid, match="did not accept yet"):
        await a.heirs.finish(text(offer))
    answer = raw(await b.heirs.accept(text(offer)))
    for change in (dearer, elsewhere, another_payload, unsigned):
        with pytest.raises(HermesError, match=ALTERED[change]):
            await a.heirs.finish(text(repacked(answer, change)))
    with pytest.raises(ProofInvalid, match="successor's signature is missing"):
        await a.heirs.finish(text(repacked(answer, lambda p: p.inputs[1].partial_sigs.clear())))
    with pytest.raises(ProofInvalid, match="does not cover all of it"):
        await a.heirs.finish(text(repacked(answer, covers_less)))
    with pytest.raises(ProofInvalid, match="did not accept yet"):
        await a.heirs.finish(text(changed(answer, accepted="")))
    waiting = await a.chain.mempool()
    assert waiting == ()
    told = await b.heirs.finish(text(answer))
    assert await a.chain.mempool() == (told["txid"],)


async def test_a_second_handoff_of_one_coin_is_a_double_spend(tmp_path):
    async with AsyncExitStack() as stack:
        a, b, _ = await stack.enter_async_context(line(tmp_path))
        another = instance(tmp_path, a.chain, "twin", parent=a.genesis.cid)
        twin = await stack.enter_async_context(another)
        await a.begin()
        for heir in (b, twin):
            await a.mined(await a.heirs.stake(text(heir.block)))
        first = raw(await a.heirs.offer(text(b.block)))
        second = raw(await a.heirs.offer(text(twin.block)))
        answers = [
            raw(await heir.heirs.accept(text(offer)))
            for heir, offer in ((b, first), (twin, second))
        ]
        await b.heirs.finish(text(answers[0]))
        with pytest.raises(CoinGone, match="spent already"):
            await twin.heirs.finish(text(answers[1]))
        with pytest.raises(CoinGone, match="spent already"):
            await a.heirs.finish(text(answers[1]))
        with pytest.raises(CoinGone, match="spent already"):
            await twin.heirs.accept(text(second))
        again = await b.heirs.finish(text(answers[0]))  # the same one again is no second one
        assert await a.chain.mempool() == (again["txid"],)
        assert len(await b.store.anchors.list()) == 1
        assert await twin.store.anchors.list() == ()


async def test_an_instance_with_a_coin_of_its_own_inherits_none(tmp_path):
    async with line(tmp_path) as (a, b, _):
        await a.begin()
        await b.begin()
        await a.chain.fund(scripts_of(b.genesis).deposit, 1000)
        offer = raw(await a.heirs.offer(text(b.block)))
        with pytest.raises(Refused, match="two coins would be two lines"):
            await b.heirs.accept(text(offer))


async def test_a_successor_that_names_no_parent_brings_its_own_stake(tmp_path):
    async with AsyncExitStack() as stack:
        chain = await stack.enter_async_context(Regtest())
        a = await stack.enter_async_context(instance(tmp_path, chain, "a"))
        free = await stack.enter_async_context(instance(tmp_path, chain, "free"))
        with pytest.raises(NotAvailable, match="no anchor is in a block"):
            await a.heirs.offer(text(free.block))
        await a.begin()
        with pytest.raises(Refused, match="does not name this instance"):
            await a.heirs.stake(text(free.block))
        with pytest.raises(ProofInvalid, match="the predecessor itself"):
            await a.heirs.offer(text(a.block))
        await a.say("more")
        await a.anchoring.now(regtest=True)
        await chain.fund(scripts_of(free.genesis).deposit, 1500, confirm=False)
        with pytest.raises(Refused, match="under way"):
            await a.heirs.offer(text(free.block))
        await chain.mine()
        await a.anchoring.wait((await a.store.anchors.newest()).id, "mined")
        await a.hand_over(free)
        await free.anchor("mine now")
        told = await free.heirs.show()
        assert told["now"] == free.genesis.cid
        assert len(told["instances"][1]["anchors"]) == 2


@pytest.mark.parametrize("role", ["nostr", "attest", "coin", "log"])
def test_an_heir_shares_no_key(role):
    old, new = who("old").genesis, who("new").genesis
    check_heir(old, msgspec.structs.replace(new, owner=old.owner))  # one owner, two instances
    with pytest.raises(ProofInvalid, match="shares a key"):
        check_heir(old, msgspec.structs.replace(new, **{role: getattr(old, role)}))


async def test_the_payload_is_of_record_and_checkpoint():
    record = who("a").says(
        "hermes/handoff/1", {"checkpoint": "x\n", "old": "o", "new": "n", "at": 1}
    )
    script = payload_script(handoff_payload(record))
    assert len(script) == 72
    assert script[2:8] == b"HRM2\x01\x02"
