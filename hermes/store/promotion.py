"""One transaction of the historian: memories, what vouches for them, what they are about, cursor.

Each statement expects what the plan was made on, so that of two historians, or from a plan
that grew old, nothing at all is written.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hermes.core.canonical import Value
from hermes.core.ids import Cid, ConversationId
from hermes.store.blocks import record
from hermes.store.claim import Claim, Subject
from hermes.store.memory import MEMORY_KIND
from hermes.store.statement import SqlValue, Statement

_FIRST = "INSERT INTO history_read (conversation, seq, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_NEXT = "UPDATE history_read SET seq = ?, at = ? WHERE conversation = ? AND seq = ?"
_SAME = """SELECT 1 FROM project_memory WHERE project_hash = ? AND memory_type = ?
    AND content = ? AND (expires_at IS NULL OR expires_at > ?)"""
_NAME = f"""INSERT INTO memory_blocks (memory, cid, supersedes)
    SELECT (SELECT coalesce(max(memory), 0) + 1 FROM memory_blocks), ?, ?
    WHERE NOT EXISTS ({_SAME})"""  # noqa: S608 - constants
_KEEP = """INSERT INTO project_memory
    SELECT memory, ?, ?, ?, ?, ?, ?, ? FROM memory_blocks WHERE cid = ?"""
_END = """UPDATE project_memory SET expires_at = ?1 WHERE id = (
        SELECT memory FROM memory_blocks WHERE cid = ?2 AND erased IS NULL)
    AND (expires_at IS NULL OR expires_at > ?1)"""
_RAISE = """UPDATE project_memory SET relevance_score = min(?1, relevance_score + ?2) WHERE id = (
        SELECT memory FROM memory_blocks WHERE cid = ?3 AND erased IS NULL)"""
_VOUCH = """INSERT INTO memory_evidence (memory, cid, session, rule, at)
    SELECT memory, ?, ?, ?, ? FROM memory_blocks WHERE cid = ? ON CONFLICT DO NOTHING"""
_ABOUT = """INSERT INTO memory_subjects (memory, key, value, project_hash)
    SELECT memory, ?, ?, ? FROM memory_blocks WHERE cid = ? ON CONFLICT DO NOTHING"""
_SEE = """INSERT INTO sightings (project_hash, memory_type, key, session, content, cid, at)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
_UNSEE = "DELETE FROM sightings WHERE project_hash = ? AND memory_type = ? AND key = ?"

SAID_AGAIN = 0.1
"""What relevance a memory gains each time it is said again."""

RELEVANCE_MOST = 2.0


class Read(NamedTuple):
    """How far a conversation was read: from (None: never) and to, as `messages.seq`."""

    conversation: ConversationId
    since: int | None
    to: int


class Keep(NamedTuple):
    """A new memory; `cid` of the one that it replaces, which has to be live. `also` vouch."""

    claim: Claim
    name: str
    relevance: float = 1.0
    replaces: str = ""
    also: tuple[Claim, ...] = ()


class Again(NamedTuple):
    """A claim that a memory holds already."""

    memory: str
    claim: Claim


class See(NamedTuple):
    """A claim that waits for a second session."""

    claim: Claim


class End(NamedTuple):
    """A memory that holds no longer."""

    memory: str


class About(NamedTuple):
    """What a memory is about that came by another way than the historian's."""

    memory: str
    project_hash: str
    subjects: tuple[Subject, ...]


Change = Keep | Again | See | End | About
"""A memory is meant by its block's CID, or by a `Keep`'s own `name` earlier in the plan."""


def promoting(reads: Sequence[Read], changes: Sequence[Change], now: int) -> list[Statement]:
    """The statements of one transaction; `now` in ms."""
    names: dict[str, Cid] = {}
    made: list[Statement] = []
    for change in changes:
        made += _change(change, names, now)
    return made + [_cursor(read, now) for read in reads]


def _cursor(read: Read, now: int) -> Statement:
    if read.since is None:
        return Statement(_FIRST, (read.conversation, read.to, now), expect=1)
    return Statement(_NEXT, (read.to, now, read.conversation, read.since), expect=1)


def _change(change: Change, names: dict[str, Cid], now: int) -> Iterator[Statement]:
    match change:
        case Keep():
            yield from _kept(change, names, now)
        case Again(memory, claim):
            cid = names.get(memory, memory)
            yield Statement(_RAISE, (RELEVANCE_MOST, SAID_AGAIN, cid), expect=1)
            yield _vouching(claim, cid)
        case See(claim):
            row = (
                claim.project_hash, claim.memory_type, claim.key, claim.session, claim.content,
                claim.cid, claim.at,
            )  # fmt: skip
            yield Statement(_SEE, row)
        case End(memory):
            yield _ending(names.get(memory, memory), now)
        case About(memory, project, subjects):
            cid = names.get(memory, memory)
            for one in subjects:
                yield Statement(_ABOUT, (one.key, one.value, project, cid))


def _kept(change: Keep, names: dict[str, Cid], now: int) -> Iterator[Statement]:
    claim = change.claim
    old = names.get(change.replaces, Cid(change.replaces))
    if old:
        yield _ending(old, now)
    fields: dict[str, Value] = {
        "project": claim.project_hash, "type": claim.memory_type, "content": claim.content,
        "session": claim.session, "at": now, "supersedes": bool(old),
    }  # fmt: skip
    cid, block = record(MEMORY_KIND, (old,) if old else (), fields)
    names[change.name] = cid
    yield block
    same = (claim.project_hash, claim.memory_type, claim.content, now / 1000)
    yield Statement(_NAME, (cid, old or None, *same), expect=1)
    ends = None if claim.expires_at is None else claim.expires_at / 1000
    row: tuple[SqlValue, ...] = (
        claim.project_hash, claim.memory_type, claim.content, claim.session, now / 1000,
        change.relevance, ends, cid,
    )  # fmt: skip
    yield Statement(_KEEP, row, expect=1)
    for one in (claim, *change.also):
        yield _vouching(one, cid)
    for about in claim.subjects:
        yield Statement(_ABOUT, (about.key, about.value, claim.project_hash, cid))
    yield Statement(_UNSEE, (claim.project_hash, claim.memory_type, claim.key))


def _ending(cid: str, now: int) -> Statement:
    return Statement(_END, (now / 1000, cid), expect=1)


def _vouching(claim: Claim, cid: str) -> Statement:
    return Statement(_VOUCH, (claim.cid, claim.session, claim.rule, claim.at, cid))
