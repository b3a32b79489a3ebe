"""What is published: statements that concern everybody, and anchors that are in a block."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "chain"))

from anchor_house import house

from hermes.identity.publishing import FilePublisher
from hermes.node.publishing import Publishing


async def test_anchors_are_published_once_they_are_mined_and_statements_at_once(tmp_path):
    async with house(tmp_path) as h:
        faults = []
        out = tmp_path / "out"
        publishing = Publishing(h.store, FilePublisher(out), lambda *told: faults.append(told))
        anchoring = await h.first()  # the genesis anchor is mined, the other is not
        genesis, checkpoint = await h.store.anchors.list()
        record = h.genesis.record.block()
        await h.store.acts.add("hermes/genesis/1", record.cid, record)
        await h.store.acts.add("hermes/member/1", "somebody", record)
        await publishing.look()
        assert {path.name for path in (out / "anchor").iterdir()} == {genesis.txid}
        assert (out / "anchor" / genesis.txid).read_bytes() == genesis.mined.raw
        assert [path.name for path in (out / "attestation").iterdir()] == [record.cid]
        assert (out / "attestation" / record.cid).read_bytes() == record.data
        await h.chain.mine()
        await anchoring.wait(checkpoint.id, "mined")
        await publishing.look()
        assert len(list((out / "anchor").iterdir())) == 2
        assert faults == []
