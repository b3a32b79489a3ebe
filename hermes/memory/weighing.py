"""Weighing what was said against what is known: the same, a contradiction, or news.

Pure: it plans the changes of one transaction. What waits for a second session, what replaces
what, and what nobody says twice is decided here.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from hermes.memory.found import Found, Retraction, Weighed
from hermes.memory.shelf import Entry, Shelf
from hermes.memory.subjects import is_slot, key_of, subjects_of
from hermes.store.claim import Claim, Known, Subject
from hermes.store.history import Seen
from hermes.store.promotion import About, Again, Change, End, Keep, See

_SAID_ONCE, _SEEN_TWICE = 1.0, 0.6


class Adopted(NamedTuple):
    """Memories with what they are about, and the changes that keep it."""

    known: tuple[Known, ...]
    changes: tuple[Change, ...]


def adopted(project_hash: str, known: Sequence[Known]) -> Adopted:
    """Find out what memories are about that the historian did not make; merge doubles of them."""
    kept: list[Known] = []
    changes: list[Change] = []
    shelf = Shelf()
    for one in sorted(known, key=lambda one: (one.at, one.id)):
        entry = one
        if not one.subjects and (subjects := subjects_of(one.content)):
            entry = msgspec.structs.replace(one, subjects=subjects)
            changes.append(About(one.cid, project_hash, subjects))
        if (same := shelf.same(key_of(one.content), one.content)) is not None and same.says_all_of(
            one.content
        ):
            changes.append(End(one.cid))
            continue
        shelf.put(_entry(entry))
        kept.append(entry)
    return Adopted(tuple(kept), tuple(changes))


def weighed(
    project_hash: str, found: Sequence[Found], known: Sequence[Known], seen: Sequence[Seen]
) -> Weighed:
    """Take in what else is known, then plan what becomes of the claims of a project."""
    fresh = adopted(project_hash, known)
    more = weigh(found, fresh.known, seen)
    return Weighed((*fresh.changes, *more.changes), more.changed)


def weigh(found: Sequence[Found], known: Iterable[Known], seen: Sequence[Seen]) -> Weighed:
    """Plan what becomes of claims of one project, in the order in which they were said."""
    weighing = _Weighing(known, seen)
    for one in sorted(found, key=lambda one: one.at):
        weighing.take(one)
    return Weighed(tuple(weighing.changes), weighing.changed)


class _Weighing:
    def __init__(self, known: Iterable[Known], seen: Sequence[Seen]) -> None:
        self.changes: list[Change] = []
        self.changed = 0
        self._shelf = Shelf()
        for one in known:
            self._shelf.put(_entry(one))
        self._seen: dict[tuple[str, str], list[Seen]] = {}
        self._slots: dict[Subject, list[Seen]] = {}
        for sighting in seen:
            self._note(sighting)
        self._last: dict[str, str] = {}  # session: the memory it spoke of last

    def take(self, one: Found) -> None:
        if isinstance(one, Retraction):
            self._retract(one)
            return
        same = self._shelf.same(one.key, one.content) or self._shelf.agreeing(one)
        if same is not None and same.contradicts(one):
            same = None  # "tabs over spaces", "spaces over tabs"
        more = (
            same is not None
            and one.asserted
            and (
                same.says_less_than(one.content)
                or (same.ends is not None and one.expires_at is None)
            )
        )
        if same is None or (more and same.at <= one.at):
            self._news(one, same)
        else:
            self._again(one, same)
            self._contradict([entry for entry in self._shelf.against(one) if entry is not same])

    def _again(self, one: Claim, same: Entry) -> None:
        self._last[one.session] = same.name
        if one.cid not in same.vouched:
            same.vouched.add(one.cid)
            same.at = max(same.at, one.at)
            self.changes.append(Again(same.name, one))

    def _news(self, one: Claim, less: Entry | None) -> None:
        against = [entry for entry in self._shelf.against(one) if entry is not less]
        against += [] if less is None else [less]
        if any(entry.at > one.at for entry in against):
            return  # somebody has said otherwise since
        also = self._others(one)
        if not one.asserted and not also:
            self._see(one)
            return
        self._contradict(against[1:])
        name = f"new {len(self.changes)}"
        relevance = _SAID_ONCE if one.asserted else _SEEN_TWICE
        old = against[0].name if against else ""
        self.changes.append(Keep(one, name, relevance, old, also))
        self.changed += 1
        if against:
            self._shelf.drop(against[0])
        entry = Entry(name, one.content, one.at, one.expires_at, one.subjects)
        entry.vouched.add(one.cid)
        self._shelf.put(entry)
        self._seen.pop((one.memory_type, one.key), None)
        self._last[one.session] = name

    def _contradict(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self.changes.append(End(entry.name))
            self.changed += 1
            self._shelf.drop(entry)

    def _others(self, one: Claim) -> tuple[Claim, ...]:
        """The same claim from other sessions, perhaps in other words."""
        seen = [*self._seen.get((one.memory_type, one.key), ())]
        for slot in filter(is_slot, one.subjects):
            seen += self._slots.get(slot, ())
        by_session = {s.session: s for s in seen if s.session != one.session}
        return tuple(
            msgspec.structs.replace(one, session=s.session, cid=s.cid, at=s.at, content=s.content)
            for s in by_session.values()
        )

    def _see(self, one: Claim) -> None:
        self._note(
            Seen(
                one.project_hash,
                one.memory_type,
                one.key,
                one.session,
                one.content,
                one.cid,
                one.at,
            )
        )
        self.changes.append(See(one))

    def _note(self, seen: Seen) -> None:
        self._seen.setdefault((seen.memory_type, seen.key), []).append(seen)
        for slot in filter(is_slot, subjects_of(seen.content)):
            self._slots.setdefault(slot, []).append(seen)

    def _retract(self, one: Retraction) -> None:
        last = self._shelf.named(self._last.get(one.session, ""))
        found = self._shelf.about(one.about) if one.about else [last] if last else []
        self._contradict([entry for entry in found if entry.at <= one.at])


def _entry(known: Known) -> Entry:
    return Entry(known.cid, known.content, known.at, known.expires_at, known.subjects)
