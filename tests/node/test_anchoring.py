"""Anchors through the owner's queries, on a real regtest chain and with the real signer's rules."""

import sys
from functools import partial
from pathlib import Path

import anyio
import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "chain"))

from anchor_house import house, visit

from hermes.chain.scripts import payload_in
from hermes.chain.transaction import transaction_of
from hermes.core.anchor import AnchorKind, Payload, commitment
from hermes.core.checkpoint import checkpoint_of, note_of
from hermes.errors import IdentityLocked, NotAvailable, Refused, WrongNetwork
from hermes.testing.regtest import Regtest

CHILD = Path(__file__).parents[1] / "chain" / "anchor_child.py"


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


async def test_what_is_under_way_or_said_already_is_gone_on_with(tmp_path):
    async with house(tmp_path) as h:
        anchoring = await h.first()
        first = await anchoring.now()
        assert await anchoring.now() == first
        await h.say("while it waits")
        assert (await anchoring.now())["id"] == first["id"]
        await h.chain.mine()
        second = await anchoring.now()
        assert second["id"] != first["id"]
        assert second["size"] == first["size"] + 1
        assert len(await h.store.anchors.list()) == 3


async def test_a_draft_says_the_newest_when_its_turn_comes(tmp_path):
    async with house(tmp_path) as h:
        await h.fund()
        anchoring = h.anchoring()
        first = await anchoring.now()
        assert (first["kind"], first["state"]) == ("checkpoint", "draft")
        await h.say("more")
        second = await anchoring.now()
        assert (second["id"], second["size"]) == (first["id"], first["size"] + 1)
        await h.chain.mine()
        (_, anchor) = (await anchoring.now()), (await h.store.anchors.list())[-1]
        note = checkpoint_of(note_of(anchor.note).text)
        assert payload_in(transaction_of(anchor.attempts[0].raw).outputs[0].script) == Payload(
            AnchorKind.CHECKPOINT, commitment(note)
        )


async def test_a_locked_signer_leaves_no_draft(tmp_path):
    async with house(tmp_path) as h:
        await h.fund()
        await h.checkpointing.sign()

        async def locked():
            raise IdentityLocked("locked", "unlock it")

        h.agent = locked
        with pytest.raises(IdentityLocked):
            await h.anchoring().now()
        assert await h.store.anchors.list() == ()
        assert await h.chain.mempool() == ()


async def test_another_network_is_refused(tmp_path):
    async with house(tmp_path) as h:
        await h.fund()
        signet = msgspec.structs.replace(h.settings.chain, network="signet")
        with pytest.raises(WrongNetwork, match="the identity is of regtest"):
            await h.anchoring(chain=signet).now()
        with pytest.raises(Refused, match="--regtest"):
            await h.anchoring(chain=signet).now(regtest=True)
        keeper = h.new_keeper(network="signet")
        with pytest.raises(WrongNetwork, match="on regtest"):
            async with keeper.connect():
                pass


async def test_without_a_server_nothing_is_dialled(tmp_path):
    async with house(tmp_path) as h:
        bare = msgspec.structs.replace(h.settings.chain, backend="")
        anchoring = h.anchoring(chain=bare)
        with pytest.raises(NotAvailable, match="no chain server"):
            await anchoring.now()
        assert (await anchoring.status())["server"] == ""
        with anyio.fail_after(5):
            await anchoring.run()  # ends by itself: there is nobody to ask


async def test_the_main_network_takes_three_keys(tmp_path):
    async with house(tmp_path) as h:
        main = msgspec.structs.replace(h.settings.chain, network="main")
        with pytest.raises(Refused, match="the second is missing"):
            await h.anchoring(chain=main).now(fingerprint="x")
        with pytest.raises(Refused, match="typed by a person"):
            await h.anchoring(chain=main, mainnet="yes").now()
        with pytest.raises(WrongNetwork):  # the keys are of regtest: the last guard of this test
            await h.anchoring(chain=main, mainnet="yes").now(fingerprint="x")


