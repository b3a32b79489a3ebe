"""The walk of trust as a tree in plain text: no colour, ASCII where the terminal knows no more."""

from collections.abc import Iterator
from typing import NamedTuple

from hermes.core.clock import rfc3339
from hermes.core.event import Json

_SHOWN = 4
"""Anchors of an instance that are drawn at each end; those between are counted."""


class _Marks(NamedTuple):
    fork: str
    last: str
    trunk: str
    dots: str


_FINE = _Marks("├─ ", "└─ ", "│  ", "…")
_PLAIN = _Marks("|- ", "`- ", "|  ", "...")


def tree_lines(told: dict[str, Json], encoding: str = "utf-8") -> list[str]:
    """The lines for what `trust.show` and `trust verify` tell."""
    fine = encoding.lower().replace("-", "").startswith("utf")
    head = f"{told['network']}: {counted(told['links'], 'move')} of the coin"
    coin = f", which holds {told['sat']} sat at {told['coin']}" if told["coin"] else ""
    return [head + coin, *_instance(told["instances"], _FINE if fine else _PLAIN, told["now"])]


def _instance(instances: list[Json], marks: _Marks, now: str) -> Iterator[str]:
    one, rest = instances[0], instances[1:]
    here = "  (now)" if one["genesis"] == now else ""
    yield f"{one['log']}  {one['genesis']}{here}"
    twigs = list(_twigs(one, marks))
    for number, twig in enumerate(twigs):
        end = number == len(twigs) - 1 and not rest
        yield (marks.last if end else marks.fork) + twig
    if rest:
        yield marks.last + _passing(one, rest[0])
        for line in _instance(rest, marks, now):
            yield f"   {line}"


def _twigs(one: Json, marks: _Marks) -> Iterator[str]:
    yield f"since    {one['at']}"
    for role in ("nostr", "attest", "owner", "coin", "log"):
        yield f"{role:<8} {one['keys'][role]}"
    if one["recovery"]:
        yield f"recovery {one['recovery']}, {one['recovery_after']} blocks after the last move"
    yield f"soul     {one['soul']}, of the genesis"
    for soul in one["souls"]:
        yield f"soul     {soul['soul']}, attested {soul['at']}"
    for member in one["members"]:
        until = f", until {rfc3339(member['until'])}" if member["until"] else ""
        yield f"member   {member['node']}, {', '.join(member['roles']) or 'no role'}{until}"
    anchors = one["anchors"]
    hidden = len(anchors) - 2 * _SHOWN
    for number, anchor in enumerate(anchors):
        if hidden <= 1 or not _SHOWN <= number < len(anchors) - _SHOWN:
            yield _anchor(anchor)
        elif number == _SHOWN:
            yield f"{marks.dots} {counted(hidden, 'anchor')} between"


def _anchor(anchor: Json) -> str:
    where = ""
    if "state" in anchor:
        where = f", block {anchor['height']}, {anchor['state']}"
    return f"anchor   {anchor['txid']}, {anchor['kind']}{where}"


def _passing(old: Json, new: Json) -> str:
    if new["by"] == "recovery":
        return f"recovery by {old['recovery']}"
    record = new["handoff"]
    verdict = f", verdict {record['verdict']}" if record["verdict"] else ""
    entries = counted(record["entries"], "entry", "entries")
    return f"handoff  {record['at']}, at {entries} of the log{verdict}"


def counted(number: int, word: str, words: str = "") -> str:
    """A number and its noun."""
    return f"{number} {word if number == 1 else words or word + 's'}"
