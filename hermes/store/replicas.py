"""What other nodes of the fleet have of the conversations here, and what they are to be given.

A conversation that is private, or that reaches into one that is, is in none of the answers.
Taking in what comes is in `hermes.store.replica_in`.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from hermes.core.clock import Clock
from hermes.core.ids import Cid, ConversationId, NodeId, is_uuid
from hermes.store.database import Database
from hermes.store.messages import heads_json
from hermes.store.replica_in import Self, taking
from hermes.store.replica_records import records
from hermes.store.replica_values import MOST_TITLE, Held, Parcel, State, Taken, mark_of
from hermes.store.statement import Statement, Unmet
from hermes.store.tips import reach, tips

_STATES = """SELECT c.id, c.heads, c.title, coalesce(s.titled, 0), coalesce(s.place, '')
    FROM conversations AS c LEFT JOIN shared AS s ON s.conversation = c.id
    WHERE c.private = 0 AND (?1 IS NULL OR c.id IN (SELECT value FROM json_each(?1)))"""
_TAKEN = """SELECT conversation, cid, times FROM taken_back
    WHERE ?1 IS NULL OR conversation IN (SELECT value FROM json_each(?1)) ORDER BY cid"""
_TOLD = "SELECT conversation, heads, mark FROM replicas WHERE node = ?"
_HEARD = """INSERT INTO replicas (conversation, node, heads, at, mark) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (conversation, node) DO UPDATE SET
    heads = excluded.heads, at = excluded.at, mark = excluded.mark"""
_FORGET = """DELETE FROM replicas WHERE node = ?1
    AND (?2 IS NULL OR conversation IN (SELECT value FROM json_each(?2)))"""
_HERE = "SELECT cid FROM messages WHERE cid IN (SELECT value FROM json_each(?))"
_BEHIND = "SELECT cid FROM messages WHERE conversation = ? ORDER BY seq DESC LIMIT 1 OFFSET ?"
_ONE = """SELECT c.heads, c.title, coalesce(s.titled, 0), coalesce(s.place, ''), c.root, c.created,
        c.private FROM conversations AS c LEFT JOIN shared AS s ON s.conversation = c.id
    WHERE c.id = ?"""
# Stops where the other one's messages begin: what lies behind them it has.
_BETWEEN = """WITH RECURSIVE reached (cid) AS (
        SELECT value FROM json_each(?1) WHERE value NOT IN (SELECT value FROM json_each(?2))
        UNION SELECT parent FROM message_parents JOIN reached ON child = cid
            WHERE parent NOT IN (SELECT value FROM json_each(?2)))
    SELECT r.cid, p.parent, length(b.data), m.turn, m.conversation FROM reached AS r
        JOIN messages AS m USING (cid) JOIN blocks AS b USING (cid)
        LEFT JOIN message_parents AS p ON p.child = r.cid ORDER BY m.seq"""
_DATA = "SELECT cid, data FROM blocks WHERE cid IN (SELECT value FROM json_each(?))"
_PRIVATE = """SELECT 1 FROM conversations
    WHERE private <> 0 AND id IN (SELECT value FROM json_each(?)) LIMIT 1"""
_HIDDEN = """SELECT id FROM conversations
    WHERE private <> 0 AND id IN (SELECT value FROM json_each(?))"""
_SHARED = """SELECT id FROM conversations
    WHERE private = 0 AND id IN (SELECT value FROM json_each(?))"""
_STEPS = (0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1_023, 2_047, 4_095, 8_191)
_MOST_KNOWN = 64
LARGEST = 48 << 20
"""Bytes of the largest message that goes to another node."""
_MANY = 64  # messages between: from here on it pays to look whether the other one has them


class Wanted(NamedTuple):
    """What somebody asks for: a conversation, and messages of it that he has."""

    conversation: ConversationId
    known: tuple[Cid, ...] = ()


class Cut(NamedTuple):
    """A parcel and its size in bytes, or None where there is nothing to give.

    `large`: the next message, when no parcel holds it.
    """

    parcel: Parcel | None = None
    size: int = 0
    large: Cid | None = None


class Replicas:
    """The door of replication to the store."""

    def __init__(self, database: Database, clock: Clock, node: NodeId) -> None:
        self._database = database
        self._clock = clock
        self._node = node

    async def states(
        self, me: str, only: Collection[ConversationId] | None = None
    ) -> dict[ConversationId, Held]:
        """How far the conversations are here that may be shared; `me`: this node's key."""
        return await self._database.look(partial(_states, me=me, only=_array(only)))

    async def told(self, node: str) -> dict[ConversationId, State]:
        """What a node said that it has."""
        rows = await self._database.read(_TOLD, (node,))
        return {ConversationId(row[0]): State(_heads(row[1]), row[2]) for row in rows}

    async def heard(self, node: str, states: Mapping[ConversationId, State]) -> None:
        """A node says what it has."""
        now = self._clock.now_ms()
        rows = [(place, node, heads_json(s.heads), now, s.mark) for place, s in states.items()]
        if rows:
            await self._database.write(*(Statement(_HEARD, row) for row in rows))

    async def forget(self, node: str, places: Collection[ConversationId] | None = None) -> None:
        """Know nothing of what a node has, of some conversations or of all."""
        await self._database.write(Statement(_FORGET, (node, _array(places))))

    async def here(self, cids: Collection[Cid]) -> frozenset[Cid]:
        """Which of these messages are here."""
        rows = await self._database.read(_HERE, (_array(cids),))
        return frozenset(row[0] for row in rows)

    async def hidden(self, conversations: Collection[ConversationId]) -> frozenset[str]:
        """Which of these conversations are here and private."""
        rows = await self._database.read(_HIDDEN, (_array(conversations),))
        return frozenset(row[0] for row in rows)

    async def shared(self, conversations: Collection[str]) -> tuple[ConversationId, ...]:
        """Which of these conversations are here and not private."""
        rows = await self._database.read(_SHARED, (_array(conversations),))
        return tuple(row[0] for row in rows)

    async def wanted(self, conversation: ConversationId) -> Wanted:
        """What to ask with: heads, and some of what lies behind them, ever farther back."""
        return await self._database.look(partial(_wanted, conversation=conversation))

    async def cut(self, wanted: Wanted, me: str, most: int, *, whole: bool = True) -> Cut:
        """The next messages of a conversation for somebody, at most `most` bytes of them.

        Where `whole`, one that is larger goes alone. A parcel without messages that says
        `more`: none fits.
        """
        return await self._database.look(partial(_cut, wanted=wanted, me=me, most=(most, whole)))

    async def take(self, parcel: Parcel, me: str) -> Taken:
        """Take in what came, all of it that holds, in one transaction.

        While the conversation is open the caller keeps it closed (`Shards.away`). Raises
        StoreError; nothing was written then.
        """
        found = await self._database.look(partial(taking, parcel=parcel, me=Self(me, self._node)))
        if found.statements:
            try:
                await self._database.write(*found.statements)
            except Unmet:  # its heads were moved meanwhile
                return Taken(lacking=True)
        return found.taken


