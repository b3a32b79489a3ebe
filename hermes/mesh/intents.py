"""At most one effect a message, also across a take-over: intents are noted by a majority first.

A home notes what it is about to do with most of the fleet, under its lease's epoch; a new home
asks most of them what was noted before it does anything. What was begun and has no outcome is
shown, not repeated. Needs strict leases: across two homes of one epoch it promises nothing;
without `strict` and without a majority `quorum.may_begin` says what a home may still do.
"""

from typing import Annotated

import msgspec

from hermes.mesh.lease_values import LEAP, Key
from hermes.mesh.members import NodeKey
from hermes.mesh.quorum import is_quorate, majority

KEPT = 1_024
_AGAIN_MS = 1_000
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
_Epoch = Annotated[int, msgspec.Meta(ge=0, le=1 << 52)]
_Ids = Annotated[tuple[_Id, ...], msgspec.Meta(max_length=KEPT)]


class _Message(msgspec.Struct, frozen=True, gc=False, tag_field="t", forbid_unknown_fields=True):
    """Between a home and its fleet."""

    conversation: Key
    epoch: _Epoch


class Recall(_Message, frozen=True, gc=False, tag="recall"):
    """I am home now: what was begun?"""


class Recalled(_Message, frozen=True, gc=False, tag="recalled"):
    """This was begun; and from now on no older home is heard."""

    ids: _Ids = ()


class Note(_Message, frozen=True, gc=False, tag="note"):
    """I am about to do this."""

    id: _Id


class Noted(_Message, frozen=True, gc=False, tag="noted"):
    """It is durable here."""

    id: _Id


IntentMessage = Recall | Recalled | Note | Noted


class Book(msgspec.Struct, frozen=True):
    """What one node has noted of a conversation, and the highest epoch it has heard of."""

    epoch: int = 0
    ids: dict[str, int] = {}


class Asking(msgspec.Struct, frozen=True):
    """A home's open question: a recall (no id) or a note; who answered, what by how many."""

    conversation: str
    epoch: int
    id: str
    at: int
    heard: frozenset[NodeKey] = frozenset()
    found: dict[str, int] = {}


class Intents(msgspec.Struct, frozen=True):
    """One node's books, and as a home its questions and the conversations it may work on."""

    me: str
    voters: tuple[str, ...] = ()
    books: dict[str, Book] = {}
    asking: dict[tuple[str, str], Asking] = {}
    ready: dict[str, int] = {}
    live: tuple[str, ...] = ()
    strict: bool = True


class Fleet(msgspec.Struct, frozen=True):
    """Who may be asked, and who of them is there."""

    voters: tuple[str, ...]
    live: tuple[str, ...]


class Began(msgspec.Struct, frozen=True):
    """This node gained a conversation under this epoch."""

    conversation: str
    epoch: int


class Propose(msgspec.Struct, frozen=True):
    """This home would let a message have its effect; only once `Ready` was told."""

    conversation: str
    epoch: int
    id: str


class Ended(msgspec.Struct, frozen=True):
    """This node no longer holds the conversation."""

    conversation: str


class Heard(msgspec.Struct, frozen=True):
    """A message came from one of the fleet."""

    sender: str
    message: IntentMessage


class Tick(msgspec.Struct, frozen=True):
    """Time has passed."""


class Send(msgspec.Struct, frozen=True):
    """Say something to one of the fleet."""

    to: str
    message: IntentMessage


class Store(msgspec.Struct, frozen=True):
    """Make a book durable before any later action of the same step."""

    conversation: str
    book: Book


class Ready(msgspec.Struct, frozen=True):
    """What was begun before is known: the home may work."""

    conversation: str
    epoch: int


class Go(msgspec.Struct, frozen=True):
    """Most have noted it: let it have its effect, if the lease still holds."""

    conversation: str
    id: str


class Already(msgspec.Struct, frozen=True):
    """It was begun before: its outcome is known or is to be asked for; it is not repeated."""

    conversation: str
    id: str


Event = Fleet | Began | Propose | Ended | Heard | Tick
Action = Send | Store | Ready | Go | Already
_Result = tuple[Intents, tuple[Action, ...]]


def due(state: Intents) -> int | None:
    """When the next tick has something to do."""
    return min((one.at for one in state.asking.values()), default=None)


def step(state: Intents, now: int, event: Event) -> _Result:
    """Take one event."""
    match event:
        case Fleet(voters, live):
            return msgspec.structs.replace(state, voters=voters, live=live), ()
        case Began(conversation, epoch):
            state = _ended(state, conversation)  # what an older epoch asked is asked anew
            return _ask(state, Asking(conversation, epoch, "", now + _AGAIN_MS))
        case Propose():
            return _propose(state, now, event)
        case Ended(conversation):
            return _ended(state, conversation), ()
        case Heard(sender, message):
            return _heard(state, sender, message) if sender in state.voters else (state, ())
        case Tick():
            return _tick(state, now)


def _ended(state: Intents, conversation: str) -> Intents:
    asking = {k: one for k, one in state.asking.items() if one.conversation != conversation}
    ready = {k: epoch for k, epoch in state.ready.items() if k != conversation}
    return msgspec.structs.replace(state, asking=asking, ready=ready)


