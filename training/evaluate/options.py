"""The words of `hermes train eval`: its options.

Apart so that the command line and `python -m training.evaluate` say the same, and light: every
command of `hermes` reads this file.
"""

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of an evaluation."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="a GGUF's path, or URL#NAME of a server of your own")
    add("--cases", metavar="FILE", type=Path, action="append", default=[], help="your own cases")
    which = "free, values, phrasings, no-call, answers, depth-500, …; default: all"
    add("--set", metavar="SET", action="append", default=[], help=which)
    add("--limit", metavar="N", type=int, default=0, help="cases a set")
    add("--grammar", choices=("on", "off", "both"), default="both", help="hold calls to a grammar")
    add("--min", metavar="SET=X", action="append", default=[], help="exit code 1 below this share")
    add("--profile", choices=("full", "lean", "native"), default="", help="the prompt it gets")
    add("--at-once", metavar="N", type=int, default=2, help="requests side by side")
    add("--threads", metavar="N", type=int, default=1, help="of the engine; 0: by the model's size")
    add("--show-wrong", action="store_true", help="name the answers that are not exact")
    add("--json", action="store_true", help="print JSON")
