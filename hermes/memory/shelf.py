"""Memories of one project in hand: found by what they are about and by their words."""

from collections.abc import Sequence

from hermes.memory.subjects import about_keys, is_slot, key_of, stems_of
from hermes.memory.values import corrects, look
from hermes.memory.words import telling
from hermes.store.claim import Claim, Subject

_OVERLAP = 0.7
_TELLERS = 2
_MEANT = 0.6  # of a clause's words, with its value: so many mean a memory


class Entry:
    """A memory, written already or about to be; `name` as in `hermes.store.promotion`."""

    def __init__(
        self, name: str, content: str, at: int, ends: float | None, subjects: Sequence[Subject]
    ) -> None:
        self.name = name
        self.content = content
        self.key = key_of(content)
        self.at = at
        self.ends = ends
        self.subjects = tuple(subjects)
        self.stems = stems_of(content)
        self.vouched: set[str] = set()

    def contradicts(self, claim: Claim) -> bool:
        """Whether it gives another value to something that a claim is about."""
        values = {one.key: one for one in claim.subjects}
        return any(one.key in values and _differ(one, values[one.key]) for one in self.subjects)

    def says_all_of(self, content: str) -> bool:
        """Whether it holds every telling word of another text."""
        return stems_of(content) <= self.stems

    def says_less_than(self, content: str) -> bool:
        """Whether another text holds all its words and more."""
        return self.stems < stems_of(content)


class Shelf:
    """Live memories of one project."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._by_key: dict[str, Entry] = {}
        self._by_subject: dict[str, list[Entry]] = {}
        self._by_stem: dict[str, list[Entry]] = {}

    def put(self, entry: Entry) -> None:
        """Add one."""
        self._entries[entry.name] = entry
        self._by_key[entry.key] = entry
        for subject in entry.subjects:
            self._by_subject.setdefault(subject.key, []).append(entry)
        for stem in entry.stems:
            self._by_stem.setdefault(stem, []).append(entry)

    def drop(self, entry: Entry) -> None:
        """Take one away: it holds no longer."""
        del self._entries[entry.name]
        if self._by_key.get(entry.key) is entry:
            del self._by_key[entry.key]
        for subject in entry.subjects:
            self._by_subject[subject.key].remove(entry)
        for stem in entry.stems:
            self._by_stem[stem].remove(entry)

    def named(self, name: str) -> Entry | None:
        """One by its name."""
        return self._entries.get(name)

    def same(self, key: str, content: str) -> Entry | None:
        """A memory that says this already, perhaps in a few words more or less."""
        if (entry := self._by_key.get(key)) is not None:
            return entry
        stems = stems_of(content)
        for entry in self._near(stems):
            smaller, larger = sorted((stems, entry.stems), key=len)
            if (
                smaller <= larger
                and len(smaller) >= _OVERLAP * len(larger)
                and entry.key[:1] == key[:1]  # of one mind: both say do, or both say don't
                and not any(c.isdigit() for stem in larger - smaller for c in stem)
            ):
                return entry
        return None

    def agreeing(self, claim: Claim) -> Entry | None:
        """A memory that gives the same value to the same thing, in whatever words."""
        for subject in filter(is_slot, claim.subjects):
            for entry in self._by_subject.get(subject.key, ()):
                if subject in entry.subjects:
                    return entry
        return None

    def against(self, claim: Claim) -> list[Entry]:
        """Memories that say something else of what a claim is about, the newest first."""
        found = [
            entry
            for subject in claim.subjects
            for entry in self._by_subject.get(subject.key, ())
            if entry.contradicts(claim)
        ]
        if claim.about:
            found += self.about(claim.about)
        if claim.instead_of:
            found += self._with(claim)
        if claim.changes and not found:
            found += self._like(claim)
        if claim.changes:
            found += [double for entry in found for double in self._doubles(entry, claim)]
        same = {entry.name: entry for entry in found}.values()
        return sorted(same, key=lambda entry: entry.at, reverse=True)

    def about(self, text: str) -> list[Entry]:
        """The memories that a few words mean: by what they are about, else by their words."""
        named = [entry for key in about_keys(text) for entry in self._by_subject.get(key, ())]
        near = self._near(stems_of(text))
        said = [entry for entry in near if entry.says_all_of(text)][:1]
        tellers = look(text).tellers
        if not named and not said and len(tellers) >= _TELLERS:
            said = [entry for entry in near if tellers <= entry.stems]
        return named or said or _meant(text, near)

    def _with(self, claim: Claim) -> list[Entry]:
        """Memories with the value that a claim replaces, if they are about the same."""
        old = stems_of(claim.instead_of)
        new = stems_of(claim.content)
        keys = {subject.key for subject in claim.subjects}
        found = [entry for entry in self._near(old) if old and old <= entry.stems]
        return [
            entry
            for entry in found
            if (new & entry.stems) - old
            or any(one.key in keys for one in entry.subjects)
            or not any(map(is_slot, entry.subjects))
        ]

    def _doubles(self, entry: Entry, claim: Claim) -> list[Entry]:
        """Others that say what one said that a claim replaces: its value, in other words."""
        keys = {subject.key for subject in claim.subjects}
        said = {word for one in entry.subjects if one.key in keys for word in one.value.split()}
        values = (said or look(entry.content).tellers) - stems_of(claim.content)
        slots = {one.key for one in entry.subjects if is_slot(one)} | keys
        return [
            other
            for other in self._near(frozenset(values))
            if values <= other.stems
            and (other.stems & (entry.stems | stems_of(claim.content))) - values
            and not {one.key for one in other.subjects if is_slot(one)} - slots
        ]

    def _like(self, claim: Claim) -> list[Entry]:
        """What a claim most likely means that says of itself that it changes something."""
        new, seen = stems_of(claim.content), look(claim.content)
        slots = {one.key for one in claim.subjects if is_slot(one)}
        best: list[tuple[int, Entry]] = []
        for entry in self._near(new):
            other = {one.key for one in entry.subjects if is_slot(one)}
            if (not other or not slots or other & slots) and corrects(seen, look(entry.content)):
                best.append((len(new & entry.stems), entry))
        most = max((shared for shared, _ in best), default=0)
        return [entry for shared, entry in best if shared == most]

    def _near(self, stems: frozenset[str]) -> list[Entry]:
        found = {entry.name: entry for stem in stems for entry in self._by_stem.get(stem, ())}
        return list(found.values())


def _meant(text: str, near: Sequence[Entry]) -> list[Entry]:
    """The one that says most of a clause in other words, and its value: what it ends with."""
    stems = stems_of(text)
    value = {*look(text).tellers, *telling(text)[-1:]}
    best = sorted(
        (one for one in near if value <= one.stems and _mostly(stems, one.stems)),
        key=lambda one: (len(stems & one.stems), one.at),
    )
    return best[-1:]


def _mostly(stems: frozenset[str], there: frozenset[str]) -> bool:
    shared = stems & there
    return len(shared) >= _TELLERS and len(shared) >= _MEANT * len(stems)


def _differ(one: Subject, other: Subject) -> bool:
    """Whether two values of one subject exclude each other: none says all of the other."""
    mine, theirs = set(one.value.split()), set(other.value.split())
    return not (mine <= theirs or theirs <= mine)
