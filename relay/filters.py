"""A Nostr filter as strangers write it, read into what the store searches by. Source: NIP-01."""

import msgspec

from hermes.store.relay_filter import Wanted
from relay.note import WRAP

_MOST_VALUES = 1_000
_TAG = 2
_LISTS = ("ids", "authors", "kinds")


class FilterInvalid(ValueError):
    """This filter is not answered; the text says why, with NIP-01's prefix."""


class _Filter(msgspec.Struct, frozen=True):
    ids: tuple[str, ...] | None = None
    authors: tuple[str, ...] | None = None
    kinds: tuple[int, ...] | None = None
    since: int | None = None
    until: int | None = None
    limit: int | None = None
    search: str | None = None


def read_filter(data: str) -> tuple[Wanted, int | None]:
    """The filter and its limit; raises FilterInvalid."""
    try:
        fixed = msgspec.json.decode(data, type=_Filter)
        everything = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        tags = tuple(
            (name[1:], msgspec.json.decode(values, type=tuple[str, ...]))
            for name, values in everything.items()
            if name.startswith("#") and len(name) == _TAG
        )
        wanted = Wanted(
            ids=_bytes(fixed.ids),
            authors=_bytes(fixed.authors),
            kinds=fixed.kinds,
            since=fixed.since,
            until=fixed.until,
            tags=tags,
            unnamed=(WRAP,),
        )
    except ValueError as error:
        raise FilterInvalid(f"invalid: {error}") from error
    _check(wanted, fixed.search)
    return wanted, fixed.limit


def _check(wanted: Wanted, search: str | None) -> None:
    lists = [getattr(wanted, name) or () for name in _LISTS] + [found for _, found in wanted.tags]
    if sum(map(len, lists)) > _MOST_VALUES:
        raise FilterInvalid(f"invalid: more than {_MOST_VALUES} values in a filter")
    if search is not None:
        raise FilterInvalid("unsupported: this relay does not search (NIP-50)")


def _bytes(values: tuple[str, ...] | None) -> tuple[bytes, ...] | None:
    return None if values is None else tuple(map(bytes.fromhex, values))
