"""`hermes conversations`: the history, its search, its export."""

import argparse
import json
from pathlib import Path

import anyio
import anyio.to_thread

from hermes.cli.asking import ask
from hermes.cli.command import Commands, add_command, add_json, add_verbs, count
from hermes.cli.output import print_json, print_table, print_text
from hermes.cli.piped import piped
from hermes.cli.world import World
from hermes.core.event import Json
from hermes.errors import Usage
from hermes.gateway.export import to_json, to_markdown
from hermes.node import new_file

_LONGEST_IMPORT = 200_000_000
_COLUMNS = (
    ("id", "ID", 36),
    ("updated", "UPDATED", 24),
    ("messages", "MESSAGES", 8),
    ("private", "PRIVATE", 7),
    ("title", "TITLE", 60),
)
_HITS = (
    ("conversation", "CONVERSATION", 36),
    ("at", "AT", 24),
    ("role", "ROLE", 9),
    ("snippet", "TEXT", 100),
)


def add(commands: Commands) -> None:
    """Add the noun and its verbs."""
    noun = add_command(
        commands,
        "conversations",
        "what was said: find, show, export, import",
        "hermes conversations list --limit 5",
    )
    verbs = add_verbs(noun)
    every = add_command(
        verbs, "list", "list conversations, newest first", "hermes conversations list", _list
    )
    every.add_argument("--limit", type=count, default=20, metavar="N", help="at most N (20)")
    every.add_argument("--offset", type=count, default=0, metavar="N", help="leave out the first N")
    every.add_argument("--here", action="store_true", help="only this project's")
    search = add_command(
        verbs, "search", "find messages by words", 'hermes conversations search "port 80"', _search
    )
    search.add_argument("query", metavar="QUERY", help="words that the message contains")
    search.add_argument("--conversation", metavar="ID", help="only in this one")
    search.add_argument("--limit", type=count, default=20, metavar="N", help="at most N (20)")
    show = add_command(verbs, "show", "show a conversation", "hermes conversations show ID", _show)
    export = add_command(
        verbs,
        "export",
        "write a conversation as Markdown or JSON",
        "hermes conversations export ID --out talk.md",
        _export,
    )
    export.add_argument("--out", metavar="FILE", help="a file that does not exist yet")
    export.add_argument("--format", choices=("markdown", "json"), help="default: by the file")
    load = add_command(
        verbs,
        "import",
        "take a JSON export into the store",
        "hermes conversations import talk.json",
        _import,
    )
    load.add_argument("file", metavar="FILE", help="a JSON export; - for standard input")
    fork = add_command(
        verbs, "fork", "go on in a copy; prints its id", "hermes conversations fork ID", _fork
    )
    private = add_command(
        verbs,
        "private",
        "never train on a conversation, never replicate it",
        "hermes conversations private ID",
        _private,
    )
    private.add_argument("--off", action="store_true", help="lift it again")
    for command in (show, export, fork, private):
        command.add_argument("id", metavar="ID", help="its id, or how that begins")
    for command in (every, search, show, export, load, fork, private):
        add_json(command)


async def _list(args: argparse.Namespace, world: World) -> int:
    here = {"root": str(world.root)} if args.here else {}
    found = await ask(
        args, world, "conversations.list", limit=args.limit, offset=args.offset, **here
    )
    if args.json:
        print_json(found, world.stdout)
    else:
        print_table(found, _COLUMNS, world.stdout, "no conversations yet")
    return 0


async def _search(args: argparse.Namespace, world: World) -> int:
    found = await ask(
        args,
        world,
        "conversations.search",
        query=args.query,
        limit=args.limit,
        **({"conversation": args.conversation} if args.conversation else {}),
    )
    if args.json:
        print_json(found, world.stdout)
    else:
        print_table(found, _HITS, world.stdout, "nothing found")
    return 0


async def _show(args: argparse.Namespace, world: World) -> int:
    shown = await ask(args, world, "conversations.show", id=args.id)
    if args.json:
        print_json(shown, world.stdout)
    else:
        print_text(to_markdown(shown), world.stdout)
    return 0


async def _export(args: argparse.Namespace, world: World) -> int:
    out = world.cwd / args.out if args.out else None
    if out and await anyio.Path(out).exists():
        raise Usage(f"{args.out} exists already", "name another file")
    exported = await ask(args, world, "conversations.export", id=args.id)
    as_json = args.json or args.format == "json"
    as_json = as_json or (args.format is None and out is not None and out.suffix == ".json")
    text = to_json(exported) if as_json else to_markdown(exported)
    if out is None:
        print(text, end="", file=world.stdout)
    else:
        await write_new(out, text)
        world.note(f"wrote {args.out}")
    return 0


async def _import(args: argparse.Namespace, world: World) -> int:
    text = await _read(args.file, world)
    try:
        data = json.loads(text)
    except ValueError as error:
        raise Usage(f"{args.file} is no JSON export: {error}") from error
    return _say(await ask(args, world, "conversations.import", data=data), args, world)


async def _fork(args: argparse.Namespace, world: World) -> int:
    answer = await ask(args, world, "conversations.fork", id=args.id)
    return _say(answer, args, world)


async def _private(args: argparse.Namespace, world: World) -> int:
    answer = await ask(args, world, "conversations.private", id=args.id, on=not args.off)
    if args.json:
        print_json(answer, world.stdout)
    else:
        print("no longer private" if args.off else "private", file=world.stdout)
    return 0


async def write_new(path: Path, text: str) -> None:
    """Write a file that does not exist yet; raises Usage."""
    await anyio.to_thread.run_sync(new_file.write_new, path, text.encode(errors="replace"))


async def _read(name: str, world: World) -> str:
    if name == "-":
        return await piped(world, _LONGEST_IMPORT)
    try:
        return await anyio.Path(world.cwd / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"cannot read {name}: {error}") from error


def _say(answer: Json, args: argparse.Namespace, world: World) -> int:
    if args.json:
        print_json(answer, world.stdout)
    else:
        print_text(str(answer["id"]), world.stdout)
    return 0
