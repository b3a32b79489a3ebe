"""Changes of this runtime as the owner serves them; what does the work is loaded when asked for.

A chat that nobody asks about successors pays one look at a folder for them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import anyio
import anyio.to_thread
import msgspec

from hermes.config import Settings
from hermes.conversation.bus import Bus
from hermes.core.candidate import Effort, Goal
from hermes.core.clock import Clock
from hermes.core.event import Json
from hermes.load import load
from hermes.node.alarms import Alarms
from hermes.node.desk import Query
from hermes.store.store import Store
from hermes.successor.pointer import Pointer, own_tag
from hermes.successor.records import Records
from hermes.successor.signing import Signer, Signing


class Keeper(Protocol):
    """A node that can be handed over to another version while it runs."""

    def hand_over(self, tag: str) -> None:
        """Soon, once no turn runs, let this version take the store."""
        ...

    def fall_back(self) -> None:
        """Soon, let the version before this one come back."""
        ...


class Said(msgspec.Struct, frozen=True):
    """A person's word on a candidate: `who` said it, having seen the difference with `diff`."""

    answer: Literal["approve", "reject"]
    diff: str
    who: str
    door: Literal["terminal", "dm"] = "terminal"
    reason: str = ""


@dataclass(frozen=True)
class House:
    """What the owner hands in; `signer` raises where nobody signs."""

    settings: Settings
    environ: Mapping[str, str]
    store: Store
    clock: Clock
    signer: Signer
    alarms: Alarms
    report: Callable[[str, BaseException], None]
    bus: Bus


class Wish(msgspec.Struct, frozen=True):
    """What a person wants tried: a `patch` (base64), or a `branch` of the checkout."""

    task: str
    patch: str = ""
    branch: str = ""
    effort: Effort = "fast"
    goal: Goal = "same"
    seed: str = ""


class _Takeover(Protocol):
    async def versions(self) -> list[Json]: ...


class _Work(Protocol):
    """`hermes.node.successors.Successors`, which is loaded late."""

    @property
    def takeover(self) -> _Takeover: ...

    async def run(self, wish: Wish) -> Json: ...
    async def list(self, most: int) -> Json: ...
    async def show(self, name: str) -> Json: ...
    async def answer(self, name: str, said: Said, step: str, *, publish: bool) -> Json: ...
    async def rollback(self, why: str) -> Json: ...
    async def stop(self, why: str) -> Json: ...
    async def resume(self) -> Json: ...
    async def status(self) -> Json: ...
    async def fail(self, tag: str, why: str) -> None: ...
    async def watch(self) -> None: ...


class Changing:
    """Queries about candidates, verdicts, approvals and versions."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.keeper: Keeper | None = None
        self._made: _Work | None = None
        self._making = anyio.Lock()

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {
            "successor.run": self.run,
            "successor.list": self.list,
            "successor.show": self.show,
            "successor.versions": self.versions,
            "successor.answer": self.answer,
            "successor.rollback": self.rollback,
            "successor.stop": self.stop,
            "successor.resume": self.resume,
            "successor.status": self.status,
        }

    async def run(self, wish: Wish) -> Json:
        """Try a change in a sandbox, to its verdict; minutes."""
        return await (await self._work()).run(wish)

    async def list(self, most: int = 50) -> Json:
        """The newest trials, newest first."""
        return await (await self._work()).list(most)

    async def show(self, name: str) -> Json:
        """One candidate: its verdict, evidence, difference, what was said of it."""
        return await (await self._work()).show(name)

    async def versions(self) -> Json:
        """Every version that was adopted here, oldest first, with the words of both sides."""
        return await (await self._work()).takeover.versions()

    async def answer(
        self,
        name: str,
        word: Said,
        step: Literal["major", "minor", "patch"] = "minor",
        *,
        publish: bool = False,
    ) -> Json:
        """A person's word; a yes adopts. `publish`: bring tag and branch into the checkout."""
        return await (await self._work()).answer(name, word, step, publish=publish)

    async def rollback(self, why: str = "") -> Json:
        """Back to the version before."""
        return await (await self._work()).rollback(why)

    async def stop(self, why: str = "") -> Json:
        """Begin no trial and no adoption, and end what runs."""
        return await (await self._work()).stop(why)

    async def resume(self) -> Json:
        """Take the emergency stop away."""
        return await (await self._work()).resume()

    async def status(self) -> Json:
        """Which version runs, what is under way, what holds things up."""
        return await (await self._work()).status()

    async def fail(self, tag: str, why: str) -> None:
        """A version did not come up."""
        await (await self._work()).fail(tag, why)

    async def watch(self) -> None:
        """What a lasting owner does: mend what was cut off, sign that it took over, watch."""
        house = self.house
        pointer = Pointer(house.settings.data_dir)
        notes = await anyio.to_thread.run_sync(pointer.notes)
        records = Records(house.store, Signing(house.signer, house.clock))
        if notes.stage or await records.untaken(own_tag()):
            await (await self._work()).watch()

    async def _work(self) -> _Work:
        async with self._making:
            if self._made is None:
                heavy = await anyio.to_thread.run_sync(load, "successors")
                made: _Work = heavy.Successors(self)
                await self.house.store.trials.bury()
                self._made = made
            return self._made
