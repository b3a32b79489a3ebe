"""`hermes jobs`: what runs when it is due, while an owner lives."""

import argparse

import anyio.to_thread

from hermes.cli.asking import ask
from hermes.cli.command import Commands, add_command, add_json, add_verbs
from hermes.cli.output import print_json, print_table
from hermes.cli.world import World
from hermes.core.event import Json
from hermes.errors import Usage
from hermes.scheduler.zones import local_zone

_JOBS = (
    ("id", "ID", 40),
    ("when", "WHEN", 30),
    ("next_due", "NEXT", 26),
    ("state", "STATE", 10),
    ("task", "TASK", 60),
)
_RUNS = (
    ("scheduled_for", "DUE", 26),
    ("state", "STATE", 10),
    ("finished", "FINISHED", 26),
    ("result", "RESULT", 80),
)


def add(commands: Commands) -> None:
    """Add the noun and its verbs."""
    example = 'hermes jobs add "every day at 9:00" "summarise the git log of yesterday"'
    verbs = add_verbs(add_command(commands, "jobs", "tasks for later", example))
    every = add_command(verbs, "list", "list jobs", "hermes jobs list --json", _list)
    new = add_command(verbs, "add", "add a job", example, _add)
    new.add_argument("when", metavar="WHEN", help="a time, an interval or a cron phrase")
    new.add_argument("task", metavar="TASK", nargs="?", help="what the agent shall do")
    new.add_argument("--command", metavar="CMD", help="a shell command instead of a task")
    new.add_argument("--zone", help="IANA time zone (default: this machine's)")
    cancel = add_command(verbs, "cancel", "cancel a job", "hermes jobs cancel ID", _cancel)
    runs = add_command(verbs, "runs", "what became of each run", "hermes jobs runs ID", _runs)
    for command in (cancel, runs):
        command.add_argument("id", metavar="ID", help="its id, from hermes jobs list")
    for command in (every, new, cancel, runs):
        add_json(command)


async def _list(args: argparse.Namespace, world: World) -> int:
    jobs = await ask(args, world, "jobs.list")
    if args.json:
        print_json(jobs, world.stdout)
    else:
        print_table(jobs, _shown(_JOBS, jobs), world.stdout, "no jobs")
    return 0


async def _add(args: argparse.Namespace, world: World) -> int:
    if bool(args.task) == bool(args.command):
        raise Usage("give a task or --command, one of them", 'hermes jobs add "in 1 hour" "..."')
    work = {"task": args.task} if args.task else {"command": args.command}
    job = await ask(
        args,
        world,
        "jobs.add",
        when=args.when,
        cwd=str(world.cwd),
        root=str(world.root),
        zone=args.zone or await _zone(world),
        **work,
    )
    if args.json:
        print_json(job, world.stdout)
    else:
        print_table([job], _shown(_JOBS, [job]), world.stdout, "no job")
    return 0


async def _cancel(args: argparse.Namespace, world: World) -> int:
    answer = await ask(args, world, "jobs.cancel", id=args.id)
    if args.json:
        print_json(answer, world.stdout)
    else:
        print("cancelled", file=world.stdout)
    return 0


async def _runs(args: argparse.Namespace, world: World) -> int:
    runs = await ask(args, world, "jobs.runs", id=args.id)
    if args.json:
        print_json(runs, world.stdout)
    else:
        print_table(runs, _shown(_RUNS, runs), world.stdout, "it has not run yet")
    return 0


async def _zone(world: World) -> str:
    return (await anyio.to_thread.run_sync(local_zone, world.environ.get("TZ", ""))).key


def _shown(
    columns: tuple[tuple[str, str, int], ...], rows: list[Json]
) -> list[tuple[str, str, int]]:
    """The columns that any row fills."""
    return [column for column in columns if any(row.get(column[0]) for row in rows)]
