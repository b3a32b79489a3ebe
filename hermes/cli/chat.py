"""`hermes chat`: decides between the terminal and one turn."""

import argparse
import os
import stat

import anyio
import anyio.to_thread

from hermes.cli.command import Commands, add_command, count
from hermes.cli.once import run_once
from hermes.cli.settings import request_of, settings_of
from hermes.cli.world import World
from hermes.errors import NotAvailable, Usage
from hermes.load import load

_LONGEST_INPUT = 4_000_000  # characters; more belongs into a file that the model reads in parts
_PATIENCE_S = 2.0


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
    command.add_argument("--conversation", metavar="ID", help="go on with a conversation")
    command.add_argument("--model", metavar="M", help="GGUF path, URL#NAME or scripted:FILE")
    command.add_argument("--skin", metavar="S", help="name of a skin")
    command.add_argument("--mode", choices=("read-only", "ask", "auto"), help="without a rule")
    command.add_argument("--max-steps", type=count, metavar="N", help="model calls in a turn")
    command.add_argument("--context", type=count, metavar="N", help="window in tokens")
    command.add_argument("--profile", choices=("full", "lean", "native"), help="fixed prompt")
    command.add_argument("--private", action="store_true", help="never trained on or replicated")
    command.add_argument("--yes", action="store_true", help="yes to what asks, not what is denied")
    command.add_argument("--json", action="store_true", help="one event a line")


async def run(args: argparse.Namespace, world: World) -> int:
    """Run the chat."""
    settings = settings_of(args, world)
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
        text = await _piped(world)
        if not text.strip():
            raise Usage("standard input is empty", "give the text with -m, or type in a terminal")
        return text
    piped = await _piped(world) if _carries_text(world) else ""
    text = f"{args.message}\n\n{piped}" if piped.strip() else str(args.message)
    if not text.strip():
        raise Usage("the message is empty", 'hermes chat -m "..."')
    return text


def _carries_text(world: World) -> bool:
    """Whether standard input is a pipe or a file: a socket or device may never end."""
    if world.stdin.isatty():
        return False
    try:
        mode = os.fstat(world.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return True  # no real file: whoever made it ends it
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


async def _piped(world: World) -> str:
    text = ""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_explain_waiting, world)
        text = await anyio.to_thread.run_sync(
            world.stdin.read, _LONGEST_INPUT + 1, abandon_on_cancel=True
        )
        tasks.cancel_scope.cancel()
    if len(text) > _LONGEST_INPUT:
        raise Usage(
            f"standard input is longer than {_LONGEST_INPUT:,} characters",
            "put it into a file and name the file in the message",
        )
    return text.rstrip("\n")


async def _explain_waiting(world: World) -> None:
    await anyio.sleep(_PATIENCE_S)
    world.complain("waiting for the end of standard input", "without one: hermes ... </dev/null")
