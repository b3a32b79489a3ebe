"""From the options of `hermes train eval` to the order that they make."""

import argparse
from pathlib import Path

from training.evaluate.evaluation import Order, evaluate
from training.evaluate.report import parse_least, render, unmet
from training.evaluate.subject import Wanted

__all__ = ["Order", "Wanted", "evaluate", "least_of", "order_of", "render", "unmet"]


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
