"""Takes the version that was adopted last in place of the installed code, before all else.

The version's own interpreter line names its folder first and takes nothing from the environment,
so that no module of another version comes in. `HERMES_V2_VERSION=installed` stays with the
installed code; so do the commands that get rid of a version.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hermes.successor.pointer import CRASHES, HOUSE, Pointer, command_of

INSTALLED = "HERMES_V2_VERSION"
_RESCUE = {("successor", "rollback"), ("successor", "stop"), ("successor", "resume")}
_WELL = {0, 2, 3, 4, 130, 141, 143}
_AGAIN = 75  # hermes.node.handover.AGAIN
_LASTING = {"chat", "node"}


def leap(argv: Sequence[str], environ: Mapping[str, str]) -> None:
    """Become the version in use, if there is one; returns where this code is the one."""
    if environ.get(INSTALLED) == "installed" or tuple(argv[:2]) in _RESCUE:
        return
    pointer = Pointer(data_dir(environ))
    if not (named := pointer.named()):
        return
    tag = _chosen(pointer, argv)
    if not tag:
        if pointer.named():
            _say(f"version {named!r} is not there: the installed code runs")
        return
    tree = pointer.place(tag)
    if HOUSE.is_relative_to(tree.resolve()):
        return
    command = command_of(tree, *argv)
    try:
        os.execve(command[0], command, dict(environ))  # noqa: S606 - no shell; our own folder
    except OSError as error:
        _say(f"version {tag} cannot be started ({error.strerror}): the installed code runs")


def adopted(environ: Mapping[str, str]) -> str:
    """The tag that a start with this environment takes; "": the installed code."""
    if environ.get(INSTALLED) == "installed":
        return ""
    return Pointer(data_dir(environ)).current()


def watched(argv: Sequence[str], environ: Mapping[str, str]) -> Pointer | None:
    """The pointer, where this very process is a start that counts: a version on probation."""
    if not _lasting(argv) or HOUSE.parent.name != "versions":
        return None
    pointer = Pointer(data_dir(environ))
    notes = pointer.notes()
    return pointer if notes.stage == "probation" and notes.tag == HOUSE.name else None


def well(code: int) -> bool:
    """Whether an exit code is one of a command that ended as it should."""
    return code in _WELL


def again(code: int, argv: Sequence[str]) -> None:
    """Begin once more, as the version that is the current one now, where a node asks for that."""
    if code == _AGAIN and argv[:1] == ["node"] and "--handed" not in argv:
        sys.stdout.flush()
        command = [sys.executable, "-P", "-m", "hermes.cli.main", *argv]
        os.execv(command[0], command)  # noqa: S606 - no shell


def data_dir(environ: Mapping[str, str]) -> Path:
    """Where the store lies, as `config` says it, without its libraries where that can be."""
    if moved := environ.get("HERMES_V2_HOME"):
        return Path(moved).expanduser().absolute() / "data"
    if os.uname().sysname == "Linux":
        shared = environ.get("XDG_DATA_HOME", "").strip()
        return Path(shared or "~/.local/share").expanduser() / "hermes-v2"
    import platformdirs  # noqa: PLC0415 - 20 ms that only other systems pay

    return platformdirs.user_data_path("hermes-v2")


def _chosen(pointer: Pointer, argv: Sequence[str]) -> str:
    """The version to start; one that fell again and again is left first."""
    notes = pointer.mend()
    tag = pointer.current()
    if tag and notes.stage == "probation" and _lasting(argv) and pointer.crashes() >= CRASHES:
        back = pointer.leave(f"{CRASHES} starts in a row ended badly")
        _say(f"version {tag} fell {CRASHES} times in a row: {back or 'the installed code'} runs")
        tag = back
    return tag


def _lasting(argv: Sequence[str]) -> bool:
    word = next((one for one in argv if not one.startswith("-")), "chat")
    return word in _LASTING and not {"-h", "--help", "unit"} & set(argv)


def _say(text: str) -> None:
    print(f"hermes: {text}", file=sys.stderr)
