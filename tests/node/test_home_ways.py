"""How long a home waits to be told what became of a turn, and what it remembers of that."""

from types import SimpleNamespace

from hermes.core.event import TurnFailed
from hermes.core.ids import ConversationId, TurnId
from hermes.core.request import TurnRequest
from hermes.node.home_parcels import Parcels, row_of
from hermes.node.home_ways import Ways
from hermes.store.store import Store

ME, HER = "a" * 64, "b" * 64


class Time:
    def __init__(self):
        self.now = 1_760_000_000_000

    def now_ms(self):
        return self.now


class Elsewhere:
    """What runs here: nothing; it notes which turns it was asked to look for here."""

    def __init__(self):
        self.looked = []

    async def is_begun(self, _turn):
        return False

    async def is_known(self, _turn):
        return False

    async def look(self, row, _since):
        self.looked.append(row.turn)


async def test_of_turns_that_ended_nothing_is_remembered(tmp_path):
    time, hosting, said = Time(), Elsewhere(), []
    async with Store.open(tmp_path / "hermes.db", time) as store:
        parcels = Parcels(store.homes)
        ground = SimpleNamespace(
            me=ME,
            parcels=parcels,
            circle=SimpleNamespace(live=(ME,), may_tell=lambda node: node == HER),
            mail=SimpleNamespace(say=lambda to, *_: said.append(to)),
            intake=SimpleNamespace(left={}, heard={}),
            clock=time,
        )
        ways = Ways(ground, hosting, lambda _event: None)
        for number in range(50):
            turn, talk = TurnId(f"turn-{number}"), ConversationId("talk")
            request = TurnRequest(text="hey", cwd="/", root="/", turn_id=turn, conversation_id=talk)
            row = row_of(request, ME, ME, time.now + 900_000, fresh=False)
            await parcels.add(row, request)
            row = await parcels.forward(row, HER, alone=False)
            await ways.already(row, 1)  # she is asked first
            assert said == [HER] * (number + 1)
            time.now += 60_000
            await ways.already(row, 1)  # and waited for no longer than this
            assert hosting.looked == [f"turn-{one}" for one in range(number + 1)]
            end = TurnFailed(
                conversation_id=talk, turn_id=turn, at=time.now, error="x", remedy="", kind="x"
            )
            assert await parcels.end(turn, end)
        assert len(ways._known) <= 1
