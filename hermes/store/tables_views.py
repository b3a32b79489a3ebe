"""The table of compacted views: derived from conversations, and safe to lose."""

VIEWS: tuple[str, ...] = (
    # `prefix`: CID of the last message that the view covers, `covers` its place; `cut`: JSON.
    """CREATE TABLE views (
        conversation TEXT NOT NULL, model TEXT NOT NULL, prefix TEXT NOT NULL,
        covers INTEGER NOT NULL, cut TEXT NOT NULL, made_by TEXT NOT NULL,
        saved INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (conversation, model))
        WITHOUT ROWID""",
)
