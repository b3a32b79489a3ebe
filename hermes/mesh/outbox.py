"""What must arrive: kept until it is acknowledged, sent again with growing pauses, or reported.

At least once, over the best link first and another at each further try; in order within a lane.
Does not make effects unique: the inbox of the other side does.
"""

import msgspec

from hermes.mesh.chance import around, stir
from hermes.mesh.members import place

FIRST_MS, LONGEST_MS = 1_000, 60_000
MOST = 100_000


class Letter(msgspec.Struct, frozen=True):
    """What is to arrive; letters with one recipient and lane keep their order, "" keeps none."""

    id: str
    to: str
    expires_at: int
    lane: str = ""
    size: int = 0


class Waiting(msgspec.Struct, frozen=True):
    """A letter on its way: how often tried, and when next."""

    letter: Letter
    number: int
    at: int
    tries: int = 0


class Outbox(msgspec.Struct, frozen=True):
    """Letters in the order in which they came; `links` by name with their quality, 0 to 1."""

    waiting: dict[str, Waiting] = {}
    links: dict[str, float] = {}
    number: int = 0


class Put(msgspec.Struct, frozen=True):
    """A letter, durable before this is told."""

    letter: Letter


class Links(msgspec.Struct, frozen=True):
    """The links that work now, and how well."""

    quality: dict[str, float]


class Acknowledged(msgspec.Struct, frozen=True):
    """The recipient has it."""

    id: str
    sender: str


class Failed(msgspec.Struct, frozen=True):
    """A link could not take it: the next one may, and after the last one there is a pause."""

    id: str


class Present(msgspec.Struct, frozen=True):
    """A recipient was heard of: what waits for it goes now."""

    node: str


class Reached(msgspec.Struct, frozen=True):
    """A link works again: what waits goes now, each letter by the best link."""


class Withdraw(msgspec.Struct, frozen=True):
    """It is no longer to arrive there: it goes another way."""

    id: str


class Tick(msgspec.Struct, frozen=True):
    """Time has passed."""


class Transmit(msgspec.Struct, frozen=True):
    """Give a letter to a link."""

    letter: Letter
    link: str
    tries: int


class Arrived(msgspec.Struct, frozen=True):
    """It is there: it may be forgotten."""

    letter: Letter


class Undelivered(msgspec.Struct, frozen=True):
    """It did not arrive in time, or there was no room: whoever sent it is told."""

    letter: Letter
    reason: str


Event = Put | Links | Acknowledged | Failed | Present | Reached | Withdraw | Tick
Action = Transmit | Arrived | Undelivered


def due(state: Outbox) -> int | None:
    """When the next tick has something to do; None: nothing waits."""
    heads = _heads(state)
    times = [min(one.at, one.letter.expires_at) for one in heads] if state.links else []
    times += [one.letter.expires_at for one in state.waiting.values()]
    return min(times, default=None)


def step(state: Outbox, now: int, event: Event) -> tuple[Outbox, tuple[Action, ...]]:
    """Take one event."""
    match event:
        case Put(letter):
            return _put(state, now, letter)
        case Tick():
            pass
        case Acknowledged():
            return _acknowledged(state, now, event)
        case Links(quality):
            state = msgspec.structs.replace(state, links=quality)
        case Failed(name):
            one = state.waiting.get(name)
            if one and one.tries < len(state.links):
                state = _sooner(state, now, [one])
        case Present(node):
            there = [one for one in state.waiting.values() if one.letter.to == node]
            state = _sooner(state, now, there)
        case Reached():
            state = _sooner(state, now, _heads(state))
        case Withdraw(name):
            state = _without(state, (name,))
    return _send(state, now)


def _put(state: Outbox, now: int, letter: Letter) -> tuple[Outbox, tuple[Action, ...]]:
    if letter.id in state.waiting:
        return state, ()
    if len(state.waiting) >= MOST:
        return state, (Undelivered(letter, "the outbox is full"),)
    one = Waiting(letter, state.number, now)
    waiting = state.waiting | {letter.id: one}
    state = msgspec.structs.replace(state, waiting=waiting, number=state.number + 1)
    return _send(state, now)


def _acknowledged(
    state: Outbox, now: int, event: Acknowledged
) -> tuple[Outbox, tuple[Action, ...]]:
    one = state.waiting.get(event.id)
    if one is None or one.letter.to != event.sender:
        return state, ()
    state, more = _send(_without(state, (event.id,)), now)
    return state, (Arrived(one.letter), *more)


def _without(state: Outbox, names: tuple[str, ...]) -> Outbox:
    waiting = state.waiting.copy()
    for name in names:
        waiting.pop(name, None)
    return msgspec.structs.replace(state, waiting=waiting)


def _sooner(state: Outbox, now: int, letters: list[Waiting]) -> Outbox:
    waiting = state.waiting.copy()
    for one in letters:
        waiting[one.letter.id] = msgspec.structs.replace(one, at=min(one.at, now))
    return msgspec.structs.replace(state, waiting=waiting)


def _heads(state: Outbox) -> list[Waiting]:
    """The first letter of every lane, and all that are in none."""
    taken: set[tuple[str, str]] = set()
    heads = []
    for one in state.waiting.values():
        lane = (one.letter.to, one.letter.lane)
        if one.letter.lane and lane in taken:
            continue
        taken.add(lane)
        heads.append(one)
    return heads


def _send(state: Outbox, now: int) -> tuple[Outbox, tuple[Action, ...]]:
    late = [one.letter for one in state.waiting.values() if one.letter.expires_at <= now]
    actions: list[Action] = [Undelivered(letter, "not acknowledged in time") for letter in late]
    if late:
        state = _without(state, tuple(letter.id for letter in late))
    ready = [one for one in _heads(state) if one.at <= now] if state.links else []
    if not ready:
        return state, tuple(actions)
    best = sorted(state.links, key=lambda name: (-state.links[name], name))
    waiting = state.waiting.copy()
    for one in ready:
        actions.append(Transmit(one.letter, best[one.tries % len(best)], one.tries))
        waiting[one.letter.id] = msgspec.structs.replace(
            one, tries=one.tries + 1, at=now + pause(one.letter.id, one.tries)
        )
    return msgspec.structs.replace(state, waiting=waiting), tuple(actions)


def pause(letter: str, tries: int) -> int:
    """How long to wait for an acknowledgement: doubles, up to a minute; never in step."""
    seed = stir(int.from_bytes(place(letter)[:8], "big") + tries)
    return around(seed, min(FIRST_MS << min(tries, 16), LONGEST_MS))
