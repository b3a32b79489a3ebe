"""The tables of skills: which digests a person approved, and the dreamer's drafts."""

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
)
