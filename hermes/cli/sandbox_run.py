"""What `hermes sandbox` does: the tier of this machine, and anything at all run in it."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

import anyio.to_thread
import msgspec

from hermes.cli.output import print_json, print_table, print_text
from hermes.cli.sandbox import COUNTS, SIZES
from hermes.cli.world import World
from hermes.core.event import Json
from hermes.errors import Usage
from hermes.gateway.render_text import clean
from hermes.sandbox.box import HOME, Bind, Box, Ended, Limits, Wires
from hermes.sandbox.changes import Changes, record_in
from hermes.sandbox.changes_apply import apply_changes, finish_changes
from hermes.sandbox.standing import Standing, examine, run

_LOST = 4
_REFUSED = 3


async def check(args: argparse.Namespace, world: World) -> int:
    """Try everything and say the tier."""
    standing = await examine()
    if args.json:
        print_json(_plain_standing(standing), world.stdout)
    else:
        rows: list[Json] = [{"axis": one.name, "is": one.word} for one in standing.axes]
        print_text(f"tier {standing.tier}: {_WORTH[standing.tier]}", world.stdout)
        if rows:
            print_table(rows, (("axis", "way out", 30), ("is", "is", 40)), world.stdout, "")
        for text in (standing.reason, standing.remedy):
            if text:
                print_text(text, world.stdout)
    return _LOST if standing.tier == "C" else 0


_WORTH = {
    "A": "everything holds; successors and commands may run",
    "A-": "everything but Landlock holds; successors and commands may run",
    "B": "no namespaces; one command that a person allowed may run, no successor",
    "C": "nothing may run",
}


def _plain_standing(standing: Standing) -> Json:
    ground = standing.ground
    return {
        "tier": standing.tier,
        "reason": standing.reason,
        "remedy": standing.remedy,
        "axes": [{"axis": a.name, "held": a.held, "control": a.control} for a in standing.axes],
        "ground": None if ground is None else msgspec.to_builtins(ground),
    }


async def run_command(args: argparse.Namespace, world: World) -> int:
    """Run a command in a box."""
    box = await anyio.to_thread.run_sync(_box, args, world)
    wires = Wires(stdin=await anyio.to_thread.run_sync(_stdin, args, world))
    standing = await examine()
    record = record_in(args.settings.data_dir)
    await finish_changes(record)
    ended = await run(standing, box, args.argv, wires, None if args.json else _teller(world))
    code = 0 if ended.ok else 1
    applied = False
    if ended.changes is not None and args.apply and ended.ok:
        if ended.changes.refused:
            code = _REFUSED
        else:
            root = box.workspace or world.root
            await apply_changes(ended.changes, root, record)
            applied = True
    if args.json:
        print_json(_plain(ended, applied=applied), world.stdout)
        return code
    if ended.why != "exit":
        world.complain(f"ended by {ended.why}")
    elif ended.status:
        world.complain(f"exit code {ended.status}")
    if ended.changes is not None:
        _list(ended.changes, world, applied=applied)
    return code


def _box(args: argparse.Namespace, world: World) -> Box:
    if (args.apply or args.workspace) and not args.overlay:
        raise Usage("--apply and --workspace go with --overlay")
    limits = {name.replace("-", "_"): getattr(args, name.replace("-", "_"))
              for name in (*SIZES, *COUNTS, "wall-s")}  # fmt: skip
    if min(limits.values()) <= 0:
        raise Usage("a limit must be more than 0")
    if bad := [pair for pair in args.env if not re.match(r"[A-Za-z_]\w*=", pair)]:
        raise Usage(f"{bad[0]} is not NAME=VALUE")
    paths = [(world.cwd / path).resolve() for path in args.read]
    if lost := [path for path in paths if not path.exists()]:
        raise Usage(f"{lost[0]} is not there")
    root = (world.cwd / args.workspace).resolve() if args.workspace else world.root
    if args.overlay and not root.is_dir():
        raise Usage(f"{root} is no directory")
    cwd = world.cwd if world.cwd.is_relative_to(root) else root
    return Box(
        limits=Limits(**limits),
        read=tuple(map(Bind.same, paths)),
        workspace=root if args.overlay else None,
        hidden=_own_places(args, root) if args.overlay else (),
        env=dict(pair.split("=", 1) for pair in args.env),
        cwd=str(cwd) if args.overlay else HOME,
    )


def _own_places(args: argparse.Namespace, root: Path) -> tuple[Path, ...]:
    """Hermes's own store, keys and settings, where they lie in the project."""
    places = (args.settings.data_dir.resolve(), args.settings.config_dir.resolve())
    return tuple(one for one in places if one.is_relative_to(root) and one != root)


def _stdin(args: argparse.Namespace, world: World) -> bytes:
    return world.stdin.read().encode(errors="surrogateescape") if args.stdin else b""


def _teller(world: World) -> Callable[[str, bytes], None]:
    """Hand on what it prints; a terminal gets no control characters of somebody else's."""

    def tell(name: str, piece: bytes) -> None:
        out = world.stdout if name == "stdout" else world.stderr
        text = piece.decode(errors="replace")
        out.write(clean(text) if out.isatty() else text)
        out.flush()

    return tell


def _list(changes: Changes, world: World, *, applied: bool) -> None:
    rows: list[Json] = [{"is": one.word, "path": one.path} for one in changes.deltas]
    reasons = {one.path: one.reason for one in changes.refused}
    for row in rows:
        row["why"] = reasons.get(row["path"], "")
    columns = (("is", "change", 10), ("path", "path", 80), ("why", "refused because", 80))
    print_table(rows, columns, world.stderr, "nothing changed")
    if applied:
        print_text("applied", world.stderr)
    elif changes.refused:
        print_text("refused: nothing of it is applied", world.stderr)


def _plain(ended: Ended, *, applied: bool) -> Json:
    changes = ended.changes
    return {
        "why": ended.why,
        "status": ended.status,
        "tier": ended.tier,
        "wall_ms": ended.wall_ms,
        "peak_bytes": ended.peak,
        "stdout": ended.stdout.decode(errors="replace"),
        "stderr": ended.stderr.decode(errors="replace"),
        "changes": changes and [{"change": one.word, "path": one.path} for one in changes.deltas],
        "refused": changes and [{"path": o.path, "reason": o.reason} for o in changes.refused],
        "applied": applied,
    }
