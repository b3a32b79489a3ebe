"""The drafts among `hermes skills`: what the dreamer wrote down, and the person's word on it."""

import argparse

from hermes.cli.asking import ask
from hermes.cli.command import Commands, add_command, add_json
from hermes.cli.output import print_json, print_table, print_text
from hermes.cli.world import World
from hermes.core.event import Json
from hermes.errors import Usage

_COLUMNS = (
    ("id", "ID", 8),
    ("name", "NAME", 40),
    ("state", "STATE", 10),
    ("sessions", "SESSIONS", 8),
    ("days", "DAYS", 6),
    ("description", "DESCRIPTION", 70),
)
_NONE = "no drafts wait: the dreamer writes one when work recurs"
_DAY = 10  # characters of a date


def add(verbs: Commands) -> None:
    """Add the verbs that are about drafts only; approve and reject take one, too."""
    example = "hermes skills drafts"
    every = add_command(verbs, "drafts", "what recurs in your work, drafted", example, _list)
    every.add_argument("--all", action="store_true", help="those you decided on, too")
    shown = add_command(
        verbs, "show-draft", "a draft and its evidence", "hermes skills show-draft 1", _show
    )
    shown.add_argument("draft", metavar="DRAFT", help="its number or name")
    for verb in (every, shown):
        add_json(verb)


async def decide(args: argparse.Namespace, world: World) -> int | None:
    """Approve or reject a draft of this number or name; None when a skill is meant."""
    if args.word not in {"approve", "reject"}:
        return None
    draft = _found(await ask(args, world, "skills.drafts"), args.name)
    if draft is not None:
        skills = await ask(args, world, "skills.list", root=str(world.root))
        draft = None if any(skill["name"] == args.name for skill in skills) else draft
    if draft is None:
        if args.word == "approve" and args.as_name:
            raise Usage(f"no draft is called {args.name[:80]!r}", "see: hermes skills drafts")
        return None
    if args.word == "reject":
        told = await ask(args, world, "skills.reject_draft", id=draft["id"])
        said = f"{told['name']} is rejected: this is not drafted again"
    else:
        other = {"name": args.as_name} if args.as_name else {}
        told = await ask(args, world, "skills.approve_draft", id=draft["id"], **other)
        said = f"{told['skill']} is approved: {told['path']}"
    if args.json:
        print_json(told, world.stdout)
    else:
        print_text(said, world.stdout)
    return 0


async def _list(args: argparse.Namespace, world: World) -> int:
    state = {"state": None} if args.all else {}
    drafts = await ask(args, world, "skills.drafts", **state)
    if args.json:
        print_json(drafts, world.stdout)
    else:
        print_table(drafts, _COLUMNS, world.stdout, _NONE)
    return 0


async def _show(args: argparse.Namespace, world: World) -> int:
    known = _found(await ask(args, world, "skills.drafts", state=None), args.draft)
    number = known["id"] if known else args.draft
    draft = await ask(args, world, "skills.draft", id=number)
    if args.json:
        print_json(draft, world.stdout)
        return 0
    for line in (*_evidence(draft), "", *str(draft["text"]).split("\n")):
        print_text(line, world.stdout)
    return 0


def _found(drafts: Json, wanted: str) -> Json:
    """A draft by its number, else the newest by its name."""
    by_number = [draft for draft in drafts if str(draft["id"]) == wanted]
    return next(iter([*by_number, *(d for d in drafts if d["name"] == wanted)]), None)


def _evidence(draft: Json) -> list[str]:
    found = draft["evidence"]
    seen = f"{found['count']} times in {draft['sessions']} sessions on {draft['days']} days"
    since = f"{found['first'][:_DAY]} to {found['last'][:_DAY]}"
    return [
        f"draft {draft['id']} {draft['name']}, {draft['state']}",
        f"seen {seen}, {since}",
        f"found in {', '.join(found['sessions'])}",
        f"and again, as a test, in {found['held_out']}",
    ]
