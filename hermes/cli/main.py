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


if __name__ == "__main__":
    sys.exit(main())
