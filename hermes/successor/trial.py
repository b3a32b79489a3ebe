"""One trial, from top to bottom: stops, patch, build, stages, verdict.

Who keeps records, says stop, and judges is handed in. The candidate only ever runs in boxes.
"""

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import TaskGroup

from hermes.core.candidate import Candidate
from hermes.core.task_groups import cut_short, lone_error
from hermes.core.verdict import Evidence, Verdict
from hermes.errors import BudgetSpent, Halted, HermesError
from hermes.sandbox.off_loop import off_loop
from hermes.store.blobs import digest_of
from hermes.successor.books import Stops, Submission, Trial
from hermes.successor.budget import Spend, read_budget
from hermes.successor.build import Builder, Built
from hermes.successor.early import ahead, begun
from hermes.successor.forest import Forest
from hermes.successor.order import Judged, Order, Terms, Workshop
from hermes.successor.patch import read_patch
from hermes.successor.trees import shown
from hermes.successor.weighing import reasons, word_of
from hermes.successor.workbench import Stage, Workbench

__all__ = ["Judged", "Order", "Terms", "Workshop", "run_trial"]

_LOOK_S = 0.2
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class _Made:
    """What is tried, before anything of it has run."""

    candidate: Candidate
    built: Built
    bench: Workbench
    forest: Forest


@dataclass(frozen=True)
class _Ground:
    """Where trees are; what is left with the trial; what runs beside all of it."""

    forest: Forest
    stack: AsyncExitStack
    group: TaskGroup


async def run_trial(workshop: Workshop, order: Order) -> Judged:
    """Try a candidate to its verdict.

    Raises PatchInvalid and BuildFailed where there is nothing to try, Halted, NotAvailable: then
    there is no verdict, and of a trial that had begun the book is told why.
    """
    await workshop.stops.check("trial")
    ground = workshop.standing.require("A", "A-")
    forest = await anyio.to_thread.run_sync(Forest, workshop.data_dir, ground.account)
    async with _alone(forest, workshop.stops):
        return await _alone_with(workshop, order, forest)


async def _alone_with(workshop: Workshop, order: Order, forest: Forest) -> Judged:
    with lone_error():
        async with AsyncExitStack() as stack, anyio.create_task_group() as group:
            judged = await _tried(workshop, order, _Ground(forest, stack, group))
            group.cancel_scope.cancel()
    return judged


async def _tried(workshop: Workshop, order: Order, ground: _Ground) -> Judged:
    async with _stoppable(workshop.stops):
        made = await _make(workshop, order, ground)
        known = await workshop.book.known(made.candidate, made.candidate.parent, order.effort)
        if known is not None:
            return Judged(known, None)
    submission = Submission(
        candidate=made.candidate,
        patch=order.patch,
        diff=shown(made.built.deltas),
        tier=order.effort,
        seed=order.seed or secrets.token_hex(16),
        judge=made.candidate.parent,
    )
    trial = await workshop.book.begin(submission)
    try:
        async with _stoppable(workshop.stops), _bench(order, made, trial) as bench:
            evidence = await _stages(workshop, bench, trial, made.built)
            verdict = _verdict(workshop, trial, bench, evidence)
        await workshop.book.verdict(trial.id, verdict, bench.records)
    except BaseException as error:
        why = error.message if isinstance(error, HermesError) else "it was broken off"
        with anyio.CancelScope(shield=True):
            await workshop.book.fail(trial.id, why)
        raise
    return Judged(trial, verdict)


async def _make(workshop: Workshop, order: Order, ground: _Ground) -> _Made:
    """Build it; what early stages hold meanwhile is held until the trial ends."""
    diff = await anyio.to_thread.run_sync(read_patch, order.patch)
    builder = Builder(workshop.source, ground.forest, workshop.standing)
    commit = await workshop.source.commit(order.commit or "HEAD")
    parent = await builder.commit(commit)
    budget = await anyio.to_thread.run_sync(read_budget, parent.path, order.effort)
    new = await ground.stack.enter_async_context(builder.planting())
    bench = Workbench(
        commit=commit,
        parent=parent.path,
        candidate=new,
        deltas=(),
        state=order.state,
        state_file=new,
        task=order.task,
        goal=order.goal,
        effort=order.effort,
        budget=budget,
        seed="",
        standing=workshop.standing,
        spend=Spend(budget),
        model=workshop.model,
        quiet=workshop.quiet,
    )
    ground.group.start_soon(ahead, workshop.stages, bench)
    await bench.held.wait()  # it takes longer than the build
    built = await builder.patched(parent, diff, new)
    candidate = Candidate(
        parent=commit,
        patch=digest_of(diff),
        tree=built.digest,
        shape=built.shape,
        task=order.task,
        by=order.by,
        goal=order.goal,
    )
    return _Made(candidate, built, bench, ground.forest)


