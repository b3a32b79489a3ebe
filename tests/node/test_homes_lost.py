"""Homes that go away: another takes over, and nothing is done twice or lost without a word."""

import anyio
import pytest
from homes_stage import LEASE_S, Town
from house import conversation_of, play

from hermes.core.event import TextDelta, TurnFinished, is_final

pytestmark = pytest.mark.slow
SLOW = {"text": "one two three four five six", "chunk_delay_s": 30}


@pytest.fixture
def town(tmp_path):
    return Town(tmp_path)


async def user_words(node, conversation):
    history = await node.owner.rooms.store.conversations.history(conversation)
    return [one.message.parts[0].text for one in history if one.message.role == "user"]


async def until_heads(node, conversation, count):
    store = node.owner.rooms.store
    with anyio.fail_after(20):
        while len((await store.conversations.get(conversation)).heads) != count:  # noqa: ASYNC110 - no event
            await anyio.sleep(0.02)


async def test_a_home_that_goes_in_mid_turn_is_followed_by_another(town):
    town.nodes["b"].scripts({"text": "begun"}, SLOW)
    for name in "ac":
        town.nodes[name].scripts({"text": f"answered by {name}"})
    async with town.all() as nodes:
        conversation = conversation_of(await nodes.b.play("first"))
        await until_known(nodes.a, conversation)
        await until_known(nodes.c, conversation)
        seen = []
        request = nodes.a.request("does this come?", conversation_id=conversation)
        with anyio.fail_after(LEASE_S + 8):
            async with nodes.a.client.turn(request) as events:
                async for event in events:
                    seen.append(event)
                    if isinstance(event, TextDelta):
                        town.part("ac", "b")
                        cut_at = anyio.current_time()
        assert seen[-1].kind == "HomeLost"
        assert "may have been done there" in seen[-1].error
        assert sum(map(is_final, seen)) == 1
        again = await nodes.a.play("and this?", conversation_id=conversation)
        assert isinstance(again[-1], TurnFinished), again[-1]
        assert again[-1].text in {"answered by a", "answered by c"}
        assert anyio.current_time() - cut_at < 10
        holders = {nodes.a.homes._machines.home(conversation)}
        assert holders <= {nodes.a.me, nodes.c.me}


async def test_both_sides_of_a_partition_go_on_and_both_parts_are_kept(town):
    for name in "abc":
        town.nodes[name].scripts(*({"text": f"{name} {n}"} for n in range(4)))
    async with town.all() as nodes:
        conversation = conversation_of(await nodes.a.play("first"))
        for node in (nodes.b, nodes.c):
            await node.until(lambda node=node: conversation in node.homes._machines.leases.promises)
        await until_known(nodes.b, conversation)
        await until_known(nodes.c, conversation)
        town.part("a", "bc")
        alone = await nodes.a.play("on the one side", conversation_id=conversation)
        assert alone[-1].text == "a 1"
        others = await nodes.b.play("on the other side", conversation_id=conversation)
        assert others[-1].text[0] in "bc"
        town.heal()
        for node in (nodes.a, nodes.b, nodes.c):
            await until_heads(node, conversation, 2)
        joined = await nodes.c.play("together", conversation_id=conversation)
        assert is_final(joined[-1])
        assert joined[-1].text, joined
        for node in (nodes.a, nodes.b, nodes.c):
            await until_heads(node, conversation, 1)
            said = await user_words(node, conversation)
            assert sorted(said) == sorted(
                ["first", "on the one side", "on the other side", "together"]
            )


async def until_known(node, conversation):
    store = node.owner.rooms.store
    with anyio.fail_after(20):
        while len(await store.conversations.list()) < 1:  # noqa: ASYNC110 - no event
            await anyio.sleep(0.02)
    assert (await store.conversations.get(conversation)).id == conversation


async def test_what_did_not_get_through_is_done_once_the_majority_is_back(town):
    """A relay that is restarted costs a turn seconds, not its answer."""
    town.nodes["b"].scripts({"text": "begun"}, {"text": "done"})
    for name in "ac":
        town.nodes[name].scripts({"text": "done"})
    async with town.all() as nodes, anyio.create_task_group() as tasks:
        conversation = conversation_of(await nodes.b.play("first"))
        await until_known(nodes.a, conversation)
        town.part("a", "bc")
        said = []

        async def ask():
            words = {"conversation_id": conversation, "limit_s": 50}
            said.extend(await nodes.a.play("come later", **words))

        tasks.start_soon(ask)
        circle = nodes.a.homes._circle
        await nodes.a.until(lambda: not circle.is_quorate)
        await nodes.a.until(lambda: nodes.a.homes._machines.home(conversation) == nodes.a.me)
        town.heal()
        await nodes.a.until(lambda: said, limit_s=55)
        assert is_final(said[-1])
        assert said[-1].text in {"done", "begun"}, said  # a script may begin anew
        with anyio.fail_after(20):
            while len(await user_words(nodes.c, conversation)) == 1:  # noqa: ASYNC110 - no event
                await anyio.sleep(0.05)
        for node in (nodes.a, nodes.b, nodes.c):
            with anyio.fail_after(20):
                while len(await user_words(node, conversation)) < 2:  # noqa: ASYNC110 - no event
                    await anyio.sleep(0.02)
            assert sorted(await user_words(node, conversation)) == ["come later", "first"]
            await until_heads(node, conversation, 1)


async def test_an_origin_that_was_cut_off_hears_the_end_of_what_ran_on(town):
    """Meanwhile it took itself for home; the one that ran the turn is there again, and tells."""
    town.nodes["b"].scripts({"text": "begun"}, {"text": "ran on to its end", "chunk_delay_s": 2.0})
    async with town.all() as nodes:
        conversation = conversation_of(await nodes.b.play("first"))
        seen = []
        request = nodes.a.request("how long?", conversation_id=conversation)
        parted = False
        with anyio.fail_after(40):
            async with nodes.a.client.turn(request) as events, anyio.create_task_group() as tasks:
                async for event in events:
                    seen.append(event)
                    if [type(one) for one in seen].count(TextDelta) == 1 and not parted:
                        parted = True
                        town.part("a", "bc")
                        tasks.start_soon(_heal_once_alone, town, nodes.a, conversation)
        assert isinstance(seen[-1], TurnFinished), seen[-1]
        assert seen[-1].text == "ran on to its end"
        assert sum(map(is_final, seen)) == 1


async def _heal_once_alone(town, node, conversation):
    await node.until(lambda: node.homes._machines.home(conversation) == node.me)
    town.heal()


async def test_what_ended_elsewhere_while_it_was_addressed_here_is_not_done_again(town):
    for name, text in (("a", "twice"), ("b", "once"), ("c", "twice")):
        town.nodes[name].scripts({"text": text}, {"text": text})
    async with town.all() as nodes:
        conversation = conversation_of(await nodes.b.play("first"))
        await until_known(nodes.a, conversation)
        request = nodes.a.request("do it", conversation_id=conversation)
        intake, turns = nodes.a.owner.rooms.desk.intake, nodes.a.owner.rooms.store.turns
        addressed = await intake.address(request)
        assert (await play(nodes.b.client, request))[-1].text == "once"
        with anyio.fail_after(10):
            while await turns.get(request.turn_id) is None:  # noqa: ASYNC110 - no event
                await anyio.sleep(0.02)
        late = []
        await intake.turn(addressed, late.append)
        assert late
        assert late[-1].text == "once"
