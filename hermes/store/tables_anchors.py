"""The tables of anchors: what is to stand in the chain, and every transaction made for it.

An anchor's transactions all spend one coin, so that only one of them can ever be mined; each is
kept from before it is sent until for ever. Earlier transactions whose outputs they spend lie
beside, because a proof needs them.
"""

ANCHORS: tuple[str, ...] = (
    """CREATE TABLE anchors (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL,
        payload BLOB NOT NULL, note TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL,
        txid TEXT NOT NULL, height INTEGER NOT NULL, block TEXT NOT NULL,
        header BLOB NOT NULL, position INTEGER NOT NULL, branch BLOB NOT NULL,
        says TEXT NOT NULL)""",
    "CREATE INDEX anchors_open ON anchors (seq) WHERE state NOT IN ('final', 'lost')",
    """CREATE TABLE anchor_attempts (
        seq INTEGER PRIMARY KEY, anchor TEXT NOT NULL, txid TEXT NOT NULL UNIQUE,
        coin TEXT NOT NULL, raw BLOB NOT NULL, fee INTEGER NOT NULL, size INTEGER NOT NULL,
        at INTEGER NOT NULL, height INTEGER NOT NULL, dead INTEGER NOT NULL)""",
    "CREATE INDEX anchor_attempts_of ON anchor_attempts (anchor, seq)",
    """CREATE TABLE anchor_parents (
        txid TEXT PRIMARY KEY, raw BLOB NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE anchor_halts (
        seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, coin TEXT NOT NULL,
        spender TEXT NOT NULL, says TEXT NOT NULL, lifted INTEGER)""",
)
