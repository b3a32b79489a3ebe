"""Runs a command: the only event loop, and the one place where errors become exit codes."""

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Sequence

import anyio
from anyio.abc import TaskStatus

from hermes import errors
from hermes.cli.parser import build_parser
from hermes.cli.settings import settings_of
from hermes.cli.world import World, this_world
from hermes.gateway.render_text import clean

INTERRUPTED = 130
TERMINATED = 143
_PIPE_BROKEN = 141
_DEBUG = "HERMES_V2_DEBUG"


def main(argv: Sequence[str]) -> int:
    """Run a command line in this process."""
    code = execute(argv, this_world())
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        return _PIPE_BROKEN
    return code


def execute(argv: Sequence[str], world: World) -> int:
    """Run a command line in a given world and return its exit code."""
    words = list(argv)
    if not words or (words[0].startswith("-") and words[0] not in {"-h", "--help", "--version"}):
        words.insert(0, "chat")
    try:
        arguments = build_parser().parse_args(words)
    except SystemExit as end:  # argparse has said why
        return int(end.code or 0)
    try:
        if getattr(arguments, "needs_settings", True):
            arguments.settings = settings_of(arguments, world)
        code: int = anyio.run(_until_ended, arguments, world)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseException as error:  # noqa: BLE001 - the edge: every error gets its exit code
        return _failed(_leaf(error), world)
    return code


async def _until_ended(arguments: argparse.Namespace, world: World) -> int:
    """Run a command; asked to end, it closes what it opened: a turn stays to be resumed."""
    code = TERMINATED
    async with anyio.create_task_group() as tasks:
        # Before the command: one that ends in its own way listens after us, and so instead of us.
        await tasks.start(_cancel_when_asked, tasks.cancel_scope)
        code = await arguments.run(arguments, world)
        tasks.cancel_scope.cancel()
    return code


async def _cancel_when_asked(scope: anyio.CancelScope, *, task_status: TaskStatus[None]) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP) as signals:
        task_status.started()
        async for _ in signals:
            scope.cancel()
            return


def _failed(error: BaseException, world: World) -> int:
    match error:
        case errors.HermesError():
            world.complain(clean(error.message), clean(error.remedy))
            return exit_code(error)
        case BrokenPipeError():
            _silence()
            return _PIPE_BROKEN
        case KeyboardInterrupt():
            return INTERRUPTED
        case SystemExit():
            return int(error.code or 0)
        case _ if world.environ.get(_DEBUG):
            traceback.print_exception(error, file=world.stderr)
        case _:
            said = clean(f"{type(error).__name__}: {error}")
            world.complain(f"a defect of Hermes: {said}", f"{_DEBUG}=1 shows where")
    return 1


def exit_code(error: errors.HermesError) -> int:
    """The exit code of an error, also of one that the owner reported by its kind."""
    kind = getattr(errors, getattr(error, "kind", ""), None)
    if isinstance(kind, type) and issubclass(kind, errors.HermesError):
        return kind.exit_code
    return error.exit_code


def _leaf(error: BaseException) -> BaseException:
    """The telling error of a group: one of ours before any other."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [_leaf(inner) for inner in error.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, errors.HermesError)), leaves[0])


def _silence() -> None:
    """Nobody reads standard output any more: the interpreter's last flush must not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
