"""`hermes sandbox`: what the sandbox of this machine is worth, and anything at all run in it."""

import argparse
import re
from collections.abc import Callable

import anyio.to_thread
import msgspec

from hermes.cli.command import Commands, add_command, add_json, add_verbs
from hermes.cli.output import print_json, print_table, print_text
from hermes.cli.world import World
from hermes.core.event import Json
from hermes.errors import Usage
from hermes.gateway.render_text import clean
from hermes.sandbox.box import HOME, Bind, Box, Ended, Limits, Wires
from hermes.sandbox.changes import Changes
from hermes.sandbox.changes_apply import apply_changes
from hermes.sandbox.standing import Standing, examine, run

_LOST = 4
_REFUSED = 3
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZES = ("memory", "tree-memory", "file", "disk", "output")
_COUNTS = ("processes", "open-files", "inodes", "cpu-s")


def add(commands: Commands) -> None:
    """Add the noun."""
    verbs = add_verbs(
        add_command(
            commands, "sandbox", "what holds commands and successors in", "hermes sandbox check"
        )
    )
    check = add_command(
        verbs,
        "check",
        "try every way out, inside and outside, and say the tier",
        "hermes sandbox check --json",
        _check,
    )
    add_json(check)
    command = add_command(
        verbs,
        "run",
        "run a command under the machine's sandbox: no network, no files but /usr",
        "hermes sandbox run --overlay --wall-s 30 -- make test",
        _run,
    )
    _add_view(command)
    _add_limits(command)
    add_json(command)
    command.add_argument("argv", nargs="+", metavar="CMD", help="after --: the command")
    for one in (check, command):
        one.set_defaults(needs_settings=False)


def _add_view(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--overlay",
        action="store_true",
        help="show the project; changes are listed and not made",
    )
    command.add_argument(
        "--apply", action="store_true", help="with --overlay: make the changes, all or none"
    )
    command.add_argument(
        "--workspace", metavar="DIR", help="with --overlay: another directory than the project"
    )
    command.add_argument(
        "--read", metavar="PATH", action="append", default=[], help="show this too; may repeat"
    )
    command.add_argument(
        "--env", metavar="NAME=VALUE", action="append", default=[], help="set; may repeat"
    )
    command.add_argument("--stdin", action="store_true", help="hand on standard input")


def _add_limits(command: argparse.ArgumentParser) -> None:
    normal = Limits()
    for names, kind, shown in ((_SIZES, _size, "SIZE"), (_COUNTS, int, "N")):
        for name in names:
            default = getattr(normal, name.replace("-", "_"))
            said = f"{default >> 20}M" if kind is _size else default
            command.add_argument(
                f"--{name}", type=kind, metavar=shown, default=default, help=f"(default: {said})"
            )
    command.add_argument(
        "--wall-s", type=float, metavar="S", default=normal.wall_s, help="(default: 120)"
    )


def _size(text: str) -> int:
    found = re.fullmatch(r"(\d+)([kmg]?)", text.lower())
    if not found:
        raise argparse.ArgumentTypeError(f"{text} is no size such as 64M")
    return int(found[1]) * _UNITS[found[2]]


async def _check(args: argparse.Namespace, world: World) -> int:
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


async def _run(args: argparse.Namespace, world: World) -> int:
    box = _box(args, world)
    wires = Wires(stdin=_stdin(args, world))
    standing = await examine()
    ended = await run(standing, box, args.argv, wires, None if args.json else _teller(world))
    code = 0 if ended.ok else 1
    applied = False
    if ended.changes is not None and args.apply and ended.ok:
        if ended.changes.refused:
            code = _REFUSED
        else:
            root = box.workspace or world.root
            await anyio.to_thread.run_sync(apply_changes, ended.changes, root)
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
              for name in (*_SIZES, *_COUNTS, "wall-s")}  # fmt: skip
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
        env=dict(pair.split("=", 1) for pair in args.env),
        cwd=str(cwd) if args.overlay else HOME,
    )


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
