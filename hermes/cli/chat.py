"""`hermes chat`: decides between the terminal and one turn."""

import argparse

from hermes.cli.command import Commands, add_command, count
from hermes.cli.once import run_once
from hermes.cli.piped import carries_text, piped
from hermes.cli.settings import request_of
from hermes.cli.world import World
from hermes.config import Settings
from hermes.errors import NotAvailable, Usage
from hermes.load import load


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands,
        "chat",
        "open the chat, or run one turn with -m",
        'hermes chat -m "read README.md" --json',
        run,
    )
    command.add_argument("-m", "--message", metavar="TEXT", help="one turn with this text")
    command.add_argument(
        "--conversation", metavar="ID", help="go on with this one (its id, or how that begins)"
    )
    add_turn_options(command)
    command.add_argument(
        "--json", action="store_true", help="with -m: one event a line (docs/events.md)"
    )


def add_turn_options(command: argparse.ArgumentParser) -> None:
    """What every turn of a command starts from."""
    command.add_argument("--model", metavar="M", help="GGUF path, URL#NAME or scripted:FILE")
    command.add_argument("--skin", metavar="S", help="voice and look: hermes skin list")
    command.add_argument(
        "--mode", choices=("read-only", "ask", "auto"), help="what happens without a rule"
    )
    command.add_argument("--max-steps", type=count, metavar="N", help="at most N model calls")
    command.add_argument(
        "--context", type=count, metavar="N", help="window in tokens (default: the model's)"
    )
    command.add_argument(
        "--profile",
        choices=("full", "lean", "native"),
        help="how much the prompt says (default: by the model)",
    )
    command.add_argument(
        "--private", action="store_true", help="never train on this, never replicate it"
    )
    command.add_argument(
        "--yes",
        action="store_true",
        help="yes to all that would ask, but to leave the sandbox; what is denied stays denied",
    )


async def run(args: argparse.Namespace, world: World) -> int:
    """Run the chat."""
    settings: Settings = args.settings
    text = await _text(args, world)
    if text is not None:
        return await run_once(text, args, world, settings)
    if args.json:
        raise Usage("--json needs -m TEXT or text from a pipe", 'hermes chat -m "..." --json')
    if not world.stdout.isatty():
        raise NotAvailable("standard output is no terminal", "give one turn with -m TEXT")
    request = request_of(args, world, settings)
    async with world.open_client(settings, interactive=True, environ=world.environ) as door:
        code: int = await load("terminal").run_terminal(
            door, settings, request, environ=world.environ
        )
        return code


async def _text(args: argparse.Namespace, world: World) -> str | None:
    """What to say in one turn; None: nothing was given, so it is a chat."""
    if args.message is None:
        if world.stdin.isatty():
            return None
        text = await piped(world)
        if not text.strip():
            raise Usage("standard input is empty", "give the text with -m, or type in a terminal")
        return text
    more = await piped(world) if carries_text(world.stdin) else ""
    text = f"{args.message}\n\n{more}" if more.strip() else str(args.message)
    if not text.strip():
        raise Usage("the message is empty", 'hermes chat -m "..."')
    return text
