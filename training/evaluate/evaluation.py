"""A whole evaluation: opens the model, times it, runs each set, counts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio.to_thread

from hermes.errors import ModelRefused, Usage
from hermes.models.model import Model
from training.evaluate.cases import Case, read_cases, spread
from training.evaluate.depth import COUNT, DEPTHS, depth_cases
from training.evaluate.report import Report, SetScore, score_set, speed_of
from training.evaluate.runner import run_cases
from training.evaluate.sets import GENERATED, WRITTEN, written_cases
from training.evaluate.subject import Subject, Wanted, opened

Grammar = Literal["on", "off", "both"]
_DEPTH_SETS = {f"depth-{tokens}": tokens for tokens in DEPTHS}
SETS = (*WRITTEN, *GENERATED, *_DEPTH_SETS)
_TIMED = 8


@dataclass(frozen=True)
class Order:
    """What is evaluated and how.

    `cases`: files of the user's own, in place of the sets. `sets`: names of `SETS`, all of them
    where none is named. `limit`: cases a set, 0 for the set's own number. `grammar` both: the
    depth sets run with it only. `wrong`: name the answers that are not exact.
    """

    wanted: Wanted
    cases: tuple[Path, ...] = ()
    sets: tuple[str, ...] = ()
    limit: int = 0
    grammar: Grammar = "both"
    wrong: bool = False


async def evaluate(order: Order, tell: Callable[[str], None] = lambda _: None) -> Report:
    """Evaluate a model; raises Usage, ModelError or NotAvailable. `tell` hears what is done."""
    if unknown := [name for name in order.sets if name not in SETS]:
        raise Usage(f"no set named {unknown[0]!r}", f"there are {', '.join(SETS)}")
    own = await anyio.to_thread.run_sync(_own, order.cases, order.limit)
    async with opened(order.wanted) as subject:
        timed = await anyio.to_thread.run_sync(GENERATED["values"][0], _TIMED)
        held = await run_cases(subject.model, timed)
        free = await run_cases(subject.model, timed, grammar=False)
        found: list[SetScore] = []
        notes: list[str] = []
        for name in (*own, *(order.sets or (() if own else SETS))):
            cases = own[name] if name in own else await _cases(name, order.limit, subject.model)
            if not cases:
                notes.append(f"{name} is left out: the window of {subject.model.window} is smaller")
                continue
            for grammar in _ways(order.grammar, name):
                tell(f"{name}: {len(cases)} cases{'' if grammar else ', no grammar'}")
                found.append(await _run(subject, name, cases, order, grammar=grammar))
        model = subject.model
    speed = speed_of(held, free, subject.load_ms)
    return Report(model.name, model.profile, model.window, speed, tuple(found), tuple(notes))


async def _cases(name: str, limit: int, model: Model) -> list[Case]:
    """The cases of one of `SETS`."""
    if name in WRITTEN:
        return await anyio.to_thread.run_sync(written_cases, name, limit)
    if name in GENERATED:
        make, count = GENERATED[name]
        return await anyio.to_thread.run_sync(make, limit or count)
    return await depth_cases(model, _DEPTH_SETS[name], limit or COUNT)


async def _run(
    subject: Subject, name: str, cases: list[Case], order: Order, *, grammar: bool
) -> SetScore:
    # The engine's slots would each evaluate the history that the cases share.
    alone = name in _DEPTH_SETS and subject.load_ms is not None
    at_once = 1 if alone else subject.at_once
    answers = await run_cases(subject.model, cases, grammar=grammar, at_once=at_once)
    if all(answer.error for answer in answers):  # not a weak model but no working one
        raise ModelRefused(f"every answer failed, the first so: {answers[0].error}")
    return score_set(name, answers, grammar=grammar, wrong=order.wrong)


def _own(paths: Sequence[Path], limit: int) -> dict[str, list[Case]]:
    """The user's own cases by their files' names, whole paths where a name is taken."""
    found: dict[str, list[Case]] = {}
    for path in paths:
        name = str(path) if path.stem in {*SETS, *found} else path.stem
        found[name] = spread(read_cases(path), limit, lambda case: case.intent)
    return found


def _ways(grammar: Grammar, name: str) -> tuple[bool, ...]:
    if grammar == "both":
        return (True,) if name in _DEPTH_SETS else (True, False)
    return (grammar == "on",)