@asynccontextmanager
async def _bench(order: Order, made: _Made, trial: Trial) -> AsyncGenerator[Workbench]:
    async with off_loop(made.forest.shown(order.state)) as state_file:
        spend = Spend(made.bench.budget)
        for ended in made.built.ended:
            spend.add(ended)
        yield replace(
            made.bench,
            candidate=made.built.path,
            deltas=made.built.deltas,
            state_file=state_file,
            seed=trial.seed,
            spend=spend,
        )


async def _stages(
    workshop: Workshop, bench: Workbench, trial: Trial, candidate: Built
) -> list[Evidence]:
    """Every stage in order; the first that rejects is the last."""
    evidence = [_built(candidate)]
    if candidate.broken:
        return evidence
    async with begun(workshop.stages, bench) as stages:
        await _judged(workshop, bench, trial, stages, evidence)
    return evidence


async def _judged(
    workshop: Workshop,
    bench: Workbench,
    trial: Trial,
    stages: Sequence[Stage],
    evidence: list[Evidence],
) -> None:
    deciding = set[str]()
    for stage in stages:
        if any(one.outcome == "fail" and one.stage in deciding for one in evidence):
            break
        workshop.book.reach(trial.id, stage.name)
        with anyio.move_on_after(_PATIENCE_S):
            await workshop.quiet()
        try:
            found = await stage.judge(bench)
        except BudgetSpent as spent:
            found = Evidence(stage.name, "inconclusive", spent.message)
        if stage.decides:
            deciding.add(stage.name)
        elif found.outcome != "skipped":
            found = msgspec.structs.replace(found, outcome="advisory")
        evidence.append(found)


def _built(candidate: Built) -> Evidence:
    if candidate.broken:
        says = f"{len(candidate.broken)} modules do not compile: {candidate.broken[0]}"
        return Evidence("build", "fail", says, candidate.broken)
    return Evidence("build", "pass", "it applies and compiles")


def _verdict(
    workshop: Workshop, trial: Trial, bench: Workbench, evidence: list[Evidence]
) -> Verdict:
    word = word_of(evidence, [stage.name for stage in workshop.stages if stage.decides])
    return Verdict(
        candidate=trial.candidate,
        word=word,
        reasons=reasons(word, evidence),
        evidence=tuple(evidence),
        spent=bench.spend.spent(),
        limits=tuple(bench.spend.limits),
        ward=workshop.ward,
        person_only=tuple(dict.fromkeys(bench.marks)),
        judge=bench.commit,
        seed=trial.seed,
        at=workshop.clock.now_ms(),
    )


@asynccontextmanager
async def _alone(forest: Forest, stops: Stops) -> AsyncGenerator[None]:
    """Wait until no other trial runs on this machine: two would measure each other."""
    async with off_loop(forest.opened()) as lock:
        async with _stoppable(stops):
            while not await anyio.to_thread.run_sync(lock):  # noqa: ASYNC110 - a lock tells nobody
                await anyio.sleep(_LOOK_S)
        yield


@asynccontextmanager
async def _stoppable(stops: Stops) -> AsyncGenerator[None]:
    """End the body, and every box in it, soon after the emergency stop is set."""
    pulled = False

    async def look() -> None:
        nonlocal pulled
        while not pulled:
            await anyio.sleep(_LOOK_S)
            pulled = await anyio.to_thread.run_sync(stops.flagged)

    async with cut_short(look):
        yield
    if pulled:
        raise Halted("the emergency stop was set while a trial ran", "remove emergency_stop.flag")
