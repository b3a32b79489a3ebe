"""The table of background chores: whether each is paused, and what it last did."""

CHORES: tuple[str, ...] = (
    """CREATE TABLE chores (
        name TEXT PRIMARY KEY, paused INTEGER NOT NULL, started INTEGER, finished INTEGER,
        result TEXT NOT NULL) WITHOUT ROWID""",
)