def _tick(state: Intents, now: int) -> _Result:
    actions: list[Action] = []
    for key, one in state.asking.items():
        if one.at <= now and len(one.heard) >= _quorum(state):
            state, more = _concluded(state, key, one)
            actions += more
        elif one.at <= now:
            again = msgspec.structs.replace(one, at=now + _AGAIN_MS)
            state = msgspec.structs.replace(state, asking=state.asking | {key: again})
            silent = [node for node in state.voters if node not in one.heard]
            actions += [Send(node, _question(one)) for node in silent if node != state.me]
    return state, tuple(actions)


def _question(one: Asking) -> Recall | Note:
    if one.id:
        return Note(one.conversation, one.epoch, one.id)
    return Recall(one.conversation, one.epoch)


def _propose(state: Intents, now: int, event: Propose) -> _Result:
    if state.ready.get(event.conversation) != event.epoch:
        return state, ()
    book = state.books.get(event.conversation, Book())
    if event.id in book.ids:
        if (event.conversation, event.id) in state.asking:
            return state, ()
        return state, (Already(event.conversation, event.id),)
    return _ask(state, Asking(event.conversation, event.epoch, event.id, now + _AGAIN_MS))


def _ask(state: Intents, one: Asking) -> _Result:
    key = (one.conversation, one.id)
    state = msgspec.structs.replace(state, asking=state.asking | {key: one})
    state, stored = _heard(state, state.me, _question(one))
    sends = tuple(Send(node, _question(one)) for node in state.voters if node != state.me)
    own = tuple(action for action in stored if not isinstance(action, Send))
    answer = next((action.message for action in stored if isinstance(action, Send)), None)
    if answer is None:
        return state, own
    state, more = _heard(state, state.me, answer)
    return state, (*own, *sends, *more)


def _heard(state: Intents, sender: str, message: IntentMessage) -> _Result:
    book = state.books.get(message.conversation, Book())
    match message:
        case Recall(conversation, epoch):
            if not book.epoch <= epoch <= book.epoch + LEAP:
                return state, ()
            state, stored = _keep(state, conversation, Book(epoch, book.ids))
            return state, (*stored, Send(sender, Recalled(conversation, epoch, tuple(book.ids))))
        case Note(conversation, epoch, name):
            if not book.epoch <= epoch <= book.epoch + LEAP:
                return state, ()
            ids = book.ids | {name: epoch}
            if len(ids) > KEPT:
                del ids[next(iter(ids))]
            state, stored = _keep(state, conversation, Book(epoch, ids))
            return state, (*stored, Send(sender, Noted(conversation, epoch, name)))
        case Recalled(conversation, epoch, ids):
            return _answered(state, sender, (conversation, ""), epoch, ids)
        case Noted(conversation, epoch, name):
            return _answered(state, sender, (conversation, name), epoch, ())


def _keep(state: Intents, conversation: str, book: Book) -> _Result:
    if state.books.get(conversation) == book:
        return state, ()
    books = state.books | {conversation: book}
    return msgspec.structs.replace(state, books=books), (Store(conversation, book),)


def _quorum(state: Intents) -> int:
    if state.strict or is_quorate(state.me, state.voters, state.live):
        return majority(state.voters)
    # All who are there: where they are half of all, no majority misses each of them later.
    return sum(one == state.me or one in state.live for one in state.voters)


def _answered(
    state: Intents, sender: str, key: tuple[str, str], epoch: int, ids: tuple[str, ...]
) -> _Result:
    one = state.asking.get(key)
    if one is None or one.epoch != epoch:
        return state, ()
    if sender not in one.heard:
        found = one.found | {name: one.found.get(name, 0) + 1 for name in ids}
        one = msgspec.structs.replace(one, heard=one.heard | {sender}, found=found)
    state = msgspec.structs.replace(state, asking=state.asking | {key: one})
    doubtful = any(count < majority(state.voters) for count in one.found.values())
    wait = state.strict and doubtful and len(one.heard) < len(state.voters)
    if wait or len(one.heard) < _quorum(state):
        return state, ()  # a tick settles what stays doubtful
    return _concluded(state, key, one)


def _concluded(state: Intents, key: tuple[str, str], one: Asking) -> _Result:
    asking = {name: other for name, other in state.asking.items() if name != key}
    state = msgspec.structs.replace(state, asking=asking)
    if one.id:
        return state, (Go(one.conversation, one.id),)
    held = state.books.get(one.conversation, Book())
    if held.epoch > one.epoch:
        return state, ()  # another is home since, and this node has noted for it
    # What too few can have noted was never begun, and no older home can begin it any more;
    # but a side without a majority begins with fewer.
    silent = len(state.voters) - len(one.heard)
    least = majority(state.voters) if state.strict else 0
    begun = [name for name, count in one.found.items() if count + silent >= least]
    book = Book(one.epoch, {name: held.ids.get(name, 0) for name in begun})
    state, actions = _keep(state, one.conversation, book)
    ready = state.ready | {one.conversation: one.epoch}
    state = msgspec.structs.replace(state, ready=ready)
    return state, (*actions, Ready(one.conversation, one.epoch))
