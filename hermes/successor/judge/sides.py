"""Both versions asked the same at once, and whose doing it is when one of them breaks off.

A parent that breaks is nobody's verdict, nor is a candidate that hangs where the parent took
long too: neither got the processor.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import anyio

from hermes.successor.judge.drive import ANSWER_S, Answer, Driven
from hermes.successor.judge.inputs import Op, script_text
from hermes.successor.judge.lines import Broken
from hermes.successor.workbench import NOBODYS

Json = Any
_SLOW_S = ANSWER_S / 4  # a parent that takes this long is on a machine with too much to do


class Sides:
    """Parent and candidate; `limit`: what broke off that is not the candidate's doing."""

    def __init__(self, parent: Driven, candidate: Driven) -> None:
        self._parent = parent
        self._candidate = candidate
        self.limit = ""
        self._slowest = 0.0

    async def ask(self, batch: Sequence[Op]) -> tuple[list[Answer], list[Answer]]:
        """The answers of both; raises Broken."""
        answers: dict[Driven, list[Answer]] = {}

        async def ask(driven: Driven) -> None:
            answers[driven] = await _asked(driven, batch)

        await self.together(ask)
        return answers[self._parent], answers[self._candidate]

    async def together(self, work: Callable[[Driven], Awaitable[None]]) -> None:
        """Do it on both sides at once; raises Broken, and `limit` says when it is nobody's."""
        broken: dict[Driven, Broken] = {}
        began = anyio.current_time()

        async def one(driven: Driven) -> None:
            try:
                await work(driven)
            except Broken as error:
                broken[driven] = error
            if driven is self._parent:
                self._slowest = max(self._slowest, anyio.current_time() - began)

        async with anyio.create_task_group() as tasks:
            for driven in (self._parent, self._candidate):
                tasks.start_soon(one, driven)
        if found := broken.get(self._parent):
            self.limit = await self._parents(found)
            raise found
        if found := broken.get(self._candidate):
            raise found

    async def blame(self, broken: Broken) -> str:
        """What the candidate is found to have done; "" where `limit` says that it is nobody's."""
        if self.limit:
            return ""
        if broken.how == "hang" and self._slowest > _SLOW_S:
            self.limit = f"a busy machine: the parent, too, took {self._slowest:.0f} s"
            return ""
        why = await self._candidate.why()
        if why in NOBODYS:
            self.limit = why
            return ""
        return f"{broken.how}: {why}" if why else broken.how

    async def _parents(self, broken: Broken) -> str:
        why = await self._parent.why()
        if why in NOBODYS:
            return why
        words = f', and said last: "{said}"' if (said := self._parent.last_words) else ""
        how = f"ended by {why}" if why else f"broke off ({broken.message})"
        return f"the parent's own version, which {how}{words}"


async def _asked(driven: Driven, batch: Sequence[Op]) -> list[Answer]:
    scripts = {
        str(op.call.arguments["script"]): script_text(op.script) for op in batch if op.script
    }
    if scripts:
        await driven.order("put", files=scripts)
    calls = [replace(op.call, arguments=_named(driven, op)) for op in batch]
    return await driven.calls(calls)


def _named(driven: Driven, op: Op) -> dict[str, Json]:
    """The arguments with a side's own id in place of the judge's name."""
    arguments = dict(op.call.arguments)
    name = str(arguments.get("conversation_id", ""))
    if name.startswith("@"):
        arguments["conversation_id"] = driven.names.get(name[1:], name)
    return arguments
