"""Stages that need not wait for their turn: what they open before the build, and when they begin.

The word of such a stage is still taken in its place: an earlier one that rejects ends the trial,
and what has begun with it.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, runtime_checkable

import anyio

from hermes.core.task_groups import lone_error
from hermes.core.verdict import Evidence
from hermes.errors import HermesError
from hermes.successor.workbench import Stage, Workbench

_HEAD_START_S = 2.0


@runtime_checkable
class Early(Protocol):
    """A stage that decides nothing and takes long to begin.

    `ahead` holds what `judge` will need, open while the tree at `Workbench.candidate` is still
    being built, and runs nothing of it.
    """

    async def ahead(self, bench: Workbench) -> None:
        """Hold it, until cancelled; sets `bench.held` when it is open: the build waits for that."""
        ...


async def ahead(stages: Sequence[Stage], bench: Workbench) -> None:
    """Let every early stage hold what it needs, until cancelled."""
    async with anyio.create_task_group() as group:
        for stage in stages:
            if isinstance(stage, Early):
                group.start_soon(stage.ahead, bench)
    bench.held.set()


class _Begun:
    """A stage that judges already."""

    def __init__(self, stage: Stage) -> None:
        self.name = stage.name
        self.decides = stage.decides
        self._stage = stage
        self._over = anyio.Event()
        self._found: Evidence | HermesError | None = None

    async def begin(self, bench: Workbench) -> None:
        try:
            self._found = await self._stage.judge(bench)
        except HermesError as error:
            self._found = error
        self._over.set()
        bench.under_way.set()

    async def judge(self, _: Workbench) -> Evidence:
        await self._over.wait()
        if not isinstance(self._found, Evidence):
            raise self._found or RuntimeError("a stage ended without a word")
        return self._found


@asynccontextmanager
async def begun(stages: Sequence[Stage], bench: Workbench) -> AsyncGenerator[tuple[Stage, ...]]:
    """The same stages, the early ones judging already; they end with the context.

    They have a head start: what all of them begin at once begins later.
    """
    with lone_error():
        async with anyio.create_task_group() as group:
            found: list[Stage] = []
            for stage in stages:
                if isinstance(stage, Early) and not stage.decides:
                    early = _Begun(stage)
                    group.start_soon(early.begin, bench)
                    found.append(early)
                else:
                    found.append(stage)
            if tuple(found) != tuple(stages):
                with anyio.move_on_after(_HEAD_START_S):
                    await bench.under_way.wait()
            yield tuple(found)
            group.cancel_scope.cancel()
