"""Keeps the parts of a node going: one that falls is begun again, the others do not notice."""

from collections.abc import Awaitable, Callable

import anyio
import msgspec

from hermes.errors import HermesError, IdentityError

_FIRST_S, _MOST_S = 1.0, 60.0
_MISSING_S = 3.0  # what a person has to mend first: a locked identity is looked for more often
_STEADY_S = 60.0

Say = Callable[[str], None]
Live = Callable[[Say], Awaitable[None]]
"""Runs a part until it falls or is cancelled; says once it works, and at which address."""


class Part(msgspec.Struct, frozen=True):
    """How a part stands: `runs` or `waits`, and at what or for what; `remedy` what a person can do.

    `falls`: how often it had to be begun again.
    """

    name: str
    runs: bool = False
    says: str = ""
    remedy: str = ""
    falls: int = 0


class Watch:
    """The parts of one node.

    Args:
        tell: hears of every change, once.
        report: where a fall is written down.
    """

    def __init__(
        self, tell: Callable[[Part], None], report: Callable[[str, BaseException], None]
    ) -> None:
        self._tell = tell
        self._report = report
        self._parts: dict[str, Part] = {}

    @property
    def parts(self) -> tuple[Part, ...]:
        """How they stand."""
        return tuple(self._parts.values())

    async def keep(self, name: str, live: Live) -> None:
        """Run a part until cancelled, however often it falls."""
        pause = _FIRST_S
        self._parts[name] = Part(name)
        while True:
            began = anyio.current_time()
            try:
                await live(lambda says: self._set(name, runs=True, says=says))
            except Exception as error:  # noqa: BLE001 - the edge: the other parts go on
                telling = _telling(error)
                self._fell(name, telling)
                if isinstance(telling, IdentityError):
                    pause = _MISSING_S / 2
            if anyio.current_time() - began > _STEADY_S:
                pause = _FIRST_S
            await anyio.sleep(pause)
            pause = min(pause * 2, _MOST_S)

    def _fell(self, name: str, error: BaseException) -> None:
        expected = isinstance(error, HermesError)
        says = error.message if isinstance(error, HermesError) else f"{type(error).__name__}"
        remedy = error.remedy if isinstance(error, HermesError) else "see hermes.log"
        if not expected:
            self._report(f"the node's {name}", error)
        falls = self._parts[name].falls + 1
        self._set(name, runs=False, says=says, remedy=remedy, falls=falls)

    def _set(self, name: str, **fields: str | bool | int) -> None:
        before = self._parts[name]
        after = msgspec.structs.replace(before, **fields)
        if after.runs:
            after = msgspec.structs.replace(after, remedy="")
        self._parts[name] = after
        if (before.runs, before.says) != (after.runs, after.says):
            self._tell(after)


def _telling(error: BaseException) -> BaseException:
    """The leaf of a group that says most: one of ours before any other."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [_telling(one) for one in error.exceptions]
    return next((one for one in leaves if isinstance(one, HermesError)), leaves[0])
