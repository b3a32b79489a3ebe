"""The tables of skills: which digests a person approved, and the dreamer's drafts and notes."""

SKILLS: tuple[str, ...] = (
    # A skill's file may change under us: what was approved is this very digest.
    """CREATE TABLE skill_trust (
        path TEXT NOT NULL, digest TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (path, digest)) WITHOUT ROWID""",
    # `key`: the pattern that it was drafted from, so that none is drafted twice.
    """CREATE TABLE drafts (
        id INTEGER PRIMARY KEY, project_hash TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL,
        text TEXT NOT NULL, evidence TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL,
        decided INTEGER, UNIQUE (project_hash, key))""",
    # One row a turn that the dreamer has looked at; `steps` is `[]` where it did nothing.
    """CREATE TABLE work (
        turn TEXT PRIMARY KEY, conversation TEXT NOT NULL, session TEXT NOT NULL,
        project_hash TEXT NOT NULL, place TEXT NOT NULL, at INTEGER NOT NULL,
        asked TEXT NOT NULL, steps TEXT NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX work_of ON work (project_hash, at) WHERE steps <> '[]'",
    "CREATE INDEX approvals_of ON approvals (conversation)",
)
