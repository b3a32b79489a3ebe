"""The command `hermes`: `--version` before anything else is imported, then the commands."""

import sys

from hermes import __version__
from hermes.load import load


def main() -> int:
    """Run the command line of this process and return its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        print(f"hermes {__version__}")
        return 0
    code: int = load("commands").main(sys.argv[1:])
    return code


if __name__ == "__main__":
    sys.exit(main())
