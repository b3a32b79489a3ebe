"""What others start in a person's conversation, told by message: questions, notices, answers."""

from hermes.core.event import (
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    Notice,
    TurnFailed,
    TurnFinished,
)
from hermes.gateway import dm_say
from hermes.gateway.dm_asking import Asking
from hermes.gateway.dm_out import Outgoing


class Others:
    """Tells one person."""

    def __init__(self, to: str, asking: Asking, out: Outgoing) -> None:
        self._to = to
        self._asking = asking
        self._out = out

    async def tell(self, event: Event) -> None:
        """Tell of an event of a turn that the person did not begin by message."""
        match event:
            case ApprovalAsked():
                await self._asking.ask(event)
            case ApprovalAnswered():
                await self._asking.answered(event)
            case Notice():
                await self._out.say(self._to, [dm_say.one_part(event.text)] if event.text else [])
            case TurnFinished():
                self._asking.over(event.turn_id)
                texts = dm_say.answer(event, ())
                await self._out.say(self._to, ["(asked elsewhere)", *texts])
            case TurnFailed():
                self._asking.over(event.turn_id)
            case _:
                pass
