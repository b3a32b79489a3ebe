"""`hermes doctor`: what works on this machine, what doesn't and how to mend it.

Never opens the database: a running owner is asked through its socket, files are only looked
at. The prompt is counted in a throw-away home, so that no live store is touched.
"""

import argparse
from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread

from hermes.cli import (
    doctor_anchor,
    doctor_files,
    doctor_identity,
    doctor_machine,
    doctor_mesh,
    doctor_model,
    doctor_sandbox,
    doctor_skills,
    doctor_successor,
    doctor_vectors,
)
from hermes.cli.command import Commands, add_command, add_json
from hermes.cli.doctor_check import Check, bad, good, plain
from hermes.cli.output import print_json, print_text
from hermes.cli.settings import settings_of
from hermes.cli.world import World
from hermes.config import Settings
from hermes.errors import HermesError
from hermes.gateway.render_event import Marks, marks_for

Look = Callable[[Settings, World], Awaitable[list[Check]]]
_QUICK: tuple[Look, ...] = (
    doctor_machine.look,
    doctor_files.look,
    doctor_identity.look,
    doctor_mesh.look,
    doctor_anchor.look,
    doctor_skills.look,
    doctor_vectors.look,
    doctor_sandbox.look,
    doctor_successor.look,
    doctor_model.look,
)
_SLOW: tuple[Look, ...] = (
    doctor_model.look_closer,
    doctor_anchor.look_closer,
    doctor_mesh.look_closer,
)
_LONGEST_S = 60.0


def add(commands: Commands) -> None:
    """Add the command."""
    command = add_command(
        commands, "doctor", "what works here and how to mend the rest", "hermes doctor --json", run
    )
    command.add_argument("--quick", action="store_true", help="no model, no server of any kind")
    command.set_defaults(needs_settings=False)  # bad ones are a finding
    add_json(command)


async def run(args: argparse.Namespace, world: World) -> int:
    """Look at everything; exit code 1 when something essential fails."""
    try:
        settings = await anyio.to_thread.run_sync(settings_of, args, world)
    except HermesError as error:
        return _print([bad("config", error.message, error.remedy)], args, world)
    checks = [good("config", str(settings.config_dir / "config.toml"))]
    for look in _QUICK if args.quick else _QUICK + _SLOW:
        checks += await _looked(look, settings, world)
    return _print(checks, args, world)


async def _looked(look: Look, settings: Settings, world: World) -> list[Check]:
    """Look; what goes wrong on the way is a finding too."""
    name = look.__module__.rpartition(".doctor_")[2]
    found = [bad(name, f"no answer within {_LONGEST_S:.0f} s", "hermes doctor --quick")]
    try:
        with anyio.move_on_after(_LONGEST_S):
            found = await look(settings, world)
    except* HermesError as group:
        found = [bad(name, error.message, error.remedy) for error in _leaves(group)]
    return found


def _leaves(group: BaseExceptionGroup[HermesError]) -> list[HermesError]:
    leaves: list[HermesError] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves


def _print(checks: list[Check], args: argparse.Namespace, world: World) -> int:
    if args.json:
        print_json([plain(check) for check in checks], world.stdout)
    else:
        marks = marks_for(getattr(world.stdout, "encoding", None))
        for check in checks:
            print_text(_line(check, marks), world.stdout)
    return 1 if any(not check.ok and check.essential for check in checks) else 0


def _line(check: Check, marks: Marks) -> str:
    mark = marks.ok if check.ok else marks.failed if check.essential else marks.refused
    line = f"{mark} {check.check:<14} {check.detail}"
    return f"{line}\n    {check.remedy}" if check.remedy and not check.ok else line
