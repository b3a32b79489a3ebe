"""Work beside the turns: dropped when one begins, and its errors come out as they are."""

import anyio
import pytest

from hermes.conversation.bus import Bus
from hermes.core.event import TurnStarted
from hermes.core.ids import ConversationId, TurnId
from hermes.errors import StoreFull


async def test_a_turn_that_begins_ends_it():
    bus, done = Bus(), []
    began = TurnStarted(conversation_id=ConversationId("c"), turn_id=TurnId("t"), at=0)
    with anyio.fail_after(5):
        async with bus.giving_way():
            done.append("begun")
            bus.publish(began)
            await anyio.sleep_forever()
    assert done == ["begun"]


async def test_what_it_raises_is_no_group():
    with pytest.raises(StoreFull):
        async with Bus().giving_way():
            raise StoreFull("the disk is full")
