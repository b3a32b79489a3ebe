"""`hermes log verify`: everything derived anew, with a bar for whoever watches a terminal."""

import argparse

import anyio

from hermes.cli.output import print_json, print_text
from hermes.cli.world import World
from hermes.core.event import Json
from hermes.errors import HermesError, Usage
from hermes.gateway.terminal_door import Door

_LOOK_S = 0.2
_WIDTH = 30
_LONGEST = 16_384


async def verify(args: argparse.Namespace, world: World) -> int:
    """Verify the whole store; 1 with each bad row named."""
    note = await _note(args.checkpoint, world) if args.checkpoint else ""
    bar = _Bar(world)
    async with (
        world.open_client(args.settings, interactive=False, environ=world.environ) as door,
        anyio.create_task_group() as tasks,
    ):
        if world.stderr.isatty() and not args.json:
            tasks.start_soon(bar.watch, door)
        try:
            told = await door.query("log.verify", note=note)
        finally:
            tasks.cancel_scope.cancel()
            bar.wipe()
    if args.json:
        print_json(told, world.stdout)
    else:
        _say(told, world)
    return 0 if told["ok"] else 1


def _say(told: Json, world: World) -> None:
    for problem in told["problems"]:
        print_text(str(problem), world.stdout)
    for one in told["unchecked"]:
        print_text(f"not checked: {one}", world.stdout)
    number = len(told["problems"])
    if not number:
        print(f"{told['size']:,} entries, all as they were written", file=world.stdout)
    else:
        print(f"{number} bad, of {told['size']:,} entries", file=world.stdout)


async def _note(name: str, world: World) -> str:
    try:
        async with await anyio.open_file(world.cwd / name, encoding="utf-8") as file:
            return await file.read(_LONGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"cannot read {name}: {error}") from error


class _Bar:
    """A bar on standard error, drawn over itself."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._drawn = 0

    async def watch(self, door: Door) -> None:
        """Ask how far it is, until cancelled."""
        while True:
            await anyio.sleep(_LOOK_S)
            try:
                told = await door.query("log.progress")
            except HermesError:  # the verification itself says what is wrong
                return
            if told["running"] and told["total"]:
                self._draw(int(told["seen"]), int(told["total"]))

    def _draw(self, seen: int, total: int) -> None:
        part = min(seen, total) / total
        done = round(part * _WIDTH)
        bar = "#" * done + "-" * (_WIDTH - done)
        text = f"[{bar}] {part:4.0%} {seen:,} of {total:,}"
        print(f"\r{text:<{self._drawn}}", end="", file=self._world.stderr, flush=True)
        self._drawn = len(text)

    def wipe(self) -> None:
        """Leave the line as it was."""
        if self._drawn:
            print("\r" + " " * self._drawn + "\r", end="", file=self._world.stderr, flush=True)
