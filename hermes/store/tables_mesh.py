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
    # `mark`: a digest of what else of it is replicated.
    """CREATE TABLE replicas (
        conversation TEXT NOT NULL, node TEXT NOT NULL, heads TEXT NOT NULL, at INTEGER NOT NULL,
        mark TEXT NOT NULL DEFAULT '', PRIMARY KEY (conversation, node)) WITHOUT ROWID""",
    # Where a conversation's directory is, '' for here, and when it was named by a person.
    """CREATE TABLE shared (
        conversation TEXT PRIMARY KEY, place TEXT NOT NULL DEFAULT '',
        titled INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID""",
    # Messages that were taken back (an odd number of `times`), or are there again.
    """CREATE TABLE taken_back (
        conversation TEXT NOT NULL, cid TEXT NOT NULL, times INTEGER NOT NULL,
        PRIMARY KEY (conversation, cid)) WITHOUT ROWID""",
    # A turn on its way to its conversation's home; `final`: the event that ended it.
    """CREATE TABLE parcels (
        turn TEXT PRIMARY KEY, conversation TEXT NOT NULL, origin TEXT NOT NULL,
        place TEXT NOT NULL, request BLOB NOT NULL, expires INTEGER NOT NULL,
        fresh INTEGER NOT NULL, forwarded TEXT NOT NULL, alone INTEGER NOT NULL,
        at INTEGER NOT NULL, final BLOB, ended INTEGER) WITHOUT ROWID""",
    "CREATE INDEX parcels_open ON parcels (at) WHERE final IS NULL",
    "CREATE INDEX parcels_ended ON parcels (ended) WHERE final IS NOT NULL",
    # What was begun, as a majority notes it; the row without an id bears the highest epoch.
    # `mine`: it was this node that was about to begin it.
    """CREATE TABLE intents (
        conversation TEXT NOT NULL, id TEXT NOT NULL, epoch INTEGER NOT NULL,
        mine INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (conversation, id)) WITHOUT ROWID""",
)
