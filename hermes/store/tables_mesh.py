"""The tables of the mesh: what waits to go out, what came in, and who holds what.

None of it is in the log: it is about the way, not about what was said.
"""

MESH: tuple[str, ...] = (
    # `data`: the sealed envelope; NULL once it is known what became of it.
    """CREATE TABLE outbox (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, recipient TEXT NOT NULL,
        lane TEXT NOT NULL, kind TEXT NOT NULL, conversation TEXT NOT NULL,
        issued INTEGER NOT NULL, expires INTEGER NOT NULL, data BLOB,
        state TEXT NOT NULL DEFAULT 'waiting', reason TEXT NOT NULL DEFAULT '', ended INTEGER)""",
    "CREATE INDEX outbox_waiting ON outbox (seq) WHERE state = 'waiting'",
    "CREATE INDEX outbox_ended ON outbox (ended) WHERE state <> 'waiting'",
    # `data` is kept until the effect is durable, so that a killed node can look at it again.
    """CREATE TABLE inbox_seen (
        id TEXT PRIMARY KEY, sender TEXT NOT NULL, expires INTEGER NOT NULL, at INTEGER NOT NULL,
        finished INTEGER NOT NULL DEFAULT 0, data BLOB) WITHOUT ROWID""",
    "CREATE INDEX inbox_expiring ON inbox_seen (expires)",
    # Wraps that were opened, or were not for opening: what reconciling with a relay starts from.
    """CREATE TABLE wraps_seen (id TEXT PRIMARY KEY, created INTEGER NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX wraps_created ON wraps_seen (created)",
    """CREATE TABLE refused (
        reason TEXT NOT NULL, sender TEXT NOT NULL, count INTEGER NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (reason, sender)) WITHOUT ROWID""",
    # Fencing: the highest epoch that was granted or seen, and by whom it is held.
    """CREATE TABLE leases (
        key TEXT PRIMARY KEY, epoch INTEGER NOT NULL, holder TEXT NOT NULL,
        until INTEGER NOT NULL, data TEXT NOT NULL DEFAULT '') WITHOUT ROWID""",
    """CREATE TABLE peers_seen (
        node TEXT PRIMARY KEY, at INTEGER NOT NULL, card TEXT NOT NULL) WITHOUT ROWID""",
    # A key that may speak to the agent (`dm`), or a code that makes one so; codes as digests.
    """CREATE TABLE pairings (
        kind TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL,
        at INTEGER NOT NULL, until INTEGER NOT NULL, data TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (kind, key)) WITHOUT ROWID""",
    # Which heads of a conversation another node was seen to have.
    """CREATE TABLE replicas (
        conversation TEXT NOT NULL, node TEXT NOT NULL, heads TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (conversation, node)) WITHOUT ROWID""",
)
