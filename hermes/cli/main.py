"""The command `hermes`: `--version` before anything else is imported, then the commands."""

import os
import sys

from hermes import __version__
from hermes.load import load

_SWITCH_S = 0.0005  # a thread that computes holds up a turn that waits no longer than this


def main() -> int:
    """Run the command line of this process, by the version in use, and return its exit code."""
    if sys.argv[1:] not in (["--version"], ["-V"]):
        load("launch").leap(sys.argv[1:], os.environ)
    return begin()


def begin() -> int:
    """Run it by this very code: how every version is started. Stays, whatever else changes."""
    words = sys.argv[1:]
    if words in (["--version"], ["-V"]):
        print(f"hermes {__version__}")
        if tag := _adopted():
            print(f"{tag}, adopted here")
        return 0
    launch = load("launch")
    sys.setswitchinterval(_SWITCH_S)
    watched = launch.watched(words, os.environ)
    if watched:
        watched.began(os.getpid())
    code: int = load("commands").main(words)
    if watched and launch.well(code):
        watched.ended(os.getpid())
    launch.again(code, words)
    return code


def _adopted() -> str:
    """The tag of the version that the command starts, or ""; where none lies, nothing is loaded."""
    *_, above, folder, _hermes, _cli, _file = ("", "", *__file__.split("/"))
    if above == "versions" and folder.lstrip("v").replace(".", "").isdecimal():
        return folder
    home = os.environ.get("HERMES_V2_HOME")
    shared = os.environ.get("XDG_DATA_HOME", "").strip() or "~/.local/share"
    data = f"{home}/data" if home else f"{shared}/hermes-v2"
    place = os.path.expanduser(data)  # noqa: PTH111 - pathlib would be half of this start
    if sys.platform == "linux" and not os.access(f"{place}/versions/current", os.F_OK):
        return ""
    tag: str = load("launch").adopted(os.environ)
    return tag


if __name__ == "__main__":
    sys.exit(main())
