"""Conversations on all nodes of a fleet: real owners, one loopback relay."""

import random
from functools import partial

import anyio
import pytest
from house import play
from replica_house import fleet, meet, part, same, until

from hermes.core.event import Notice
from hermes.errors import ConversationUnknown
from hermes.gateway.export import to_markdown
from hermes.store.transcripts import Transcripts
from hermes.testing.relays import local_relay


@pytest.fixture
async def pair(tmp_path):
    async with local_relay() as relay, fleet(tmp_path, relay) as nodes:
        yield nodes


async def test_a_conversation_appears_at_the_other_whole_and_in_order(pair):
    anne, bert = pair
    early = await anne.talk("one", "two")
    meet(anne, bert)
    assert await same(anne, bert, conversation=early) == [
        "one", "answer to one", "two", "answer to two"
    ]  # fmt: skip
    late = await anne.talk("three")
    assert await same(anne, bert, conversation=late) == ["three", "answer to three"]
    assert await bert.store.verify() == ()
    for one in pair:
        await until(placed, one, late, anne)


async def forked(anne, bert):
    """A talk that both have, and to which one has added since they parted."""
    meet(anne, bert)
    talk = await anne.talk("one")
    await same(anne, bert, conversation=talk)
    part(anne, bert)
    await anne.talk("of anne", conversation=talk)
    return talk


async def test_a_fork_is_told_kept_and_joined_by_the_next_message(pair):
    anne, bert = pair
    talk = await forked(anne, bert)
    heard = []
    with bert.owner.rooms.desk.bus.listen(heard.append):
        await bert.talk("of bert", conversation=talk)
        meet(anne, bert)
        both = await same(anne, bert, conversation=talk)
        await until(told_of, heard)
    assert "both parts are kept" in next(one.text for one in heard if isinstance(one, Notice))
    assert both[:2] == ["one", "answer to one"]
    assert both[2:] == ["of anne", "answer to of anne", "of bert", "answer to of bert"]
    heads = await anne.heads(talk)
    assert len(heads) == 2
    shown = await bert.query("conversations.show", id=talk)
    assert "continued on several machines" in to_markdown(shown)
    await bert.talk("join", conversation=talk)
    joined = await same(anne, bert, conversation=talk)
    assert joined == [*both, "join", "answer to join"]
    last = (await anne.store.conversations.history(talk))[-2].message
    assert last.parents == heads
    assert (await anne.store.conversations.get(talk)).messages == 8
    for one in pair:
        assert await one.store.verify() == ()


async def test_what_is_taken_back_does_not_come_back(pair):
    anne, bert = pair
    meet(anne, bert)
    talk = await anne.talk("one", "two")
    await same(anne, bert, conversation=talk)
    part(anne, bert)
    await anne.query("conversations.undo", id=talk, apply=True)
    meet(anne, bert)
    assert await same(anne, bert, conversation=talk) == ["one", "answer to one"]
    # Continued on meanwhile, it is there.
    part(anne, bert)
    await anne.query("conversations.undo", id=talk, apply=True)
    await bert.talk("on", conversation=talk)
    meet(anne, bert)
    told = await same(anne, bert, conversation=talk)
    assert told == ["one", "answer to one", "on", "answer to on"]
    # Taken back to where something was taken back before, it stays.
    await bert.query("conversations.undo", id=talk, apply=True)
    assert await until(short, anne, talk) == ["one", "answer to one"]
    await bert.query("conversations.undo", id=talk, apply=True)

    async def empty():
        return not await anne.texts(talk)

    await until(empty)
    assert await anne.heads(talk) == await bert.heads(talk) == ()


async def test_nothing_private_goes_out_and_what_becomes_private_is_so_everywhere(pair):
    anne, bert = pair
    meet(anne, bert)
    hidden = await anne.talk("a secret", private=True)
    talk = await anne.talk("open")
    await same(anne, bert, conversation=talk)
    await anne.query("conversations.private", id=talk)

    async def hushed():
        return (await bert.store.conversations.get(talk)).private

    await until(hushed)
    await anne.talk("not for others", conversation=talk)
    branch = (await anne.query("conversations.fork", id=talk))["id"]
    late = await anne.talk("open again")
    await same(anne, bert, conversation=late)
    for gone in (hidden, branch):
        with pytest.raises(ConversationUnknown):
            await bert.store.conversations.get(gone)
    assert await bert.texts(talk) == ["open", "answer to open"]
    assert await bert.state(talk) is None
    assert await bert.replication.status() | {"behind": {}} == {
        "shared": 1, "behind": {}, "refused": {}, "large": {}
    }  # fmt: skip