def _array(values: Collection[str] | None) -> str | None:
    return None if values is None else msgspec.json.encode(list(values)).decode()


def _heads(text: str) -> tuple[Cid, ...]:
    return msgspec.json.decode(text, type=tuple[Cid, ...])


def _states(database: sqlite3.Connection, me: str, only: str | None) -> dict[ConversationId, Held]:
    taken: defaultdict[str, list[tuple[Cid, int]]] = defaultdict(list)
    for conversation, cid, times in database.execute(_TAKEN, (only,)):
        taken[conversation].append((cid, times))
    found: dict[ConversationId, Held] = {}
    for name, heads, title, titled, place in database.execute(_STATES, (only,)):
        # Of an empty one there is nothing to tell, and others' names are not for telling.
        if (heads != "[]" or name in taken) and is_uuid(name):
            where = place or me
            mark = mark_of(title, titled, where, taken.get(name, ()))
            state = State(tuple(sorted(_heads(heads))), mark)
            found[ConversationId(name)] = Held(state, where)
    return found


def _wanted(database: sqlite3.Connection, conversation: ConversationId) -> Wanted:
    rows = database.execute(_ONE, (conversation,)).fetchall()
    known = dict.fromkeys(_heads(rows[0][0])[:_MOST_KNOWN] if rows else ())
    for step in _STEPS:
        found = database.execute(_BEHIND, (conversation, step)).fetchone()
        if found is None:
            break
        known[found[0]] = None
    return Wanted(conversation, tuple(known))


