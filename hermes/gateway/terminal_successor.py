"""`/successor` in the terminal: what was tried, one of them, and the person's word on it."""

from hermes.errors import HermesError
from hermes.gateway.gate_talk import GateTalk
from hermes.gateway.terminal_state import Chat

WORDS = ("yes", "no")
_MOST = 400_000


class GateCommands:
    """Remembers what was shown in this chat."""

    def __init__(self) -> None:
        self._talk: GateTalk | None = None

    async def run(self, chat: Chat, rest: str) -> None:
        """`/successor [ID | yes ID | no ID [REASON]]`."""
        if self._talk is None:
            self._talk = GateTalk(chat.door, "somebody at the terminal", "terminal", _MOST)
        word = self._talk.word_in(rest)
        if word is None and rest.partition(" ")[0] in WORDS:
            await chat.screen.say("look at it first: /successor ID", "warn")
            return
        try:
            lines = await (self._talk.say(word) if word else self._talk.look(rest))
        except HermesError as error:
            await chat.screen.say(f"{error.message}\n{error.remedy}".strip(), "warn")
            return
        for line in lines:
            await chat.screen.say(line)
