"""The Merkle log's tables: a leaf is a row of `blocks`, in order; see `hermes.store.ledger`."""

LOG: tuple[str, ...] = (
    # One row: how many rows of `blocks` are leaves, and the hashes of the tree's frontier.
    """CREATE TABLE log_state (
        id INTEGER PRIMARY KEY CHECK (id = 1), size INTEGER NOT NULL, hashes BLOB NOT NULL)""",
    "INSERT INTO log_state (id, size, hashes) VALUES (1, 0, x'')",
    # Full tiles only; `root` stands before the 8 kB, so that reading it does not read them.
    """CREATE TABLE log_tiles (
        level INTEGER NOT NULL, number INTEGER NOT NULL, root BLOB NOT NULL, data BLOB NOT NULL,
        PRIMARY KEY (level, number))""",
    "CREATE TABLE checkpoints (seq INTEGER PRIMARY KEY, size INTEGER NOT NULL, note TEXT NOT NULL)",
    "CREATE UNIQUE INDEX checkpoints_of ON checkpoints (size, note)",
)
