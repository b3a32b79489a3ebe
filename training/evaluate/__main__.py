"""`python -m training.evaluate MODEL`: the evaluation without the rest of the command line."""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TextIO

import anyio
import msgspec

from hermes.errors import HermesError
from training.evaluate.evaluation import evaluate
from training.evaluate.options import add_options
from training.evaluate.ordered import least_of, order_of
from training.evaluate.report import render, unmet


async def _main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", allow_abbrev=False)
    add_options(parser)
    given = parser.parse_args(words)
    try:
        least = least_of(given)
        place = Path(tempfile.gettempdir(), f"hermes-evaluate-{os.getuid()}")
        order = order_of(given, place, os.environ.get("HERMES_V2_API_KEY", ""))
        report = await evaluate(order, lambda text: _say(text, sys.stderr))
    except HermesError as error:
        _say(f"{error.message}\n{error.remedy}".strip(), sys.stderr)
        return error.exit_code
    shown = msgspec.json.encode(report).decode() if given.json else render(report)
    _say(shown, sys.stdout)
    missing = unmet(report, least)
    for line in missing:
        _say(line, sys.stderr)
    return 1 if missing else 0


def _say(text: str, out: TextIO) -> None:
    encoding = out.encoding or "ascii"
    out.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    out.flush()


if __name__ == "__main__":
    sys.exit(anyio.run(_main, sys.argv[1:]))
