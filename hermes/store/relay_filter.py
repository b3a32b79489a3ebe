"""What a Nostr filter asks for, as a condition on the relay's tables. Source: NIP-01."""

from typing import NamedTuple

import msgspec

from hermes.store.statement import SqlValue


class Wanted(msgspec.Struct, frozen=True):
    """One filter; None: not asked for. Ids and keys are bytes, times seconds.

    `unnamed` lists kinds that come only to those who name them.
    """

    ids: tuple[bytes, ...] | None = None
    authors: tuple[bytes, ...] | None = None
    kinds: tuple[int, ...] | None = None
    since: int | None = None
    until: int | None = None
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    unnamed: tuple[int, ...] = ()


class Condition(NamedTuple):
    """A WHERE clause on `events` and its values."""

    sql: str
    values: tuple[SqlValue, ...]


_TAGGED = "seq IN (SELECT event FROM event_tags WHERE name = ? AND value IN ({}){})"


def condition(wanted: Wanted, now: int) -> Condition:
    """The rows that a filter wants; what expired before `now` (seconds) is never among them."""
    terms: list[tuple[str, tuple[SqlValue, ...]]] = [("(expires IS NULL OR expires > ?)", (now,))]
    lists: tuple[tuple[str, tuple[SqlValue, ...] | None], ...] = (
        ("id", wanted.ids),
        ("pubkey", wanted.authors),
        ("kind", wanted.kinds),
    )
    terms += [(f"{name} IN ({_marks(found)})", found) for name, found in lists if found is not None]
    if wanted.kinds is None and wanted.unnamed:
        terms.append((f"kind NOT IN ({_marks(wanted.unnamed)})", wanted.unnamed))
    times = _times(wanted)
    terms += times
    narrowed = "".join(f" AND {sql}" for sql, _ in times)
    bounds = tuple(value for _, values in times for value in values)
    terms += [
        (_TAGGED.format(_marks(found), narrowed), (name, *found, *bounds))
        for name, found in wanted.tags
    ]
    sql = " AND ".join(text for text, _ in terms)
    return Condition(sql, tuple(value for _, values in terms for value in values))


def _times(wanted: Wanted) -> list[tuple[str, tuple[SqlValue, ...]]]:
    bounds = (("created_at >= ?", wanted.since), ("created_at <= ?", wanted.until))
    return [(sql, (value,)) for sql, value in bounds if value is not None]


def _marks(values: tuple[SqlValue, ...]) -> str:
    return ", ".join("?" * len(values))
