"""The table of compacted views: derived from conversations, and safe to lose."""

VIEWS: tuple[str, ...] = (
    # `prefix`: CIDs of the newest messages that the view covers, `covers`: how many it covers;
    # `cut`: JSON; `size`: its window in tokens; `scale`: bytes a token.
    """CREATE TABLE views (
        conversation TEXT NOT NULL, model TEXT NOT NULL, prefix TEXT NOT NULL,
        covers INTEGER NOT NULL, cut TEXT NOT NULL, size INTEGER NOT NULL, scale REAL NOT NULL,
        at INTEGER NOT NULL, PRIMARY KEY (conversation, model)) WITHOUT ROWID""",
)
