"""Conversations on all nodes of a fleet: real owners, one loopback relay."""

import pytest
from replica_house import fleet, meet, same

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
    assert bert.replication.place(late) == anne.key.public
    assert anne.replication.place(late) == anne.key.public
