"""Two signer processes and one chain: the coin goes from instance to instance, and nowhere else."""

import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from line_house import AFTER, KEY, instance, line, raw, text

from hermes.chain.headers import Headers
from hermes.chain.lineage import verify_lineage
from hermes.core.anchor import AnchorKind
from hermes.errors import ChainRefused, ProofInvalid, Refused
from hermes.testing.lineages import RECOVERY
from hermes.testing.regtest import Regtest


async def headers_from(chain):
    raws = []
    for height in range(chain.tip.height + 1):
        block = await chain.rpc("getblockhash", height)
        raws.append(bytes.fromhex(await chain.rpc("getblockheader", block, 0)))
    found = Headers("regtest", 0, raws[0])
    found.append(b"".join(raws[1:]))
    return found


@pytest.mark.slow
async def test_from_genesis_over_a_handoff_and_a_death_to_now(tmp_path):
    async with line(tmp_path) as (a, b, c):
        await a.begin()
        await a.anchor("two")
        await a.mined(await a.heirs.stake(text(b.block)))
        await a.hand_over(b)
        for words in ("three", "four"):
            await b.anchor(words)
        with pytest.raises(Refused, match="handed over"):
            await a.heirs.offer(text(c.block))
        await a.say("late")
        with pytest.raises(Refused, match="handed over"):
            await a.anchoring.now(regtest=True)
        assert (await a.store.anchors.newest()).kind == AnchorKind.HANDOFF  # no silent draft
        assert await a.store.anchors.halted() is None  # its heir is no thief
        will = raw(await b.heirs.export())
        await b.anchor("five")  # after the last export
        key = tmp_path / "key"
        key.write_text(RECOVERY.secret.hex())
        draft = await c.heirs.recover(text(will))
        assert draft["blocks_left"] == AFTER - 1
        signed = await c.recovery_key(draft, key)
        with pytest.raises(ChainRefused, match="non-BIP68-final") as raised:
            await c.heirs.recovered(text(will), signed["psbt"])
        assert f"in {AFTER - 1} blocks" in raised.value.remedy
        await a.chain.mine(AFTER - 1)
        await c.mined(await c.heirs.recovered(text(will), signed["psbt"]))
        await c.anchor("six")
        exported = await c.heirs.export()
        headers = await headers_from(a.chain)
        walk = verify_lineage(raw(exported), headers)
        assert [(one.how, one.genesis.cid) for one in walk.instances] == [
            ("genesis", a.genesis.cid),
            ("handoff", b.genesis.cid),
            ("recovery", c.genesis.cid),
        ]
        assert walk.links == exported["links"] == 10
        assert exported["bytes"] < 7_000
        told = await c.heirs.show()
        assert [one["by"] for one in told["instances"]] == ["genesis", "handoff", "recovery"]
        assert told["now"] == told["own"] == c.genesis.cid
        assert [one["state"] for one in told["instances"][2]["anchors"]] == ["mined", "mined"]
        assert told["waiting"] == []
        early = verify_lineage(will, headers)  # an older file still shows what it showed
        assert early.now.genesis.cid == b.genesis.cid
        assert [one.faults for one in (a, b, c)] == [[], [], []]


@pytest.mark.slow
async def test_of_the_first_instance_its_genesis_record_is_enough(tmp_path):
    async with AsyncExitStack() as stack:
        chain = await stack.enter_async_context(Regtest())
        dead = await stack.enter_async_context(instance(tmp_path, chain, "dead", recovery=(KEY, 5)))
        named = instance(tmp_path, chain, "heir", parent=dead.genesis.cid)
        heir = await stack.enter_async_context(named)
        await dead.begin()
        await dead.anchor("two", blocks=5)
        key = tmp_path / "key"
        key.write_text(RECOVERY.secret.hex())
        draft = await heir.heirs.recover(text(dead.block))
        assert draft["blocks_left"] == 0
        wrong = await heir.recovery_key(draft, key, fee_most=1)
        assert "more than the settings allow" in wrong["refused"]
        signed = await heir.recovery_key(draft, key)
        stranger = (await heir.heirs.recover(text(dead.block)))["psbt"]
        with pytest.raises(ProofInvalid, match="recovery key's signature"):
            await heir.heirs.recovered(text(dead.block), stranger)
        assert await chain.mempool() == ()
        await heir.mined(await heir.heirs.recovered(text(dead.block), signed["psbt"]))
        exported = await heir.heirs.export()
        walk = verify_lineage(raw(exported), await headers_from(chain))
        assert [one.how for one in walk.instances] == ["genesis", "recovery"]
        assert walk.links == 4
