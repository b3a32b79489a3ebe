"""When a node is relieved by another version, and what the old process does meanwhile and after.

The link to the version that runs is changed by the old process, once the new one works; what the
new one does wrong from then on is noticed by itself (`successors`), or here, when it dies.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import anyio
import anyio.to_thread

from hermes.config import Settings
from hermes.errors import SuccessorError
from hermes.node.changing import Changing
from hermes.node.handover import AGAIN, Next
from hermes.store.lock import OwnerLock
from hermes.successor.pointer import CRASHES, Pointer, command_of, own_tag

_READY_S = 90.0
_UP_S = 30.0
_DRAIN_S = 60.0
_WELL = {0, -15, 130, 143}


@dataclass(frozen=True)
class Wish:
    """The next version's process, ready to take over; None: the version before comes back."""

    next: Next | None


class Relief:
    """One node's side (`changing.Keeper`)."""

    drain_s = _DRAIN_S

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        lock: OwnerLock,
        say: Callable[[str], None],
    ) -> None:
        self._pointer = Pointer(settings.data_dir)
        self._environ = environ
        self._lock = lock
        self._say = say
        self._tag: str | None = None
        self._wished = anyio.Event()
        self._failed: tuple[str, str] | None = None

    def hand_over(self, tag: str) -> None:
        """Soon, once no turn runs, let this version take the store."""
        self._tag = tag
        self._wished.set()

    def fall_back(self) -> None:
        """Soon, let the version before this one come back."""
        self._tag = None
        self._wished.set()

    async def wished(self, changing: Changing) -> Wish:
        """Wait until somebody wants another version, and that one is ready to take over."""
        if self._failed is not None:
            await changing.fail(*self._failed)
            self._failed = None
        while True:
            await self._wished.wait()
            self._wished = anyio.Event()
            if (tag := self._tag) is None:
                self._say("this version is left: the one before takes over")
                return Wish(None)
            self._say(f"version {tag} is started beside this one")
            try:
                return Wish(await self._start(tag))
            except SuccessorError as error:
                self._say(f"{error.message}: this version goes on")
                await changing.fail(tag, error.message)

    async def relieve(self, next_: Next) -> int | None:
        """Give the store to the next version, and stand by; None: we are to work on ourselves."""
        tag, deaths = self._tag or "", 0
        while True:
            async with next_:
                try:
                    await next_.give()
                    await next_.up(_UP_S)
                except SuccessorError as error:
                    await self._unfit(tag, error, deaths)
                    return None
                if not deaths:
                    await anyio.to_thread.run_sync(self._settle, tag)
                    self._say(f"version {tag} has taken over, on probation")
                code = await next_.wait()
            deaths += 1
            if (end := await anyio.to_thread.run_sync(self._ended, tag, code, deaths)) is not None:
                return None if end == AGAIN else end
            self._say(f"version {tag} ended with {code}: it is started again")
            try:
                next_ = await self._start(tag)
            except SuccessorError as error:
                await self._unfit(tag, error, deaths)
                return None

    async def _unfit(self, tag: str, error: SuccessorError, deaths: int) -> None:
        """It does not come up, or not again: it is left, where it ever ran."""
        self._say(f"{error.message}: this version goes on")
        if deaths:
            await anyio.to_thread.run_sync(self._leave, tag, error.message)
        else:
            self._failed = tag, error.message

    async def _start(self, tag: str) -> Next:
        command = command_of(self._pointer.place(tag), "node")
        next_ = await Next.start(command, self._environ, self._lock)
        try:
            await next_.ready(_READY_S)
        except BaseException:
            await next_.__aexit__(None, None, None)
            raise
        return next_

    def _settle(self, tag: str) -> None:
        self._pointer.point(tag)
        self._pointer.mend()

    def _leave(self, tag: str, why: str) -> None:
        notes = self._pointer.mend()
        if (notes.tag, notes.stage) == (tag, "probation"):  # else a person was faster
            self._pointer.leave(why)

    def _ended(self, tag: str, code: int, deaths: int) -> int | None:
        """What its end means: an exit code for us, AGAIN: we go on, None: it may try again."""
        notes = self._pointer.mend()
        if self._pointer.current() == own_tag():
            return AGAIN
        if code in _WELL:
            return 0
        if notes.stage != "probation" or notes.tag != tag:
            return code if code > 0 else 1
        if deaths < CRASHES:
            return None
        self._pointer.leave(f"{deaths} ends in a row that were none of ours")
        self._say(f"version {tag} fell {deaths} times: this version goes on")
        return AGAIN if self._pointer.current() == own_tag() else 1
