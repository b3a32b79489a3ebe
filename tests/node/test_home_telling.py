"""What is told of a turn fits the letters that carry it, whatever it holds."""

import msgspec
import pytest

from hermes.core.event import ApprovalAsked, ToolFinished
from hermes.core.ids import CallId, ConversationId, TurnId
from hermes.mesh.envelope import MOST_PAYLOAD
from hermes.node.home_letters import Told, read_events
from hermes.node.home_telling import batches

OF = {"conversation_id": ConversationId("c"), "turn_id": TurnId("t"), "at": 1}


@pytest.mark.parametrize(
    "filling", ["x", "\n", "\x00", "\U0001f642"], ids=["x", "lf", "nul", "face"]
)
def test_every_batch_fits_and_every_event_arrives(filling):
    huge = filling * 300_000
    events = (
        ToolFinished(call_id=CallId("k"), name="Bash", ok=True, denied=False, result=huge,
                     truncated=False, diff=huge, **OF),
        ApprovalAsked(call_id=CallId("k"), name="Bash", arguments={"command": huge}, rule=huge,
                      diff=huge, **OF),
        ToolFinished(call_id=CallId("k"), name="Bash", ok=True, denied=False, result="short",
                     truncated=False, **OF),
    )  # fmt: skip
    told = [Told("t", "c", "r", n, batch) for n, batch in enumerate(batches(events), 1)]
    for letter in told:
        assert len(msgspec.json.encode(letter)) < MOST_PAYLOAD
    found = [event for letter in told for event in read_events(letter)]
    assert [type(one) for one in found] == [type(one) for one in events]
    assert found[0].result.startswith(filling * 20_000)
    assert found[2] == events[2]
