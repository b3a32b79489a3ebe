"""The command `hermes`: `--version` before anything else is imported, then the commands."""

import sys

from hermes import __version__
from hermes.load import load

_SWITCH_S = 0.0005  # a thread that computes holds up a turn that waits no longer than this


def main() -> int:
    """Run the command line of this process and return its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        print(f"hermes {__version__}")
        return 0
    sys.setswitchinterval(_SWITCH_S)
    code: int = load("commands").main(sys.argv[1:])
    return code


if __name__ == "__main__":
    sys.exit(main())
