"""What kinds of events anybody waits for: LocalRelay wakes every connection for each one it gets.

Errs towards handing on: what cannot be read, or is very much, counts as interest in everything,
and a refused question counts until its connection ends.
"""

from collections import Counter
from collections.abc import Hashable

import msgspec

_QUESTION = 2  # the word and the name, then filters
_MOST_NAMES = 200
_MOST_KINDS = 1_000


class _Filter(msgspec.Struct, frozen=True):
    kinds: frozenset[int] | None = None


class Interest:
    """The open subscriptions of all connections; a connection is whatever names it."""

    def __init__(self) -> None:
        self._open: dict[Hashable, dict[str, frozenset[int] | None]] = {}
        self._kinds: Counter[int] = Counter()
        self._any = 0

    def has(self, kind: int) -> bool:
        """Whether somebody may wait for events of a kind."""
        return self._any > 0 or kind in self._kinds

    def asks(self, who: Hashable, data: bytes) -> None:
        """A connection says `["REQ", name, filter, …]`, or what may be one."""
        name, kinds = _read(data)
        names = self._open.setdefault(who, {})
        if len(names) >= _MOST_NAMES:
            name, kinds = "", None
        if name in names:  # the one before stands where this one is refused
            before = names[name]
            self.ends(who, name)
            kinds = None if before is None or kinds is None else before | kinds
        if kinds is not None and len(kinds) > _MOST_KINDS:
            kinds = None
        names[name] = kinds
        self._count(kinds, 1)

    def ends(self, who: Hashable, name: str) -> None:
        """A connection closed a subscription."""
        names = self._open.get(who, {})
        if name in names:
            self._count(names.pop(name), -1)

    def leaves(self, who: Hashable) -> None:
        """A connection is over."""
        for kinds in self._open.pop(who, {}).values():
            self._count(kinds, -1)

    def _count(self, kinds: frozenset[int] | None, by: int) -> None:
        if kinds is None:
            self._any += by
            return
        for kind in kinds:
            self._kinds[kind] += by
            if not self._kinds[kind]:
                del self._kinds[kind]


def _read(data: bytes) -> tuple[str, frozenset[int] | None]:
    try:
        parts = msgspec.json.decode(data, type=list[msgspec.Raw])
        name = msgspec.json.decode(parts[1], type=str)
        filters = [msgspec.json.decode(part, type=_Filter).kinds for part in parts[_QUESTION:]]
    except (ValueError, IndexError, RecursionError):
        return "", None
    known = [kinds for kinds in filters if kinds is not None]
    return name, frozenset[int]().union(*known) if len(known) == len(filters) else None
