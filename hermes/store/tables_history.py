"""The historian's tables: how far it read, what was seen once, what vouches for a memory."""

HISTORY: tuple[str, ...] = (
    # `seq`: the last message of the conversation that was looked at.
    """CREATE TABLE history_read (
        conversation TEXT PRIMARY KEY, seq INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID""",
    # What is no memory yet: a memory takes the person's word, or a second session.
    """CREATE TABLE sightings (
        project_hash TEXT NOT NULL, memory_type TEXT NOT NULL, key TEXT NOT NULL,
        session TEXT NOT NULL, content TEXT NOT NULL, cid TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (project_hash, memory_type, key, session)) WITHOUT ROWID""",
    # `rule`: what made it a memory; `cid`: the message that says so.
    """CREATE TABLE memory_evidence (
        memory INTEGER NOT NULL, cid TEXT NOT NULL, session TEXT NOT NULL, rule TEXT NOT NULL,
        at INTEGER NOT NULL, PRIMARY KEY (memory, cid, rule)) WITHOUT ROWID""",
    # `key`: what the memory is about, in normal form; `value`: what it says of it. Another
    # value of the same key contradicts it.
    """CREATE TABLE memory_subjects (
        memory INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
        project_hash TEXT NOT NULL, PRIMARY KEY (memory, key)) WITHOUT ROWID""",
    "CREATE INDEX memory_subjects_of ON memory_subjects (project_hash, key)",
)
