"""The tables of recall: which memories a turn was shown and why, and how often each was of use."""

RECALL: tuple[str, ...] = (
    """CREATE TABLE recalled (
        turn TEXT NOT NULL, memory INTEGER NOT NULL, conversation TEXT NOT NULL,
        score REAL NOT NULL, why TEXT NOT NULL, shown INTEGER NOT NULL, line TEXT NOT NULL,
        at INTEGER NOT NULL, PRIMARY KEY (turn, memory)) WITHOUT ROWID""",
    "CREATE INDEX recalled_of ON recalled (conversation, at)",
    """CREATE TABLE memory_uses (
        memory INTEGER PRIMARY KEY, uses INTEGER NOT NULL, last_used INTEGER NOT NULL)""",
)
