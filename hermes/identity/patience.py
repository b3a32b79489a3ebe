"""Wrong passphrases slow down: after three, each doubles the wait, up to five minutes.

Guards against guessing at the socket. Does not guard against guessing at a copied vault: its
cost does.
"""

from types import TracebackType

from hermes.core.clock import Clock
from hermes.errors import PassphraseWrong, Refused

_FREE = 3
_FIRST_MS = 1_000
_MOST_MS = 300_000


class Patience:
    """Counts wrong passphrases as a context around each attempt."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wrong = 0
        self._until = 0

    def check(self) -> None:
        """Refuse an attempt that comes too soon."""
        wait = self._until - self._clock.now_ms()
        # A clock that was turned back must not lock the owner out.
        if 0 < wait <= _MOST_MS:
            raise Refused(f"too many wrong passphrases: wait {-(-wait // 1000)} s")

    def __enter__(self) -> None:
        """An attempt begins."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, PassphraseWrong):
            self._wrong += 1
            over = self._wrong - _FREE
            if over >= 0:
                self._until = self._clock.now_ms() + min(_FIRST_MS << min(over, 9), _MOST_MS)
        elif error is None:
            self._wrong = 0
            self._until = 0
