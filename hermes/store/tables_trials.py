"""Tables of the successor: candidates, trials, verdicts, approvals, adoptions.

Each row points at the block that says the same; the trial's state and an adoption's end are told
by later blocks of their own.
"""

TRIALS = (
    """CREATE TABLE candidates (
        seq INTEGER PRIMARY KEY, cid TEXT NOT NULL UNIQUE, parent TEXT NOT NULL,
        patch TEXT NOT NULL, tree TEXT NOT NULL, shape TEXT NOT NULL, task TEXT NOT NULL,
        source TEXT NOT NULL, goal TEXT NOT NULL, given TEXT NOT NULL,
        diff TEXT NOT NULL, at INTEGER NOT NULL)""",
    "CREATE INDEX candidates_of ON candidates (shape, parent)",
    """CREATE TABLE trials (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, cid TEXT NOT NULL UNIQUE,
        candidate TEXT NOT NULL, tier TEXT NOT NULL, seed TEXT NOT NULL, judge TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'intent', began INTEGER NOT NULL, ended INTEGER,
        why TEXT NOT NULL DEFAULT '')""",
    """CREATE UNIQUE INDEX trials_open ON trials (candidate, judge, tier)
        WHERE state = 'intent'""",
    "CREATE INDEX trials_began ON trials (began)",
    """CREATE TABLE verdicts (
        seq INTEGER PRIMARY KEY, cid TEXT NOT NULL UNIQUE, trial TEXT NOT NULL UNIQUE,
        candidate TEXT NOT NULL, word TEXT NOT NULL, judge TEXT NOT NULL, by TEXT NOT NULL,
        at INTEGER NOT NULL)""",
    "CREATE INDEX verdicts_of ON verdicts (candidate, seq)",
    """CREATE TABLE gate_approvals (
        seq INTEGER PRIMARY KEY, cid TEXT NOT NULL UNIQUE, candidate TEXT NOT NULL,
        verdict TEXT NOT NULL, answer TEXT NOT NULL, who TEXT NOT NULL, door TEXT NOT NULL,
        diff TEXT NOT NULL, reason TEXT NOT NULL, by TEXT NOT NULL, at INTEGER NOT NULL)""",
    "CREATE INDEX gate_approvals_of ON gate_approvals (candidate, seq)",
    """CREATE TABLE adoptions (
        seq INTEGER PRIMARY KEY, cid TEXT NOT NULL UNIQUE, candidate TEXT NOT NULL,
        verdict TEXT NOT NULL, tag TEXT NOT NULL UNIQUE, version TEXT NOT NULL,
        previous TEXT NOT NULL, tree TEXT NOT NULL, by TEXT NOT NULL, at INTEGER NOT NULL,
        outcome TEXT, why TEXT, ended INTEGER, outcome_cid TEXT)""",
    "CREATE TABLE gate_marks (name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID",
)
