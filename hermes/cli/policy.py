"""`hermes policy`: the rules that hold in this project, and trust in its policy file."""

import argparse

from hermes.cli.asking import ask
from hermes.cli.command import Commands, add_command, add_json, add_verbs
from hermes.cli.output import print_json, print_text
from hermes.cli.world import World
from hermes.core.event import Json


def add(commands: Commands) -> None:
    """Add the noun and its verbs."""
    verbs = add_verbs(add_command(commands, "policy", "what is allowed", "hermes policy show"))
    show = add_command(verbs, "show", "show the rules that hold here", "hermes policy show", _show)
    trust = add_command(
        verbs,
        "trust",
        "let this project's policy file, as it is now, loosen rules",
        "hermes policy show && hermes policy trust",
        _trust,
    )
    for command in (show, trust):
        add_json(command)


async def _show(args: argparse.Namespace, world: World) -> int:
    return _print(await ask(args, world, "policy.show", root=str(world.root)), args, world)


async def _trust(args: argparse.Namespace, world: World) -> int:
    return _print(await ask(args, world, "policy.trust", root=str(world.root)), args, world)


def _print(answer: Json, args: argparse.Namespace, world: World) -> int:
    if args.json:
        print_json(answer, world.stdout)
        return 0
    for line in lines(answer):
        print_text(line, world.stdout)
    return 0


def lines(value: Json, indent: int = 0) -> list[str]:
    """Nested data as indented lines."""
    space = "  " * indent
    match value:
        case dict():
            found: list[str] = []
            for name, inner in value.items():
                if isinstance(inner, dict | list) and inner:
                    found += [f"{space}{name}:", *lines(inner, indent + 1)]
                else:
                    found.append(f"{space}{name}: {_word(inner)}")
            return found
        case list():
            return [
                line
                for inner in value
                for line in (
                    lines(inner, indent)
                    if isinstance(inner, dict | list)
                    else [f"{space}- {_word(inner)}"]
                )
            ]
        case _:
            return [f"{space}{_word(value)}"]


def _word(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value in (None, "", [], {}) else str(value)
