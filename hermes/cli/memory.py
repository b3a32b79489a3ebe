"""`hermes memory`: what the agent remembers of this project."""

import argparse

from hermes.cli import memory_tasks
from hermes.cli.asking import ask
from hermes.cli.command import Commands, add_command, add_json, add_verbs, count
from hermes.cli.output import print_json, print_table, print_text
from hermes.cli.world import World
from hermes.core.event import Json
from hermes.errors import Usage
from hermes.gateway.render_recalled import why_lines

_COLUMNS = (("id", "ID", 64), ("memory_type", "TYPE", 12), ("content", "CONTENT", 80))


def add(commands: Commands) -> None:
    """Add the noun and its verbs."""
    example = 'hermes memory search "database port"'
    verbs = add_verbs(add_command(commands, "memory", "what it remembers of a project", example))
    new = add_command(verbs, "add", "remember a fact", 'hermes memory add "tests: make test"', _add)
    new.add_argument("content", metavar="TEXT", help="the fact, in a sentence")
    new.add_argument("--type", metavar="T", help="kind of memory, such as decision")
    search = add_command(verbs, "search", "find memories by words", example, _search)
    search.add_argument("query", metavar="QUERY", help="words to look for")
    search.add_argument("--limit", type=count, default=20, metavar="N", help="at most N (20)")
    every = add_command(verbs, "list", "list memories", "hermes memory list --limit 10", _list)
    every.add_argument("--limit", type=count, default=50, metavar="N", help="at most N (50)")
    every.add_argument("--offset", type=count, default=0, metavar="N", help="leave out the first N")
    forget = add_command(verbs, "forget", "forget one", "hermes memory forget 3", _forget)
    forget.add_argument("id", metavar="ID", type=count, help="its number in the list")
    why = add_command(
        verbs, "why", "why the model was shown what", "hermes memory why --turns 3", _why
    )
    why.add_argument("--conversation", default="", metavar="ID", help="its id or how it begins")
    why.add_argument("--turns", type=count, default=5, metavar="N", help="its last N (5)")
    for command in (new, search, every, forget, why):
        add_json(command)
    memory_tasks.add(verbs)


async def _add(args: argparse.Namespace, world: World) -> int:
    kind = {"type": args.type} if args.type else {}
    added = await ask(args, world, "memory.add", root=str(world.root), content=args.content, **kind)
    if args.json:
        print_json(added, world.stdout)
    else:
        print("remembered", file=world.stdout)
    return 0


async def _search(args: argparse.Namespace, world: World) -> int:
    found = await ask(
        args, world, "memory.search", root=str(world.root), query=args.query, limit=args.limit
    )
    if args.json:
        print_json(found, world.stdout)
    else:
        lines = [one | {"content": _line(one)} for one in found]
        print_table(lines, _COLUMNS, world.stdout, "nothing found")
    return 0


def _line(one: dict[str, Json]) -> str:
    return " ".join((one["content"], *one.get("others", ())))


async def _list(args: argparse.Namespace, world: World) -> int:
    found = await ask(
        args, world, "memory.list", root=str(world.root), limit=args.limit, offset=args.offset
    )
    if args.json:
        print_json(found, world.stdout)
    else:
        print_table(found, _COLUMNS, world.stdout, "nothing is remembered here")
    return 0


async def _forget(args: argparse.Namespace, world: World) -> int:
    answer = await ask(args, world, "memory.forget", id=args.id)
    if not answer["erased"]:
        raise Usage(f"no memory has the id {args.id}", "see: hermes memory list")
    if args.json:
        print_json(answer, world.stdout)
    else:
        print("forgotten", file=world.stdout)
    return 0


async def _why(args: argparse.Namespace, world: World) -> int:
    told = await ask(
        args,
        world,
        "memory.why",
        root=str(world.root),
        conversation=args.conversation,
        turns=args.turns,
    )
    if args.json:
        print_json(told, world.stdout)
    else:
        for line, _style in why_lines(told):
            print_text(line, world.stdout)
    return 0
