"""The tables of the OpenTimestamps calendar: promises kept, and the batches they went into."""

CALENDAR: tuple[str, ...] = (
    # `tail`: OpenTimestamps operations from the root into a block; NULL while it is in none.
    """CREATE TABLE calendar_batches (
        id INTEGER PRIMARY KEY, root BLOB NOT NULL UNIQUE, size INTEGER NOT NULL,
        closed INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'closed',
        height INTEGER, block TEXT, tail BLOB)""",
    "CREATE INDEX calendar_unfinished ON calendar_batches (id) WHERE state <> 'final'",
    """CREATE TABLE calendar_promises (
        seq INTEGER PRIMARY KEY, commitment BLOB NOT NULL UNIQUE, at INTEGER NOT NULL,
        batch INTEGER)""",
    "CREATE INDEX calendar_open ON calendar_promises (seq) WHERE batch IS NULL",
    "CREATE INDEX calendar_of ON calendar_promises (batch, seq) WHERE batch IS NOT NULL",
)
