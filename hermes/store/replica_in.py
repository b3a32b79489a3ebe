"""Taking in a conversation that another node of the fleet sent.

What holds is written as one unit, together with the heads that follow from it; a block whose
parents are not here waits for another parcel. Nothing here is overwritten.
"""

import sqlite3
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from hermes.core.ids import Cid
from hermes.store.messages import heads_json
from hermes.store.replica_judge import Judged, array
from hermes.store.replica_values import MOST_HEADS, MOST_TAKEN, Parcel, Taken
from hermes.store.statement import SqlValue, Statement
from hermes.store.tips import Parents, extended, tips

_ONE = """SELECT c.heads, c.title, coalesce(s.titled, 0), coalesce(s.place, ''), c.private
    FROM conversations AS c LEFT JOIN shared AS s ON s.conversation = c.id WHERE c.id = ?"""
_TAKEN = "SELECT cid, times FROM taken_back WHERE conversation = ?"
_REACHED = """WITH RECURSIVE reached (cid) AS (
        SELECT value FROM json_each(?)
        UNION SELECT parent FROM message_parents JOIN reached ON child = cid)
    SELECT cid, parent, m.conversation FROM reached JOIN messages AS m USING (cid)
        LEFT JOIN message_parents ON child = cid"""
_PRIVATE = """SELECT id FROM conversations
    WHERE private <> 0 AND id IN (SELECT value FROM json_each(?))"""
_AT = "SELECT cid, at FROM messages WHERE cid IN (SELECT value FROM json_each(?))"
_CREATE = """INSERT INTO conversations (id, title, root, node, private, created, updated)
    VALUES (?, ?, ?, ?, 0, ?, ?)"""
_SHARE = """INSERT INTO shared (conversation, place, titled) VALUES (?, ?, ?)
    ON CONFLICT (conversation) DO UPDATE SET place = excluded.place, titled = excluded.titled"""
_TITLE = "UPDATE conversations SET title = ? WHERE id = ?"
_TAKE_BACK = """INSERT INTO taken_back (conversation, cid, times) VALUES (?, ?, ?)
    ON CONFLICT (conversation, cid) DO UPDATE SET times = max(times, excluded.times)"""
_HEADS = """UPDATE conversations SET heads = ?1, updated = max(updated, ?2), messages = (
        WITH RECURSIVE reached (cid) AS (
            SELECT value FROM json_each(?1)
            UNION SELECT parent FROM message_parents JOIN reached ON child = cid)
        SELECT count(*) FROM reached JOIN messages USING (cid))
    WHERE id = ?3 AND heads = ?4"""
_LONGER = """UPDATE conversations SET heads = ?1, updated = max(updated, ?2),
    messages = messages + ?5 WHERE id = ?3 AND heads = ?4"""


class Taking(NamedTuple):
    """What to write, and what came of it."""

    statements: tuple[Statement, ...]
    taken: Taken


class _Here(NamedTuple):
    """The conversation as it is; `known`: it is here."""

    heads: tuple[Cid, ...] = ()
    title: str = ""
    titled: int = 0
    place: str = ""
    private: bool = False
    known: bool = False


class Self(NamedTuple):
    """Who takes in: the node's key, and how its own messages name it."""

    key: str
    node: str


