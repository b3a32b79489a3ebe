"""`hermes train eval`: how well a model answers requests with exact calls."""

import argparse

import msgspec

from hermes.cli.command import Commands, add_command
from hermes.cli.output import print_json, print_text
from hermes.cli.train_work import EMBER, model_place, part, places
from hermes.cli.world import World
from hermes.config import Settings
from training.evaluate.options import add_options


def add(verbs: Commands) -> None:
    """Add the verb."""
    says = "measure a model: exact calls, answers, speed"
    command = add_command(verbs, "eval", says, "hermes train eval ember --set free --json", _eval)
    add_options(command)


async def _eval(args: argparse.Namespace, world: World) -> int:
    settings: Settings = args.settings
    evaluation = await part("train_eval")
    least = evaluation.least_of(args)
    args.cases = places(args.cases, world)
    if args.model == EMBER or "://" not in args.model:
        args.model = str(model_place(args.model, world))
    order = evaluation.order_of(args, settings.runtime_dir, settings.api_key)
    report = await evaluation.evaluate(order, lambda text: world.note(f"  {text}"))
    if args.json:
        print_json(msgspec.to_builtins(report), world.stdout)
    else:
        print_text(evaluation.render(report), world.stdout)
    missing = evaluation.unmet(report, least)
    for line in missing:
        world.complain(line)
    return 1 if missing else 0