def _cut(database: sqlite3.Connection, wanted: Wanted, me: str, most: tuple[int, bool]) -> Cut:
    rows = database.execute(_ONE, (wanted.conversation,)).fetchall()
    if not rows or rows[0][6]:
        return Cut()
    heads, title, titled, place, root, created, _ = rows[0]
    known = [row[0] for row in database.execute(_HERE, (_array(wanted.known),))]
    between = _between(database, heads, known)
    origins = {row[4] for row in between.values()}
    if database.execute(_PRIVATE, (_array(origins),)).fetchone():
        return Cut()
    chosen, size, large = _chosen(between, most[0], whole=most[1])
    data = dict(database.execute(_DATA, (_array(chosen),)).fetchall())
    ends: Collection[Cid] = _heads(heads)
    if more := len(chosen) < len(between):
        # Behind what goes now stands only what the other one has: these are its heads then.
        parents = {cid: [p for p in between[cid][1] if p in data] for cid in chosen}
        ends = [*tips(parents, chosen), *(head for head in ends if head in known)]
    turns = {between[cid][3] for cid in chosen}
    parcel = Parcel(
        id=wanted.conversation,
        heads=tuple(sorted(ends)),
        blocks=tuple(data[cid] for cid in chosen),
        more=more and large is None,
        turns=records(database, turns, chosen),
        taken=_back(database, wanted.conversation),
        title=title[:MOST_TITLE],
        titled=titled,
        place=place or me,
        root=root,
        created=created,
    )  # fmt: skip
    return Cut(parcel, size, large)


def _back(database: sqlite3.Connection, conversation: ConversationId) -> dict[Cid, int]:
    rows = database.execute(_TAKEN, (_array([conversation]),))
    return {cid: times for _, cid, times in rows}


_Between = dict[Cid, tuple[int, list[Cid], Cid, str, str]]


def _between(database: sqlite3.Connection, heads: str, known: Sequence[Cid]) -> _Between:
    """What the heads reach and `known` does not: size, parents, name, turn, conversation."""
    found: _Between = {}
    for cid, parent, size, turn, origin in database.execute(_BETWEEN, (heads, _array(known))):
        if size is None:
            continue
        one = found.setdefault(cid, (size, [], cid, turn, origin))
        if parent is not None:
            one[1].append(parent)
    if known and len(found) >= _MANY:
        edges: dict[Cid, list[Cid]] = {}
        for cid, parent, *_ in database.execute(_BETWEEN, (_array(known), "[]")):
            edges.setdefault(cid, []).extend([parent] if parent else [])
        for cid in reach(edges, known):
            found.pop(cid, None)
    return found


def _chosen(between: _Between, most: int, *, whole: bool) -> tuple[list[Cid], int, Cid | None]:
    """Parents first, as many as fit; where `whole` one at least."""
    done: dict[Cid, None] = {}
    size = 0
    for start in between:
        stack = [start]
        while stack:
            cid = stack[-1]
            missing = [p for p in between[cid][1] if p in between and p not in done]
            if cid in done or missing:
                stack.pop() if cid in done else stack.extend(missing)
                continue
            if between[cid][0] > LARGEST:
                return list(done), size, cid
            if size + between[cid][0] > most and (done or not whole):
                return list(done), size, None
            size += between[cid][0]
            done[stack.pop()] = None
    return list(done), size, None
