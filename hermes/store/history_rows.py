"""The queries behind the historian's reading: what is unread, and what a message was."""

import msgspec

_LOOKED = 8_192  # characters of a message: whoever writes more pastes
_BLOCK = 65_536
_REQUEST = 131_072

DUE = """SELECT c.rowid, c.id, c.root, c.heads, c.messages, h.seq
    FROM conversations AS c LEFT JOIN history_read AS h ON h.conversation = c.id
    WHERE c.rowid > ?2 AND c.private = 0 AND EXISTS (
        SELECT 1 FROM messages AS m LEFT JOIN sessions AS s ON s.id = m.session
        WHERE m.conversation = c.id AND m.seq > coalesce(h.seq, 0)
            AND (m.at <= ?1 OR s.closed IS NOT NULL))
    ORDER BY c.rowid LIMIT ?3"""
"""Conversations that have something to read: the ms before which talk is over, where to begin."""

TALK = f"""SELECT m.seq, m.cid, m.session, m.turn, m.role, m.at,
        CASE m.role WHEN 'user' THEN substr(m.text, 1, {_LOOKED}) ELSE '' END,
        CASE WHEN m.role <> 'user' AND length(b.data) < {_BLOCK} THEN CAST(b.data AS BLOB) END,
        s.id IS NOT NULL,
        CASE WHEN m.role <> 'user' OR t.id IS NULL THEN NULL
            WHEN length(t.request) < {_REQUEST} THEN CAST(t.request AS BLOB)
            ELSE CAST('{{"text": "", "typed": 0}}' AS BLOB) END,
        s.closed
    FROM messages AS m JOIN blocks AS b ON b.cid = m.cid
        LEFT JOIN sessions AS s ON s.id = m.session AND s.conversation = m.conversation
        LEFT JOIN turns AS t ON t.id = m.turn AND t.conversation = m.conversation
    WHERE m.conversation = ? AND m.seq > ? ORDER BY m.seq LIMIT ?"""  # noqa: S608 - constants
"""Messages of a conversation behind a place, with what is needed to judge whose they are."""

REACHED = """WITH RECURSIVE reached (cid) AS (
        SELECT value FROM json_each(?)
        UNION SELECT parent FROM message_parents JOIN reached ON child = cid)
    SELECT cid FROM reached"""

KNOWN = """SELECT m.id, n.cid, memory_type, m.content,
        coalesce((SELECT max(at) FROM memory_evidence AS e WHERE e.memory = m.id),
            promoted_at * 1000), expires_at
    FROM project_memory AS m JOIN memory_blocks AS n ON n.memory = m.id
    WHERE project_hash = ? AND (expires_at IS NULL OR expires_at > ?)
    ORDER BY promoted_at DESC, m.id DESC LIMIT ?"""

SUBJECTS = "SELECT memory, key, value FROM memory_subjects WHERE project_hash = ?"


class Asked(msgspec.Struct, frozen=True):
    """What a turn's request says of its words."""

    text: str
    typed: int = -1
