"""One conversation, any machine: a turn runs at its home, wherever it is asked for."""

import anyio
import pytest
from homes_stage import Town
from house import call, conversation_of, kinds, play

from hermes.core.event import ApprovalAsked, TextDelta, is_final
from hermes.core.ids import ConversationId, uuid7
from hermes.gateway.client import RemoteError


async def words(node, conversation):
    """What was said in a conversation, as a node has it."""
    shown = await node.client.query("conversations.show", id=conversation)
    texts = [part for message in shown["messages"] for part in message["parts"]]
    return [part["text"] for part in texts if part["type"] == "text"]


@pytest.fixture
def town(tmp_path):
    return Town(tmp_path)


async def test_what_is_asked_here_is_answered_by_its_home(town):
    town.nodes["b"].scripts(
        {"text": "begun"},
        call("FileWrite", path="made.txt", content="by b"),
        {"text": "one two three four", "chunk_delay_s": 0.02},
    )
    async with town.all() as nodes:
        began = await nodes.b.play("first")
        conversation = conversation_of(began)
        assert began[-1].text == "begun"
        seen = []
        request = nodes.a.request("again", conversation_id=conversation, interactive=True)
        with anyio.fail_after(20):
            async with nodes.a.client.turn(request) as events:
                async for event in events:
                    seen.append(event)
                    if isinstance(event, ApprovalAsked):
                        assert await nodes.a.client.approve(event.call_id, "yes")
        assert seen[-1].text == "one two three four"
        assert kinds(seen)[:3] == ["TurnStarted", "ToolCalled", "ApprovalAsked"]
        assert "".join(e.text for e in seen if isinstance(e, TextDelta)) == "one two three four"
        assert (nodes.b.house.project / "made.txt").read_text() == "by b"
        status = await nodes.a.status(conversation)
        assert status["home"] == nodes.b.me
        assert status["peers"] == 2


async def test_asking_twice_is_asking_once_also_after_its_end(town):
    town.nodes["b"].scripts({"text": "begun"}, {"text": "once"})
    async with town.all() as nodes:
        conversation = conversation_of(await nodes.b.play("first"))
        request = nodes.a.request("again", conversation_id=conversation)
        with anyio.fail_after(20):
            first = await play(nodes.a.client, request)
            again = await play(nodes.a.client, request)
        assert first[-1].text == again[-1].text == "once"
        assert (await words(nodes.b, conversation)).count("again") == 1


async def test_a_stop_reaches_the_home(town):
    slow = {"text": "one two three four five six", "chunk_delay_s": 5}
    town.nodes["b"].scripts({"text": "begun"}, slow)
    async with town.all() as nodes:
        conversation = conversation_of(await nodes.b.play("first"))
        request = nodes.a.request("again", conversation_id=conversation)
        seen = []
        with anyio.fail_after(20):
            async with nodes.a.client.turn(request) as events:
                async for event in events:
                    seen.append(event)
                    if isinstance(event, TextDelta) and len(seen) == 2:
                        assert await nodes.a.client.stop(conversation)
        assert seen[-1].kind == "TurnStopped"
        assert sum(map(is_final, seen)) == 1


async def test_a_guest_brings_words_and_no_rights(town):
    town.nodes["b"].scripts({"text": "begun"}, call("Bash", command="touch stolen"), {"text": "no"})
    async with town.all() as nodes:
        conversation = conversation_of(await nodes.b.play("first"))
        other = nodes.a.house.script({"text": "another model"}, name="other.jsonl")
        seen = await nodes.a.play(
            "again", conversation_id=conversation, mode="auto", yes=True, model=other
        )
        assert seen[-1].text == "no"
        assert seen[-1].denied == 1
        assert not (nodes.a.house.project / "stolen").exists()
        assert not (nodes.b.house.project / "stolen").exists()


async def test_what_is_private_stays_where_it_is(town):
    town.nodes["a"].scripts({"text": "mine"})
    async with town.all() as nodes:
        seen = await nodes.a.play("secret", private=True)
        assert seen[-1].text == "mine"
        store = nodes.a.owner.rooms.store
        assert await store.homes.get(seen[0].turn_id) is None
        assert not nodes.a.homes._machines.held()


async def test_a_conversation_that_nobody_has_is_refused_as_unknown(town):
    async with town.all() as nodes:
        unknown = ConversationId(uuid7())
        seen = await nodes.a.play("hello?", conversation_id=unknown)
        assert seen[-1].kind == "ConversationUnknown"
        with pytest.raises(RemoteError, match="no conversation"):
            await nodes.a.play("hello?", conversation_id="abcdefgh")


async def test_a_node_without_others_keeps_no_parcels(tmp_path):
    town = Town(tmp_path, "a")
    town.nodes["a"].scripts({"text": "alone"})
    async with town.all() as nodes:
        seen = await nodes.a.play("hello")
        assert seen[-1].text == "alone"
        assert await nodes.a.owner.rooms.store.homes.get(seen[0].turn_id) is None
