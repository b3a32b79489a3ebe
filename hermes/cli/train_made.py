"""What `hermes train run` says of a run: files, losses, and scores before and after."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import msgspec

from hermes.cli.output import print_json, print_table, print_text
from hermes.cli.train_work import part
from hermes.cli.world import World
from hermes.config import Settings
from hermes.core.event import Json

_SET, _LIMIT = "values", 100
_SCORES = "scores.json"
_COLUMNS = (
    ("name", "MEASURED", 40),
    ("before", "BEFORE", 10),
    ("after", "AFTER", 10),
)


@dataclass(frozen=True)
class Scores:
    """Exact-call accuracy by set, before and after."""

    before: Mapping[str, float]
    after: Mapping[str, float]


async def compare(origin: Path, trained: Any, settings: Settings, world: World) -> Scores:  # noqa: ANN401 - of a part that is loaded late
    """Put the curriculum's held-out requests, and the owner's, to both models."""
    found = []
    for model in (origin, Path(trained.model)):
        world.note(f"  measuring {model.name}")
        found.append(await _exact(model, trained.cases, settings))
    scores = Scores(*found)
    path = anyio.Path(trained.model).with_name(_SCORES)
    await path.write_bytes(msgspec.json.format(msgspec.json.encode(scores), indent=1))
    return scores


async def _exact(model: Path, cases: str, settings: Settings) -> dict[str, float]:
    evaluation = await part("train_eval")
    wanted = evaluation.Wanted(str(model), settings.runtime_dir)
    exact: dict[str, float] = {}
    for given in ({"sets": (_SET,)}, {"cases": (Path(cases),)} if cases else {}):
        if given:
            order = evaluation.Order(wanted, limit=_LIMIT, grammar="on", **given)
            report = await evaluation.evaluate(order)
            exact |= {one.name: one.exact for one in report.sets}
    return exact


def say(made: Any, scores: Scores | None, world: World, *, json: bool) -> None:  # noqa: ANN401 - as above
    """Print the report of a run; `scores` None: none were taken."""
    plain: dict[str, Json] = msgspec.to_builtins(made)
    if scores:
        plain["scores"] = {"before": dict(scores.before), "after": dict(scores.after)}
    if json:
        print_json(plain, world.stdout)
        return
    rows = _rows(plain, scores)
    if rows:
        print_table(rows, _COLUMNS, world.stdout, "")
    count, seconds = plain["parameters"], plain["seconds"]
    print_text(f"{count:,} parameters, {plain['steps']} steps, {seconds:.0f} s", world.stdout)
    for file in plain.get("files") or [plain["model"]]:
        print_text(file, world.stdout)
    if reason := plain.get("unwritten"):
        print_text(f"no model.gguf: {reason}", world.stdout)
    if not plain["finished"]:
        world.complain("stopped before the budget was spent", "go on with the same words, --resume")


def plain_estimate(found: Any) -> dict[str, Json]:  # noqa: ANN401 - as above
    """An estimate for programs."""
    return {
        "size": found.size.name,
        "parameters": found.size.shape.parameters(),
        "memory_bytes": found.state + found.activations,
        "present_bytes": found.present,
        "fits": found.fits,
        "bf16": found.bf16,
        "step_tokens": found.size.tokens,
        "tokens_per_s": round(found.speed),
        "enough_tokens": found.enough,
        "hours": round(found.hours, 2),
    }


def _rows(plain: Mapping[str, Json], scores: Scores | None) -> list[Json]:
    before, after = plain.get("before") or {}, plain["after"]
    if not isinstance(after, Mapping):  # a fine-tuned model has one figure
        before, after = {"data": before}, {"data": after}
    pairs = [(f"loss, {name}", before.get(name), value) for name, value in after.items()]
    if scores:
        for name, value in scores.after.items():
            pairs.append((f"exact calls, {name}", scores.before.get(name), value))
    return [
        {"name": name, "before": _figure(first), "after": _figure(last)}
        for name, first, last in pairs
        if last is not None
    ]


def _figure(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"
