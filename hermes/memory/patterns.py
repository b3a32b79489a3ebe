"""Recurring work: sequences of steps that come again in several sessions, on several days.

Pure. A pattern is found in all sessions but the last, and holds only when it occurs again in
that one, with every value that was taken for fixed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from hermes.core.ids import ConversationId, SessionId
from hermes.memory.asked import alike
from hermes.memory.steps import EDIT, GAP
from hermes.store.work import Noted, Step

DAY_MS = 86_400_000
_LONGEST = 6
_FOUND_MOST = 200
_USUAL_SHARE = 0.5
_TRIGGER_SHARE = 0.6
_TRIGGERS_MOST = 5

Keys = tuple[str, ...]


@dataclass(frozen=True)
class Bounds:
    """What a pattern takes: sessions and days it was found in; one session more must agree."""

    sessions: int = 3
    days: int = 2


@dataclass(frozen=True)
class Occurrence:
    """One run through a pattern in one session; `turns` of it, `asked` in them; `at` in ms."""

    session: SessionId
    conversation: ConversationId
    place: str
    turns: tuple[str, ...]
    at: int
    asked: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Pattern:
    """A sequence of keys and where it occurs: one occurrence a session, oldest first."""

    keys: Keys
    occurrences: tuple[Occurrence, ...]
    count: int = 0


@dataclass(frozen=True)
class Proven:
    """A pattern that held in a session that was not used to find it.

    `values`: for each step the paths that were the same everywhere, `""` for what varies.
    `triggers`: words that most people's requests for it share.
    """

    pattern: Pattern
    values: tuple[tuple[str, ...], ...]
    triggers: tuple[str, ...]
    found_in: tuple[Occurrence, ...]
    held_out: Occurrence


def find(notes: Iterable[Noted], bounds: Bounds) -> tuple[Pattern, ...]:
    """The sequences of a project worth a closer look, the most telling first."""
    lines = [_line(session) for session in _sessions(notes)]
    seen: dict[Keys, dict[SessionId, Occurrence]] = defaultdict(dict)
    counts: Counter[Keys] = Counter()
    for line in lines:
        for occurrence in _within(line):
            keys = tuple(step.key for step in occurrence.steps)
            seen[keys][occurrence.session] = occurrence
            counts[keys] += 1
    enough = {keys: by for keys, by in seen.items() if len(by) > bounds.sessions and _tells(keys)}
    best = sorted(enough, key=lambda keys: (-_weight(keys, enough[keys]), -counts[keys], keys))
    done = [frozenset(step.key for step, _ in line) for line in lines]
    return tuple(
        _pattern(keys, enough[keys], counts[keys])
        for keys in best[:_FOUND_MOST]
        if _is_usual(keys, len(enough[keys]), done)
    )


def prove(pattern: Pattern, bounds: Bounds) -> Proven | None:
    """Find the pattern in all occurrences but the last, and try it on that one."""
    groups: dict[tuple[tuple[str, ...], ...], list[Occurrence]] = defaultdict(list)
    for occurrence in pattern.occurrences:
        groups[tuple(step.values for step in occurrence.steps)].append(occurrence)
    # Where one choice of paths is enough by itself, it is the pattern: `python a.py`, not
    # `python <path>`.
    alone = sorted(groups.values(), key=len, reverse=True)[:1]
    for occurrences in (*alone, list(pattern.occurrences)):
        if found := _proven(pattern, occurrences, bounds):
            return found
    return None


def shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many steps two sequences have in common, in whatever order."""
    return len({*one} & {*other})


def days_of(times: Iterable[int]) -> int:
    """On how many days (UTC)."""
    return len({at // DAY_MS for at in times})


def _proven(pattern: Pattern, occurrences: list[Occurrence], bounds: Bounds) -> Proven | None:
    if len(occurrences) <= bounds.sessions:
        return None
    *found_in, held_out = occurrences
    if days_of(o.at for o in found_in) < bounds.days:
        return None
    columns = zip(*(o.steps for o in found_in), strict=True)
    values = tuple(_same([step.values for step in column]) for column in columns)
    again = zip(values, held_out.steps, strict=True)
    if not all(_agrees(fixed, step.values) for fixed, step in again):
        return None
    triggers = _triggers(found_in)
    if len(pattern.keys) == 1 and not any(alike(t, w) for t in triggers for w in held_out.asked):
        return None  # one command alone is only a habit when it is asked for in the same words
    return Proven(pattern, values, triggers, tuple(found_in), held_out)


def _sessions(notes: Iterable[Noted]) -> list[list[Noted]]:
    ordered = sorted(notes, key=lambda note: (note.session, note.at, note.turn))
    return [list(group) for _, group in groupby(ordered, key=lambda note: note.session)]


def _line(notes: Sequence[Noted]) -> list[tuple[Step, Noted]]:
    """A session's steps one after the other; the same one again right away counts once."""
    line: list[tuple[Step, Noted]] = []
    for note in notes:
        for step in note.steps:
            if not line or line[-1][0].key != step.key:
                line.append((step, note))
    return line


def _within(line: Sequence[tuple[Step, Noted]]) -> Iterable[Occurrence]:
    """Every run of up to six different steps without a gap."""
    for start in range(len(line)):
        keys: set[str] = set()
        for end in range(start, min(len(line), start + _LONGEST)):
            key = line[end][0].key
            if key == GAP.key or key in keys:
                break
            keys.add(key)
            yield _occurrence(line[start : end + 1])


def _occurrence(run: Sequence[tuple[Step, Noted]]) -> Occurrence:
    notes = list({note.turn: note for _, note in run}.values())
    last = notes[-1]
    asked = tuple(dict.fromkeys(word for note in notes for word in note.asked))
    return Occurrence(
        last.session,
        last.conversation,
        last.place,
        tuple(note.turn for note in notes),
        last.at,
        asked,
        tuple(step for step, _ in run),
    )


def _tells(keys: Keys) -> bool:
    """Whether it says more than that files are edited: some command of two words or more."""
    return any(not key.startswith(f"{EDIT} ") and " " in key for key in keys)


def _is_usual(keys: Keys, sessions: int, done: Sequence[frozenset[str]]) -> bool:
    """Whether sessions with all of these steps mostly have them in this order, in one go."""
    together = sum(each.issuperset(keys) for each in done)
    return sessions >= _USUAL_SHARE * together


def _weight(keys: Keys, by: Mapping[SessionId, Occurrence]) -> float:
    return len(by) * (1 + len(keys)) / 2


def _pattern(keys: Keys, by: Mapping[SessionId, Occurrence], count: int) -> Pattern:
    return Pattern(keys, tuple(sorted(by.values(), key=lambda o: (o.at, o.session))), count)


def _same(rows: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    columns = zip(*rows, strict=True)
    return tuple(column[0] if len(set(column)) == 1 else "" for column in columns)


def _agrees(fixed: tuple[str, ...], values: tuple[str, ...]) -> bool:
    return all(want in {"", got} for want, got in zip(fixed, values, strict=True))


def _triggers(occurrences: Sequence[Occurrence]) -> tuple[str, ...]:
    """Words that most requests share, the commonest first."""
    counts: Counter[str] = Counter()
    for word in dict.fromkeys(word for o in occurrences for word in o.asked):
        if not any(alike(word, known) for known in counts):
            counts[word] = sum(any(alike(word, w) for w in o.asked) for o in occurrences)
    least = _TRIGGER_SHARE * len(occurrences)
    common = [word for word, count in counts.most_common() if count >= least]
    return tuple(common[:_TRIGGERS_MOST])
