"""The tables of direct messages: what people wrote, what goes out to them, which wraps were seen.

Beside `pairings` of `tables_mesh`, which says who they are. None of it is in the log.
"""

PAIRINGS: tuple[str, ...] = (
    # One row a message, kept beyond its text so that it never counts twice. Times in ms.
    """CREATE TABLE dm_received (
        id TEXT PRIMARY KEY, sender TEXT NOT NULL, sent INTEGER NOT NULL, at INTEGER NOT NULL,
        kind TEXT NOT NULL, text TEXT, finished INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID""",
    "CREATE INDEX dm_unfinished ON dm_received (at) WHERE finished = 0",
    "CREATE INDEX dm_received_at ON dm_received (at)",
    # `event`: the very wrap, so that sending it twice is sending it once; NULL once it is taken.
    """CREATE TABLE dm_posts (
        seq INTEGER PRIMARY KEY, recipient TEXT NOT NULL, rumour TEXT NOT NULL UNIQUE,
        created INTEGER NOT NULL, event TEXT, at INTEGER NOT NULL)""",
    "CREATE INDEX dm_posts_waiting ON dm_posts (seq) WHERE event IS NOT NULL",
    "CREATE INDEX dm_posts_of ON dm_posts (recipient, created)",
    """CREATE TABLE dm_wraps (id TEXT PRIMARY KEY, created INTEGER NOT NULL, at INTEGER NOT NULL)
        WITHOUT ROWID""",
    "CREATE INDEX dm_wraps_at ON dm_wraps (at)",
)
