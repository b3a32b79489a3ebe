"""Runs the scripts one after another and prints one table."""

import argparse
import json
import math
import sys

from benchmarks import Row
from benchmarks.scripts import SCRIPTS, run_apart


def table(rows: list[Row]) -> str:
    """Lay the rows out in columns."""
    lines = [("", "value", "unit", "limit or peer", "ok")]
    for row in rows:
        form = ",.0f" if abs(row.value) >= 1000 else ".4g"
        value = "-" if math.isnan(row.value) else f"{row.value:{form}}"
        word = {True: "ok", False: "MISSED", None: ""}[row.ok]
        lines.append((row.name, value, row.unit, row.limit, word))
    width = [max(len(line[column]) for line in lines) for column in range(5)]
    return "\n".join(
        f"{a:<{width[0]}}  {b:>{width[1]}}  {c:<{width[2]}}  {d:<{width[3]}}  {e}".rstrip()
        for a, b, c, d, e in lines
    )


def main() -> int:
    """Run what was named; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SCRIPTS))
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", action="store_true", help="one object a line")
    given = parser.parse_args()
    if unknown := set(given.names) - set(SCRIPTS):
        parser.error(f"not {', '.join(sorted(unknown))}: there are {', '.join(SCRIPTS)}")
    rows: list[Row] = []
    for name in given.names or SCRIPTS:
        print(f"… {name}", file=sys.stderr, flush=True)
        rows += run_apart(name, quick=given.quick)
    if given.json:
        for row in rows:
            plain = row._asdict()
            print(json.dumps(plain | {"value": None} if math.isnan(row.value) else plain))
    else:
        print(table(rows))
    return 1 if any(row.ok is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