async def test_a_fork_goes_along_and_a_name_with_it(pair):
    anne, bert = pair
    meet(anne, bert)
    talk = await anne.talk("one")
    await same(anne, bert, conversation=talk)
    branch = (await bert.query("conversations.fork", id=talk))["id"]
    await bert.talk("another way", conversation=branch)
    assert (await same(anne, bert, conversation=branch))[2:] == [
        "another way", "answer to another way"
    ]  # fmt: skip
    await until(placed, anne, branch, anne)  # where the files are
    assert await anne.texts(talk) == ["one", "answer to one"]
    await anne.store.conversations.set_title(branch, "Second thoughts")

    async def named():
        return (await bert.store.conversations.get(branch)).title == "Second thoughts"

    await until(named)


async def test_a_fork_of_what_became_private_stays_at_home(pair):
    anne, bert = pair
    talk = await anne.talk("one")
    branch = (await anne.query("conversations.fork", id=talk))["id"]
    await anne.query("conversations.private", id=talk)
    meet(anne, bert)
    late = await anne.talk("open")
    await same(anne, bert, conversation=late)
    with pytest.raises(ConversationUnknown):
        await bert.store.conversations.get(branch)


async def test_the_record_of_a_turn_answers_for_it_elsewhere(pair):
    anne, bert = pair
    meet(anne, bert)
    request = anne.house.request("once", model=anne.house.script({"text": "done"}), typed=2)
    async with anne.house.client() as client:
        talk = (await play(client, request))[-1].conversation_id
    await same(anne, bert, conversation=talk)
    async with bert.house.client() as client:
        again = await play(client, request)
    assert [type(one).__name__ for one in again] == ["TurnStarted", "TurnFinished"]
    assert again[-1].text == "done"
    records = [await one.store.turns.get(request.turn_id) for one in pair]
    assert records[0] == records[1]
    assert await bert.store.turns.typed([request.turn_id]) == {request.turn_id: 2}
    assert len(await bert.texts(talk)) == 2


async def test_what_others_said_is_no_memory_here(pair):
    anne, bert = pair
    meet(anne, bert)
    talk = await anne.talk("Always use tabs in this project. We decided to deploy on Fridays.")
    await same(anne, bert, conversation=talk)
    for one in pair:
        (loop := one.owner.rooms.shards).find(talk)
        async with loop.away(talk):
            pass
    assert (await anne.query("memory.run", task="historian"))["changed"] > 0
    assert (await bert.query("memory.run", task="historian"))["changed"] == 0
    for one, state in ((anne, "finished"), (bert, None)):
        async with Transcripts.open(one.house.settings.data_dir / "hermes.db") as transcripts:
            (facts,) = (await transcripts.read(talk)).facts.values()
        assert facts.state == state  # nor is it learnt from: what was done in it is not known


async def test_during_a_turn_nothing_comes_between(pair):
    anne, bert = pair
    talk = await forked(anne, bert)
    slow = [{"text": "slow answer", "delay_s": 1.0}]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(bert.talk, "of bert", conversation=talk, answers=slow))
        await until(busy, bert)
        meet(anne, bert)
    both = await same(anne, bert, conversation=talk)
    assert sorted(both) == sorted(
        ["one", "answer to one", "of anne", "answer to of anne", "of bert", "slow answer"]
    )


async def test_a_message_larger_than_a_letter_waits_for_a_blob_endpoint(pair):
    anne, bert = pair
    meet(anne, bert)
    noise = random.Random(7).randbytes(900_000).hex()
    talk = await anne.talk("small")
    large = await anne.talk(noise[:900_000], answers=[{"text": "much"}])
    told = await same(anne, bert, conversation=large)
    assert told[0] == noise[:900_000]
    most = await anne.talk(noise * 2, answers=[{"text": "too much"}])
    await same(anne, bert, conversation=talk)

    async def known():
        return most in (await anne.replication.status())["large"]

    await until(known)
    assert "blob endpoint" in (await anne.replication.status())["large"][most]


async def placed(node, talk, where):
    return node.replication.place(talk) == where.key.public


async def busy(node):
    return node.owner.rooms.shards.busy()


async def told_of(heard):
    return any(isinstance(one, Notice) for one in heard)


async def short(node, talk):
    told = await node.texts(talk)
    return told if len(told) == 2 else None
