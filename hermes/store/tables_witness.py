"""The tables of witnesses: others' logs as they were seen, cosignatures, evidence, relay lists."""

WITNESS: tuple[str, ...] = (
    # The newest note of a member's log that grew as it should ("": none yet), and who it is.
    """CREATE TABLE logs_seen (
        node TEXT PRIMARY KEY, genesis TEXT NOT NULL, note TEXT NOT NULL, issued INTEGER NOT NULL,
        at INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE cosignatures (
        size INTEGER NOT NULL, node TEXT NOT NULL, line TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (size, node)) WITHOUT ROWID""",
    # Two signed notes that cannot both be of one log; `over`: when it turned out otherwise.
    """CREATE TABLE log_faults (
        seq INTEGER PRIMARY KEY, node TEXT NOT NULL, kind TEXT NOT NULL, first TEXT NOT NULL,
        second TEXT NOT NULL, at INTEGER NOT NULL, over INTEGER NOT NULL DEFAULT 0,
        UNIQUE (node, kind, first, second))""",
    # Where others said that they read (NIP-65, NIP-17); `created` keeps older lists out.
    """CREATE TABLE relay_lists (
        author TEXT NOT NULL, kind INTEGER NOT NULL, created INTEGER NOT NULL,
        relays TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (author, kind)) WITHOUT ROWID""",
)
