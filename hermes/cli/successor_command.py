"""What `hermes successor` does; its words are in `successor`.

Nothing here decides anything: the owner's gate does, whoever asks it.
"""

import argparse
import base64
import getpass
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from hermes.cli.asking import ask
from hermes.cli.output import print_json, print_table, print_text
from hermes.cli.stamp_files import read_some
from hermes.cli.world import World
from hermes.core.event import Json
from hermes.core.task_groups import cut_short
from hermes.errors import DoorError, HermesError, Refused, StoreError, Usage
from hermes.gateway.render_successor import answer_lines, shown_lines, status_lines, version_lines
from hermes.gateway.terminal_door import Door
from hermes.successor.pointer import Pointer
from hermes.successor.stops import Flag

_PATCH_MOST = 2 << 20
_BRANCH = "branch:"
_COLUMNS = (
    ("name", "ID", 8),
    ("state", "STATE", 10),
    ("word", "VERDICT", 30),
    ("tier", "EFFORT", 6),
    ("tag", "VERSION", 10),
    ("task", "TASK", 50),
)
_TAKES = {"micro": "half a minute", "fast": "two minutes", "full": "a quarter of an hour"}
_BEFORE = "it is built; it waits while another trial runs on this machine"
_LATEST = 5
_LOOK_S = 0.5
_WAIT_S = 180.0
_PAUSE_S = 0.5
_REJECTED, _OPEN = 3, 1


async def run(args: argparse.Namespace, world: World) -> int:
    """Try a patch; exit code 0: approved, 3: rejected, 1: inconclusive."""
    words: dict[str, Json] = {"task": args.task, "effort": args.effort, "goal": args.goal}
    words["seed"] = args.seed
    if args.patch.startswith(_BRANCH):
        words["branch"] = args.patch.removeprefix(_BRANCH)
    else:
        words["patch"] = await _file(world, args.patch)
    world.note(f"this takes {_TAKES[args.effort]}, several times as much on a busy machine;")
    world.note("whoever ends this command ends the trial")
    async with (
        world.open_client(args.settings, interactive=False, environ=world.environ) as door,
        cut_short(partial(_follow, world, door)),
    ):
        told = await door.query("successor.run", wish=words)
    before = ["It was tried before, and is not again; what was found then:"]
    await _print(args, world, told, before * bool(told.get("again")) + shown_lines(told))
    word = (told.get("verdict") or {}).get("word")
    return {"approve": 0, "reject": _REJECTED}.get(str(word), _OPEN)


async def trials(args: argparse.Namespace, world: World) -> int:
    """What was tried, newest first."""
    told = await ask(args, world, "successor.list", most=args.limit)
    if args.json:
        print_json(told, world.stdout)
    else:
        rows = [
            one | {"state": one["stage"] or one["state"], "word": one["word"] or one["why"]}
            for one in told
        ]
        print_table(rows, _COLUMNS, world.stdout, "nothing was tried yet: hermes successor run")
    return 0


async def show(args: argparse.Namespace, world: World) -> int:
    """One candidate; without a name every version that was adopted."""
    if not args.name:
        told = await ask(args, world, "successor.versions")
        await _print(args, world, told, version_lines(told))
        return 0
    told = await ask(args, world, "successor.show", name=args.name)
    await _print(args, world, told, shown_lines(told))
    return 0


async def approve(args: argparse.Namespace, world: World) -> int:
    """Show, ask, adopt."""
    shown = await ask(args, world, "successor.show", name=args.name)
    diff = await _seen(args, world, shown, "Adopt it?")
    word = {"answer": "approve", "diff": diff, "who": _who(), "reason": args.reason}
    told = await ask(
        args, world, "successor.answer", name=shown["candidate"]["cid"], word=word,
        step=args.step, publish=args.publish,
    )  # fmt: skip
    if args.wait and told["live"]:
        told |= await _handed_over(args, world, told["tag"])
    await _print(args, world, told, answer_lines(told))
    return 0


async def reject(args: argparse.Namespace, world: World) -> int:
    """Say no."""
    shown = await ask(args, world, "successor.show", name=args.name)
    diff = args.diff or shown["diff_sha256"]
    word = {"answer": "reject", "diff": diff, "who": _who(), "reason": args.reason}
    told = await ask(args, world, "successor.answer", name=shown["candidate"]["cid"], word=word)
    await _print(args, world, told, answer_lines(told))
    return 0


