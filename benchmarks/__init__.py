"""Numbers, each with its limit or its peer in the same run: `python -m benchmarks`."""

import math
from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table; `ok` None: told for comparison, without a limit of its own."""

    name: str
    value: float
    unit: str
    limit: str
    ok: bool | None


def at_most(name: str, value: float, unit: str, limit: float) -> Row:
    """A number that must not exceed its limit."""
    return Row(name, value, unit, f"<= {limit:g}", value <= limit)


def at_least(name: str, value: float, unit: str, limit: float) -> Row:
    """A number that must reach its limit."""
    return Row(name, value, unit, f">= {limit:g}", value >= limit)


def told(name: str, value: float, unit: str, beside: str = "") -> Row:
    """A number without a limit, for instance a peer's."""
    return Row(name, value, unit, beside, None)


def note(name: str, text: str) -> Row:
    """A line that says why there is no number."""
    return Row(name, math.nan, "", text, None)
