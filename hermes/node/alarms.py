"""What the person has to know now and until it is mended: shown wherever the state is shown."""

from collections.abc import Callable

from hermes.core.ids import ConversationId


class Alarms:
    """Sentences by what they are about; `tell` says a new one to whoever watches a turn."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._now: dict[str, str] = {}
        self._told: dict[ConversationId, frozenset[str]] = {}

    def set(self, about: str, text: str) -> None:
        """Raise an alarm, or let it go with an empty text."""
        if not text:
            self._now.pop(about, None)
        elif self._now.get(about) != text:
            self._now[about] = text
            self._tell(text)

    def news(self, conversation: ConversationId) -> tuple[str, ...]:
        """The alarms that this conversation has not been told of in any earlier turn."""
        told = self._told.get(conversation, frozenset())
        self._told[conversation] = frozenset(self._now.values())
        return tuple(text for text in self._now.values() if text not in told)

    def lines(self) -> list[str]:
        """Every alarm."""
        return list(self._now.values())
