"""`hermes memory status|historian|dreamer`: what works on memory in the background."""

import argparse

from hermes.cli.asking import ask
from hermes.cli.command import Commands, add_command, add_json, add_verbs
from hermes.cli.output import print_json, print_table
from hermes.cli.world import World

_COLUMNS = (
    ("task", "TASK", 12),
    ("state", "STATE", 8),
    ("last_run", "LAST RUN", 24),
    ("due", "DUE", 24),
    ("result", "RESULT", 80),
)
_TASKS = {
    "historian": "finds what is worth remembering in finished conversations",
    "dreamer": "drafts skills from recurring work",
}


def add(verbs: Commands) -> None:
    """Add the verbs to `hermes memory`."""
    about = "what works in the background, and what it last did"
    add_json(add_command(verbs, "status", about, "hermes memory status", _status))
    for task, about in _TASKS.items():
        example = f"hermes memory {task} run"
        doings = add_verbs(add_command(verbs, task, about, example))
        run = add_command(doings, "run", "run it now", example, _run)
        pause = add_command(doings, "pause", "don't run it", f"hermes memory {task} pause", _pause)
        go_on = add_command(doings, "resume", "run it again by itself", example, _resume)
        for command in (run, pause, go_on):
            command.set_defaults(task=task)
            add_json(command)


async def _status(args: argparse.Namespace, world: World) -> int:
    found = await ask(args, world, "memory.status")
    if args.json:
        print_json(found, world.stdout)
    else:
        print_table(found, _COLUMNS, world.stdout, "nothing runs")
    return 0


async def _run(args: argparse.Namespace, world: World) -> int:
    while True:
        done = await ask(args, world, "memory.run", task=args.task)
        if args.json:
            print_json(done, world.stdout)
        else:
            print(done["text"], file=world.stdout)
        if not done["more"]:
            return 0


async def _pause(args: argparse.Namespace, world: World) -> int:
    return await _set(args, world, paused=True)


async def _resume(args: argparse.Namespace, world: World) -> int:
    return await _set(args, world, paused=False)


async def _set(args: argparse.Namespace, world: World, *, paused: bool) -> int:
    answer = await ask(args, world, "memory.pause", task=args.task, paused=paused)
    if args.json:
        print_json(answer, world.stdout)
    else:
        print(f"{args.task}: {'paused' if paused else 'runs by itself'}", file=world.stdout)
    return 0