def taking(database: sqlite3.Connection, parcel: Parcel, me: Self) -> Taking:
    """Judge a parcel against what is here."""
    here = _here(database, parcel.id)
    if here.private:
        return Taking((), Taken(refused=("private",)))
    judged = Judged(database, parcel, me.node)
    origins = judged.origins()
    known = judged.known
    theirs = [head for head in parcel.heads if head in judged.fresh or head in known]
    lacking = judged.orphans > 0 or len(theirs) < len(parcel.heads)
    held = dict(database.execute(_TAKEN, (parcel.id,)).fetchall())
    taken = held | {cid: max(n, held.get(cid, 0)) for cid, n in parcel.taken.items()}
    if len(taken) > MOST_TAKEN:
        return Taking((), Taken(refused=("too many taken back",)))
    gone = [cid for cid, times in taken.items() if times % 2]
    fresh = {cid: one.message.parents for cid, one in judged.fresh.items()}
    heads = None if taken or not here.known else extended(here.heads, fresh, theirs)
    longer = heads is not None
    if heads is None:
        heads, reached = _searched(database, fresh, (*here.heads, *theirs), gone)
        origins |= reached
    if _private(database, origins - {parcel.id}):
        return Taking((), Taken(refused=("private",)))
    if not here.known and not heads and not taken:
        return Taking((), Taken(refused=tuple(judged.refused), lacking=lacking))
    if len(heads) > MOST_HEADS:
        return Taking((), Taken(refused=("too many heads",)))
    ordered = _ordered(database, judged, heads)
    beside = _beside(parcel, here, me.key)
    news = [
        Statement(_TAKE_BACK, (parcel.id, cid, times))
        for cid, times in taken.items()
        if times != held.get(cid)
    ]
    statements = [*judged.statements(database), *beside, *news]
    moved = not here.known or set(ordered) != set(here.heads)
    if moved or fresh:
        at = max((one.message.at for one in judged.fresh.values()), default=0)
        values: tuple[SqlValue, ...] = (
            heads_json(ordered), at, parcel.id, heads_json(here.heads)
        )  # fmt: skip
        sql, more = (_LONGER, (len(fresh),)) if longer else (_HEADS, ())
        statements.append(Statement(sql, (*values, *more), expect=1))
    found = Taken(
        fresh=len(fresh),
        refused=tuple(judged.refused),
        lacking=lacking,
        parted=len(ordered) > 1 and len(here.heads) <= 1 and here.known,
        moved=moved or bool(fresh or beside or news),
    )
    return Taking(tuple(statements), found)


def _here(database: sqlite3.Connection, conversation: str) -> _Here:
    row = database.execute(_ONE, (conversation,)).fetchone()
    if row is None:
        return _Here()
    heads, title, titled, place, private = row
    heads = msgspec.json.decode(heads, type=tuple[Cid, ...])
    return _Here(heads, title, titled, place, bool(private), known=True)


def _searched(
    database: sqlite3.Connection,
    fresh: Parents,
    heads: Collection[Cid],
    gone: Collection[Cid],
) -> tuple[frozenset[Cid], set[str]]:
    """The heads, and the conversations that their history is of, by a look at all of it."""
    edges: dict[Cid, list[Cid]] = {}
    origins: set[str] = set()
    starts = {*heads, *(parent for each in fresh.values() for parent in each)}
    for cid, parent, origin in database.execute(_REACHED, (array(starts),)):
        edges.setdefault(cid, []).extend([parent] if parent else [])
        origins.add(origin)
    return tips({**edges, **fresh}, heads, gone), origins


def _private(database: sqlite3.Connection, origins: Collection[str]) -> bool:
    return database.execute(_PRIVATE, (array(origins),)).fetchone() is not None


def _ordered(
    database: sqlite3.Connection, judged: Judged, heads: Collection[Cid]
) -> tuple[Cid, ...]:
    """The heads, oldest first: on every node the same."""
    at = dict(database.execute(_AT, (array(heads),)).fetchall())
    at |= {cid: one.message.at for cid, one in judged.fresh.items()}
    return tuple(sorted(heads, key=lambda cid: (at[cid], cid)))


def _beside(parcel: Parcel, here: _Here, me: str) -> list[Statement]:
    """Title and place: the later title, and of two places the one that all agree on."""
    statements = []
    place = parcel.place or me
    title, titled = parcel.title, parcel.titled
    if not here.known:
        values = (parcel.id, title, parcel.root, place, parcel.created, parcel.created)
        statements.append(Statement(_CREATE, values))
    else:
        place = min(place, here.place or me)
        titled, title = max((titled, title), (here.titled, here.title))
        if title != here.title:
            statements.append(Statement(_TITLE, (title, parcel.id)))
    if not here.known or (place, titled) != (here.place or me, here.titled):
        statements.append(Statement(_SHARE, (parcel.id, "" if place == me else place, titled)))
    return statements
