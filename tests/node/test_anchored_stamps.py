"""From a digest to an offline verdict through the real anchors: signer, keeper, chain server."""

import hashlib

import anyio
import pytest

from hermes.chain.batch import AnchorBatcher
from hermes.chain.stamps import blinded, check_proof, headers_in, stamped
from hermes.node.calendar import NodeCalendar
from tests.chain.anchor_house import house
from tests.chain.stamp_regtest import SETTLED, header_file

NONCE = bytes(16)


@pytest.mark.slow
async def test_a_batch_goes_the_way_of_every_anchor(tmp_path):
    async with house(tmp_path, calendar="127.0.0.1:0") as home:
        anchoring = await home.first()
        await home.chain.mine()
        batcher = AnchorBatcher(home.store.anchors, anchoring.wake)
        node = NodeCalendar(home.settings, home.store.stamps, batcher, home.clock, home.report)
        queries = node.queries()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(node.run)
            proofs = {}
            for number in range(50):
                digest = hashlib.sha256(b"%d" % number).digest()
                told = await queries["timestamp.add"](digest=blinded(digest, NONCE).hex())
                proofs[digest] = stamped(digest, NONCE, bytes.fromhex(told["answer"]))
            await queries["timestamp.now"]()
            draft = (await home.store.anchors.list())[-1]
            await anchoring.wait(draft.id, "seen")
            await home.chain.mine(SETTLED)
            assert (await anchoring.wait(draft.id, "settled"))["state"] == "settled"
            await node.look()
            trusted = headers_in(await header_file(home.chain))
            for digest, proof in proofs.items():
                commitment = proof.promised()[0].commitment
                told = await queries["timestamp.find"](commitment=commitment.hex())
                full = proof.upgraded(commitment, bytes.fromhex(told["answer"]))
                height = check_proof(full, digest, trusted.header_at).height
                assert height == home.chain.tip.height - SETTLED + 1
            # Another branch takes the proofs back; the new block gives others.
            await home.chain.reorg(SETTLED, length=SETTLED + 1)
            await anchoring.wait(draft.id, "sent")  # looks once
            await node.look()
            told = await queries["timestamp.find"](commitment=commitment.hex())
            assert told == {"known": True, "answer": ""}
            await home.chain.mine(SETTLED)
            await anchoring.wait(draft.id, "settled")
            await node.look()
            told = await queries["timestamp.find"](commitment=commitment.hex())
            again = proof.upgraded(commitment, bytes.fromhex(told["answer"]))
            trusted = headers_in(await header_file(home.chain))
            assert check_proof(again, digest, trusted.header_at).height > height
            tasks.cancel_scope.cancel()
        assert home.faults == []
