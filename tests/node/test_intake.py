"""Where turns wait while the fleet's route begins anew."""

import anyio
import msgspec

from hermes.core.ids import ConversationId
from hermes.node.intake import Intake


class Asked(msgspec.Struct, frozen=True):
    conversation_id: str = ""
    turn_id: str = "t"


class Way:
    """A route that knows every turn's conversation."""

    def __init__(self, name):
        self.name = name

    async def conversation_of(self, turn):
        return ConversationId(self.name)


async def test_a_turn_waits_for_a_route_that_begins_anew():
    intake = Intake(None, None)
    intake.route = Way("first")
    intake.route = None
    heard = []

    async def ask():
        heard.append((await intake.address(Asked())).conversation_id)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        assert not heard
        intake.route = Way("second")
    assert heard == ["second"]
