"""What was missed while away: the difference by negentropy, then the events by id, in chunks.

Where a relay does not speak NIP-77, page by page instead, newest first. Each event is verified;
what a relay withholds is only seen by asking another.
"""

from collections.abc import AsyncIterator, Sequence

import msgspec

from hermes.errors import RelayRefused
from hermes.mesh.event import Filter, Known, NostrEvent
from hermes.mesh.nostr_adapter import CHUNK, Wire

PAGE = 500
_WINDOW = 20_000
"""Known events in one reconciliation: relays refuse more than some ten thousand."""
_MOST_PAGES = 1_000


async def catch_up(
    wire: Wire, wish: Filter, known: Sequence[Known], url: str
) -> AsyncIterator[tuple[NostrEvent, ...]]:
    """Bring the stored events of a relay that we lack, in groups; raises RelayRefused."""
    try:
        lacked = await _lacked(wire, wish, known, url)
    except RelayRefused:
        async for page in pages(wire, wish, known, url):
            yield page
        return
    for first in range(0, len(lacked), CHUNK):
        # The whole wish goes along: relays show a wrap only to whom it is for.
        ids = lacked[first : first + CHUNK]
        part = msgspec.structs.replace(wish, ids=ids, limit=None)
        found = await wire.fetch(part, url=url)
        yield tuple(event for event in found if fits(event, wish))


async def pages(
    wire: Wire, wish: Filter, known: Sequence[Known], url: str
) -> AsyncIterator[tuple[NostrEvent, ...]]:
    """The same without NIP-77: everything is fetched, and what was known is left out.

    More events of one second than a page holds are not all found.
    """
    had = {one.id for one in known}
    until = wish.until
    for _ in range(_MOST_PAGES):
        page = await wire.fetch(msgspec.structs.replace(wish, until=until, limit=PAGE), url=url)
        fresh = tuple(event for event in page if event.id not in had)
        had.update(event.id for event in fresh)
        if fresh:
            yield fresh
        if not page:
            return
        oldest = min(event.created_at for event in page)
        # Its second may go on on the next page; a page of nothing but that second cannot.
        stuck = until is not None and oldest >= until
        until = oldest - 1 if stuck or len(page) < PAGE else oldest


def fits(event: NostrEvent, wish: Filter) -> bool:
    """Whether an event is what was wished for: it was asked for by its id alone."""
    return (
        (not wish.kinds or event.kind in wish.kinds)
        and (not wish.authors or event.pubkey in wish.authors)
        and (wish.since is None or event.created_at >= wish.since)
        and (wish.until is None or event.created_at <= wish.until)
        and all(
            any(tag[:1] == (letter,) and tag[1] in values for tag in event.tags if len(tag) > 1)
            for letter, values in wish.tags.items()
        )
    )


async def _lacked(wire: Wire, wish: Filter, known: Sequence[Known], url: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for window, there in windows(wish, known):
        found |= dict.fromkeys(await wire.missing(window, there, url))
    return tuple(found)


def windows(wish: Filter, known: Sequence[Known]) -> list[tuple[Filter, list[Known]]]:
    """Cut a filter by time, so that no window has too many known events; together they are all."""
    ordered = sorted(known, key=lambda one: one.created_at)
    cuts = [ordered[at].created_at for at in range(_WINDOW, len(ordered), _WINDOW)]
    edges = sorted(set(cuts))
    starts: list[int | None] = [wish.since, *edges]
    ends: list[int | None] = [*(edge - 1 for edge in edges), wish.until]
    return [
        (
            msgspec.structs.replace(wish, since=since, until=until),
            [
                one
                for one in ordered
                if (since is None or one.created_at >= since)
                and (until is None or one.created_at <= until)
            ],
        )
        for since, until in zip(starts, ends, strict=True)
    ]