async def until(anchoring, condition) -> None:
    """Wait until the task has seen to it."""
    with anyio.fail_after(30):
        while True:
            looked = anchoring.looked
            if await condition():
                return
            await looked.wait()


async def test_the_task_watches_an_anchor_to_its_end(tmp_path):
    async with house(tmp_path) as h, anyio.create_task_group() as tasks:
        await h.fund()
        anchoring = h.anchoring()
        tasks.start_soon(anchoring.run)
        await anchoring.now()

        async def stand(*states):
            return await h.states() == list(states)

        await until(anchoring, partial(stand, "seen", "draft"))
        await h.chain.mine()
        await until(anchoring, partial(stand, "mined", "seen"))
        await h.chain.mine(144)
        await until(anchoring, partial(stand, "final", "final"))
        await h.store.anchors.add(int(AnchorKind.BATCH), b"HRM2\x01\x03" + bytes(32))
        anchoring.wake()
        await until(anchoring, partial(stand, "final", "final", "seen"))
        assert h.faults == []
        tasks.cancel_scope.cancel()


async def test_periodic_anchors_come_when_they_are_due(tmp_path):
    async with house(tmp_path, every_hours=1.0) as h, anyio.create_task_group() as tasks:
        await h.fund()
        anchoring = h.anchoring()
        tasks.start_soon(anchoring.run)

        async def count(wanted):
            return len(await h.store.anchors.list()) == wanted

        await until(anchoring, partial(count, 2))
        await h.chain.mine()
        await until(anchoring, lambda: seen(h, ["mined", "seen"]))
        await h.chain.mine()
        await until(anchoring, lambda: seen(h, ["mined", "mined"]))
        await h.say("an hour later")
        h.clock.skew = 3_700_000
        await h.chain.mine()
        await until(anchoring, partial(count, 3))
        tasks.cancel_scope.cancel()


async def seen(h, states) -> bool:
    return await h.states() == states


async def test_an_alarm_is_told_once_and_the_task_goes_on(tmp_path):
    async with house(tmp_path) as h, anyio.create_task_group() as tasks:
        anchoring = await h.first()
        await h.store.anchors.halt("aa" * 32 + ":1", "bb" * 32, "somebody else spent the coin")
        tasks.start_soon(anchoring.run)

        async def alarmed():
            return bool(h.alarms.lines())

        await until(anchoring, alarmed)
        assert "somebody else spent the coin" in h.alarms.lines()[0]
        assert len(h.told) == 1
        tasks.cancel_scope.cancel()


async def test_an_alarm_is_raised_again_at_every_start(tmp_path):
    async with house(tmp_path) as h:
        await h.store.anchors.halt("aa" * 32 + ":1", "bb" * 32, "somebody else spent the coin")
        bare = msgspec.structs.replace(h.settings.chain, backend="")
        await h.anchoring(chain=bare).run()  # nothing is open, and nobody to ask
        assert "somebody else spent the coin; find out" in h.alarms.lines()[0]


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
async def test_kill_9_at_any_question_leaves_one_transaction(tmp_path, when):
    async with Regtest() as chain:
        async with visit(tmp_path, chain) as h:
            await h.fund()
            await h.store.anchors.add(int(AnchorKind.BATCH), b"HRM2\x01\x03" + bytes(32))
        txids = set()
        for at in range(1, 14):
            command = [sys.executable, str(CHILD), str(tmp_path), chain.url, str(at), when]
            done = await anyio.run_process(command, check=False)
            assert done.returncode in {0, -9}, done.stderr.decode()
            async with visit(tmp_path, chain) as h:
                (anchor,) = await h.store.anchors.list()
            txids |= {one.txid for one in anchor.attempts}
            assert set(await chain.mempool()) <= txids
            assert len(txids) <= 1
            if done.returncode == 0:
                break
        async with visit(tmp_path, chain) as h, h.keeper.connect() as backend:
            await h.keeper.tick(backend)
            assert await h.states() == ["seen"]
        assert set(await chain.mempool()) == txids
