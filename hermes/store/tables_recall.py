"""The tables of recall: which memories a turn was shown and why, and how often each was of use."""

RECALL: tuple[str, ...] = (
    # No words of the memory: the line is made again from its row, and goes with it. `place`:
    # its place among the turn's lines; `shown` 0: it was close. `why`: JSON.
    """CREATE TABLE recalled (
        turn TEXT NOT NULL, memory INTEGER NOT NULL, conversation TEXT NOT NULL,
        score REAL NOT NULL, why TEXT NOT NULL, shown INTEGER NOT NULL, place INTEGER NOT NULL,
        at INTEGER NOT NULL, PRIMARY KEY (turn, memory)) WITHOUT ROWID""",
    "CREATE INDEX recalled_of ON recalled (conversation, at)",
    """CREATE TABLE memory_uses (
        memory INTEGER PRIMARY KEY, uses INTEGER NOT NULL, last_used INTEGER NOT NULL)""",
    # In how many memories each word stands: a rare one says more.
    "CREATE VIRTUAL TABLE memory_terms USING fts5vocab (memory_fts, row)",
    # Messages that say what was forgotten: they are not found again.
    "CREATE TABLE unsaid (cid TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX memory_evidence_by ON memory_evidence (cid)",
)
