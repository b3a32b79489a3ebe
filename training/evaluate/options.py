"""The words of `hermes train eval`: its options, and the order that they make.

Apart so that the command line and `python -m training.evaluate` say the same.
"""

import argparse
from pathlib import Path

from training.evaluate.evaluation import SETS, Order
from training.evaluate.report import parse_least
from training.evaluate.subject import Wanted


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of an evaluation."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="a GGUF's path, or URL#NAME of a server of your own")
    add("--cases", metavar="FILE", type=Path, action="append", default=[], help="your own cases")
    add("--set", metavar="SET", choices=SETS, action="append", default=[], help=", ".join(SETS))
    add("--limit", metavar="N", type=int, default=0, help="cases a set")
    add("--grammar", choices=("on", "off", "both"), default="both", help="hold calls to a grammar")
    add("--min", metavar="SET=X", action="append", default=[], help="exit code 1 below this share")
    add("--profile", choices=("full", "lean", "native"), default="", help="the prompt it gets")
    add("--at-once", metavar="N", type=int, default=2, help="requests side by side")
    add("--threads", metavar="N", type=int, default=1, help="of the engine; 0: by the model's size")
    add("--show-wrong", action="store_true", help="name the answers that are not exact")
    add("--json", action="store_true", help="print JSON")


def order_of(given: argparse.Namespace, runtime_dir: Path, api_key: str) -> Order:
    """The order that the options make."""
    wanted = Wanted(
        spec=given.model,
        runtime_dir=runtime_dir,
        profile=given.profile,
        at_once=max(1, given.at_once),
        threads=max(0, given.threads),
        api_key=api_key,
    )
    return Order(
        wanted=wanted,
        cases=tuple(given.cases),
        sets=tuple(given.set),
        limit=max(0, given.limit),
        grammar=given.grammar,
        wrong=given.show_wrong,
    )


def least_of(given: argparse.Namespace) -> dict[str, float]:
    """The thresholds; raises Usage."""
    return dict(map(parse_least, given.min))
