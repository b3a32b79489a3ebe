"""What this owner tries changes of itself with; loaded when there is one to try."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from hermes.config import Settings
from hermes.conversation.bus import Bus
from hermes.core.clock import Clock
from hermes.store.store import Store
from hermes.successor.patch import read_patch
from hermes.successor.records import Records
from hermes.successor.signing import Signer, Signing
from hermes.successor.stops import StopRules
from hermes.successor.trial import Order, Workshop, run_trial
from hermes.successor.waiting import Waiting
from hermes.successor.workbench import OpenModel
from hermes.successor.workshop import Beside, open_workshop, stages

__all__ = ["Order", "Trials", "read_patch", "run_trial"]

_QUIET_S = 1.0


class Trials:
    """The books, the stops and the queue of one owner."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        clock: Clock,
        signer: Signer,
        env: Mapping[str, str],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.records = Records(store, Signing(signer, clock))
        self.stops = StopRules(settings.successor, settings.data_dir, store, clock, dict(env))
        self.waiting = Waiting(settings.data_dir)
        self._stages = stages()

    def workshop(
        self, bus: Bus, model: OpenModel | None = None
    ) -> Callable[[], AbstractAsyncContextManager[Workshop]]:
        """Opens a workshop whose trials begin no stage while a turn runs, for a while."""

        async def quiet() -> None:
            await bus.quiet(_QUIET_S)

        data_dir, source = self._settings.data_dir, self._settings.successor.source
        books = (self.records, self.stops)
        beside = Beside(quiet, model, self._stages)
        return lambda: open_workshop(data_dir, source, books, self._clock, beside)
