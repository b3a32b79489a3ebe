"""What a member may not do at another's home, and turns that take longer than a parcel lives."""

import anyio
import msgspec
import pytest
from homes_stage import CLOCK, Town
from house import call, conversation_of

from hermes.core.event import ApprovalAsked, TextDelta
from hermes.core.ids import CallId, TurnId, uuid7
from hermes.core.request import TurnRequest
from hermes.mesh.envelope import Letter
from hermes.mesh.routing import Parcel
from hermes.node.home_letters import CONTROL, PARCEL, Carried, Order


@pytest.fixture
def town(tmp_path):
    return Town(tmp_path, "ab")


def carried(sender, to, conversation, text="tell me", turn="", lives_ms=60_000):
    turn = TurnId(turn or uuid7())
    request = TurnRequest(turn_id=turn, text=text, cwd="/", root="/", conversation_id=conversation)
    parcel = Parcel(turn, conversation, sender.me, CLOCK.now_ms() + lives_ms, place=to.me)
    return Carried(parcel, request)


async def send(sender, to, kind, body):
    """Said by a member that keeps to no rules; returns once it was taken."""
    letter = Letter(to.me, kind, msgspec.json.encode(body), "", 60_000)
    name = await sender.post.send(letter)
    with anyio.fail_after(20):
        await sender.post.outcome(name)


async def end_of(node, turn):
    """How a parcel ended at a node."""
    with anyio.fail_after(20):
        while (found := await node.owner.rooms.store.homes.final(turn)) is None:  # noqa: ASYNC110
            await anyio.sleep(0.02)
    return msgspec.json.decode(found)


async def test_a_private_conversation_is_none_to_another_machine(town):
    town.nodes["a"].scripts({"text": "hidden"}, {"text": "leaked"})
    async with town.all() as nodes:
        told = await nodes.a.play("secret", private=True)
        talk, open_talk = conversation_of(told), conversation_of(await nodes.a.play("open"))
        asked = carried(nodes.b, nodes.a, talk)
        await send(nodes.b, nodes.a, PARCEL, asked)
        assert (await end_of(nodes.a, asked.parcel.id))["kind"] == "ConversationUnknown"
        # Nor by the name of a turn of it that is over, in a conversation that is shared.
        again = carried(nodes.b, nodes.a, open_talk, turn=told[0].turn_id)
        await send(nodes.b, nodes.a, PARCEL, again)
        found = await end_of(nodes.a, again.parcel.id)
        assert found["kind"] == "ConversationUnknown"
        assert "hidden" not in str(found)


async def test_a_parcel_that_no_store_can_hold_is_nonsense(town):
    town.nodes["a"].scripts({"text": "begun"}, {"text": "still here"})
    async with town.all() as nodes:
        talk = conversation_of(await nodes.a.play("first"))
        for lives_ms in (1 << 63, -(10**14)):
            await send(nodes.b, nodes.a, PARCEL, carried(nodes.b, nodes.a, talk, lives_ms=lives_ms))
        assert (await nodes.b.play("there?", conversation_id=talk))[-1].text == "still here"


async def test_a_member_neither_answers_nor_stops_what_others_asked_for(town):
    town.nodes["a"].scripts(
        {"text": "begun"}, call("FileWrite", path="made.txt", content="x"), {"text": "went on"}
    )
    async with town.all() as nodes:
        talk = conversation_of(await nodes.a.play("first"))
        request = nodes.a.request("write it", conversation_id=talk, interactive=True)
        waits = carried(nodes.b, nodes.a, talk, text="waits")
        turn = waits.parcel.id
        with anyio.fail_after(20):
            async with nodes.a.client.turn(request) as events:
                async for event in events:
                    if isinstance(event, ApprovalAsked):
                        await send(nodes.b, nodes.a, PARCEL, waits)
                        await nodes.a.until(lambda: nodes.a.homes._hosting.runs(turn))
                        for order in (
                            Order(turn, talk, "approve", event.call_id, "yes"),
                            Order(turn, talk, "stop"),
                        ):
                            await send(nodes.b, nodes.a, CONTROL, order)
                        stopped = await end_of(nodes.a, turn)
                        assert await nodes.a.client.approve(CallId(event.call_id), "no")
                    last = event
        assert last.text == "went on"
        assert last.denied == 1
        assert stopped["kind"] == "TurnStopped"
        assert not (nodes.a.house.project / "made.txt").exists()


async def test_a_turn_may_take_longer_than_its_parcel_lives(town):
    town.nodes["a"].scripts({"text": "begun"}, {"text": "slow but sure", "chunk_delay_s": 2.0})
    async with town.all() as nodes:
        talk = conversation_of(await nodes.a.play("first"))
        asked = carried(nodes.b, nodes.a, talk, lives_ms=3_000)
        with nodes.a.owner.rooms.desk.bus.watch(talk) as events:
            await send(nodes.b, nodes.a, PARCEL, asked)
            with anyio.fail_after(20):
                while not isinstance(await events.receive(), TextDelta):
                    continue
                await nodes.a.until(lambda: asked.parcel.expires_at < CLOCK.now_ms())
                await send(nodes.b, nodes.a, PARCEL, asked)
        found = await end_of(nodes.a, asked.parcel.id)
        assert found["text"] == "slow but sure"


async def test_who_is_let_go_hears_no_more_of_what_it_asked_for(town):
    town.nodes["a"].scripts({"text": "begun"}, {"text": "slow but sure", "chunk_delay_s": 1.0})
    async with town.all() as nodes:
        talk = conversation_of(await nodes.a.play("first"))
        request = nodes.b.request("and?", conversation_id=talk)
        with anyio.fail_after(20):
            async with nodes.b.client.turn(request) as events:
                while not isinstance(await anext(events), TextDelta):
                    continue
                while await nodes.a.owner.rooms.store.mesh.waiting():  # noqa: ASYNC110 - no event
                    await anyio.sleep(0.02)
                nodes.a.homes._circle._people.others = ()
                before = nodes.b.owner.rooms.desk.intake.heard[request.turn_id]
                assert (await end_of(nodes.a, request.turn_id))["text"] == "slow but sure"
                later = carried(nodes.a, nodes.b, talk)  # what was said before has come by then
                body = msgspec.json.encode(later)
                await nodes.a.post.send(Letter(nodes.b.me, PARCEL, body, "", 60_000))
                book = nodes.b.owner.rooms.store.homes
                while await book.get(later.parcel.id) is None:  # noqa: ASYNC110 - no event
                    await anyio.sleep(0.02)
                assert await book.final(request.turn_id) is None
                heard = nodes.b.owner.rooms.desk.intake.heard[request.turn_id]
                assert heard == before