async def rollback(args: argparse.Namespace, world: World) -> int:
    """Go back; where the store cannot be opened, by the link alone."""
    try:
        told = await ask(args, world, "successor.rollback", why=args.reason)
    except StoreError as error:
        world.complain(f"{error.message}: the books of versions are mended later")
        told = await anyio.to_thread.run_sync(_leave, args.settings.data_dir, args.reason)
    now = told["version"] or "the installed code"
    when = "the node takes it up now" if told["live"] else "from the next start"
    await _print(args, world, told, [f"{told['left']} is left: {now} runs, {when}"])
    return 0


async def stop(args: argparse.Namespace, world: World) -> int:
    """Stop everything: the flag lies there before anybody is asked, also where nobody answers."""
    flag = Flag(args.settings.data_dir)
    await anyio.to_thread.run_sync(flag.lay, args.reason or "a person said so")
    told = await ask(args, world, "successor.stop", why=args.reason)
    await _print(args, world, told, status_lines(told))
    return 0


async def resume(args: argparse.Namespace, world: World) -> int:
    """Lift the stop."""
    told = await ask(args, world, "successor.resume")
    await _print(args, world, told, status_lines(told))
    return 0


async def status(args: argparse.Namespace, world: World) -> int:
    """Which version runs."""
    told = await ask(args, world, "successor.status")
    await _print(args, world, told, status_lines(told))
    return 0


async def _follow(world: World, door: Door) -> None:
    """Tell a person how far it is, until it is cut short."""
    began, before = anyio.current_time(), ""
    while world.stderr.isatty():
        told: Json = []
        with suppress(HermesError):
            told = await door.query("successor.list", most=_LATEST)
        at = next((one["stage"] for one in told if one["state"] == "intent"), _BEFORE)
        if at and at != before:
            world.note(f"{anyio.current_time() - began:5.0f} s  {at}")
            before = at
        await anyio.sleep(_LOOK_S)
    await anyio.sleep_forever()


async def _seen(args: argparse.Namespace, world: World, shown: Json, question: str) -> str:
    """The digest of the difference that the person saw; raises Usage, Refused."""
    diff = str(shown["diff_sha256"])
    if args.diff:
        if args.diff != diff:
            raise Refused(
                "that is not the difference of this candidate", "see: hermes successor show ID"
            )
        return diff
    if not world.stdin.isatty():
        raise Usage(
            "there is no terminal to show the difference at",
            "look at it (hermes successor show ID), then give --diff with its SHA-256",
        )
    for line in shown_lines(shown):
        print_text(line, world.stdout)
    short = str(shown["candidate"]["cid"])[-6:]
    print_text(f"{question} Type {short} to say yes.", world.stdout)
    world.stdout.flush()
    if (await anyio.to_thread.run_sync(world.stdin.readline)).strip() != short:
        raise Refused("not approved: nothing was changed")
    return diff


async def _handed_over(args: argparse.Namespace, world: World, tag: str) -> dict[str, Json]:
    """Wait for the node's next version; raises HermesError when it did not come up."""
    stage: Json = {}
    with anyio.move_on_after(_WAIT_S):
        while True:
            try:
                stage = await ask(args, world, "successor.status")
            except DoorError:  # between two owners
                stage = {}
            if stage.get("runs") == tag:
                return {"runs": tag}
            if stage and stage["tag"] != tag and stage["stage"] != "trying":
                raise HermesError(
                    f"{tag} did not come up: the old version goes on",
                    "see: hermes successor list, and the node's output",
                )
            await anyio.sleep(_PAUSE_S)
    raise HermesError(f"{tag} is not up yet", "see: hermes successor status")


def _leave(data_dir: Path, why: str) -> Json:
    pointer = Pointer(data_dir)
    tag, notes = pointer.current(), pointer.notes()
    if not tag or notes.tag != tag:
        raise Refused("there is no version to leave that the notes know of")
    return {"left": tag, "version": pointer.leave(why or "a person said so"), "live": False}


def _who() -> str:
    try:
        return getpass.getuser()
    except OSError:
        return "somebody at the terminal"


async def _print(args: argparse.Namespace, world: World, told: Json, lines: list[str]) -> None:
    if args.json:
        print_json(told, world.stdout)
        return
    for line in lines:
        print_text(line, world.stdout)


async def _file(world: World, name: str) -> str:
    work = partial(read_some, world.cwd / name, _PATCH_MOST + 1)
    return base64.b64encode(await anyio.to_thread.run_sync(work)).decode()
