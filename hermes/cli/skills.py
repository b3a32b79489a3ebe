"""`hermes skills`: what the agent can look up how to do, and what of it you approved."""

import argparse

import anyio.to_thread

from hermes.cli import skill_drafts
from hermes.cli.asking import ask
from hermes.cli.command import Commands, add_command, add_json, add_verbs
from hermes.cli.output import print_json, print_table, print_text
from hermes.cli.world import World
from hermes.core.event import Json
from hermes.load import load

_COLUMNS = (
    ("name", "NAME", 40),
    ("state", "STATE", 10),
    ("scope", "FROM", 8),
    ("description", "DESCRIPTION", 70),
)
_NONE = "no skills here: hermes skills add DIR takes one in"
_EXAMPLE, _NAME, _DIRECTORY = "hermes skills", "release-notes", "./release-notes"
_STATES = {"approve": "approved", "reject": "rejected", "disable": "disabled"}
_SAYS = {
    "approve": "let the agent use it as it is now",
    "reject": "never use it as it is now",
    "disable": "do not use it for now; approve it to go on",
}


def add(commands: Commands) -> None:
    """Add the noun and its verbs."""
    example = "hermes skills list"
    verbs = add_verbs(add_command(commands, "skills", "instructions for tasks", example))
    every = add_command(verbs, "list", "those of this project", example, _list)
    by_directory = (
        add_command(verbs, "add", "copy one to your own", f"{_EXAMPLE} add {_DIRECTORY}", _add),
        add_command(verbs, "check", "look at one", f"{_EXAMPLE} check {_DIRECTORY}", _check),
    )
    by_name = [
        add_command(verbs, "show", "what it says", f"{_EXAMPLE} show {_NAME}", _show),
        add_command(
            verbs, "remove", "delete one of your own", f"{_EXAMPLE} remove {_NAME}", _remove
        ),
    ]
    for word, says in _SAYS.items():
        verb = add_command(verbs, word, says, f"{_EXAMPLE} {word} {_NAME}", _say)
        verb.set_defaults(word=word, digest="")
        by_name.append(verb)
        if word == "approve":
            verb.add_argument("--digest", metavar="D", help="only if this is its digest")
            verb.add_argument("--name", dest="as_name", metavar="NEW", help="a draft's new name")
    for verb in by_directory:
        verb.add_argument("directory", metavar="DIR", help="a directory with a SKILL.md")
    for verb in by_name:
        verb.add_argument("name", metavar="NAME", help="its name, from hermes skills list")
    for verb in (every, *by_directory, *by_name):
        add_json(verb)
    skill_drafts.add(verbs)


async def _list(args: argparse.Namespace, world: World) -> int:
    found = await ask(args, world, "skills.list", root=str(world.root))
    if args.json:
        print_json(found, world.stdout)
    else:
        print_table(found, _COLUMNS, world.stdout, _NONE)
    return 0


async def _show(args: argparse.Namespace, world: World) -> int:
    skill = await ask(args, world, "skills.show", root=str(world.root), name=args.name)
    if args.json:
        print_json(skill, world.stdout)
        return 0
    for line in (*_facts(skill), "", *str(skill["body"]).split("\n")):
        print_text(line, world.stdout)
    return 0


async def _say(args: argparse.Namespace, world: World) -> int:
    if (decided := await skill_drafts.decide(args, world)) is not None:
        return decided
    digest = {"digest": args.digest} if args.word == "approve" else {}
    state = _STATES[args.word]
    said = await ask(
        args, world, "skills.say", root=str(world.root), name=args.name, state=state, **digest
    )
    return _done(said, state, args, world, warn=args.word == "approve")


async def _add(args: argparse.Namespace, world: World) -> int:
    added = await ask(args, world, "skills.add", path=str(world.cwd / args.directory))
    return _done(added, "added and approved", args, world, warn=True)


async def _remove(args: argparse.Namespace, world: World) -> int:
    gone = await ask(args, world, "skills.remove", name=args.name)
    if args.json:
        print_json(gone, world.stdout)
    else:
        print_text(f"removed {gone['removed']}", world.stdout)
    return 0


async def _check(args: argparse.Namespace, world: World) -> int:
    """Look at a directory without an owner; exit code 1 when there is something to look at."""
    heavy = await anyio.to_thread.run_sync(load, "skill_check")
    path = world.cwd / args.directory
    found: dict[str, Json] = await anyio.to_thread.run_sync(heavy.checked, path)
    if args.json:
        print_json(found, world.stdout)
        return 1 if found["remarks"] else 0
    for remark in found["remarks"]:
        print_text(remark, world.stdout)
    if not found["remarks"]:
        print_text(f"{found['name']}: {_files(found)}, nothing to remark", world.stdout)
    return 1 if found["remarks"] else 0


def _done(skill: Json, what: str, args: argparse.Namespace, world: World, *, warn: bool) -> int:
    if args.json:
        print_json(skill, world.stdout)
        return 0
    print_text(f"{skill['name']} is {what}: {skill['digest']}", world.stdout)
    for remark in skill["remarks"] if warn else ():
        print_text(f"  look at this: {remark}", world.stdout)
    return 0


def _facts(skill: Json) -> list[str]:
    allowed = skill["allowed_tools"]
    facts = [
        ("name", skill["name"]),
        ("state", f"{skill['state']}, from the {skill['scope']}"),
        ("description", skill["description"]),
        ("path", skill["path"]),
        ("digest", skill["digest"]),
        ("files", ", ".join(skill["files"])),
        ("tools", None if allowed is None else ", ".join(allowed) or "none"),
        ("needs", skill["compatibility"]),
        ("license", skill["license"]),
    ]
    lines = [f"{name + ':':<13}{text}" for name, text in facts if text]
    return [*lines, *(f"look at this: {remark}" for remark in skill["remarks"])]


def _files(found: Json) -> str:
    return "1 file" if found["files"] == 1 else f"{found['files']} files"
