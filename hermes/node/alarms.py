"""What the person has to know now and until it is mended: shown wherever the state is shown."""

from collections.abc import Callable


class Alarms:
    """Sentences by what they are about; `tell` says a new one to whoever watches a turn."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._now: dict[str, str] = {}

    def set(self, about: str, text: str) -> None:
        """Raise an alarm, or let it go with an empty text."""
        if not text:
            self._now.pop(about, None)
        elif self._now.get(about) != text:
            self._now[about] = text
            self._tell(text)

    def lines(self) -> list[str]:
        """Every alarm."""
        return list(self._now.values())
