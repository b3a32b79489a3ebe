"""The tables. Blocks are the truth, in commit order; everything else is a projection.

Rows point at their block by `cid`; `hermes.store.verify` compares the two. Times are ms UTC,
except in `project_memory`, which is the seed's table to the letter (seed 004 §3.4, seconds).
"""

from hermes.store.acts import ACTS
from hermes.store.migrations import Migration, Plan
from hermes.store.statement import Statement
from hermes.store.tables_anchors import ANCHORS
from hermes.store.tables_calendar import CALENDAR
from hermes.store.tables_chores import CHORES
from hermes.store.tables_history import HISTORY
from hermes.store.tables_log import LOG
from hermes.store.tables_mesh import MESH
from hermes.store.tables_pairings import PAIRINGS
from hermes.store.tables_recall import RECALL
from hermes.store.tables_skills import SKILLS
from hermes.store.tables_trials import TRIALS
from hermes.store.tables_views import VIEWS
from hermes.store.tables_witness import WITNESS

APPLICATION = 0x48524D32  # "HRM2"

_TOKENIZER = "tokenize = 'unicode61 remove_diacritics 2'"

_CONVERSATIONS = (
    # `data` is NULL once a block is erased: its name and its place in the log stay.
    """CREATE TABLE blocks (
        seq INTEGER PRIMARY KEY, cid TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, data BLOB)""",
    """CREATE TABLE conversations (
        id TEXT PRIMARY KEY, title TEXT NOT NULL, root TEXT NOT NULL, node TEXT NOT NULL,
        private INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
        heads TEXT NOT NULL DEFAULT '[]', messages INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX conversations_updated ON conversations (updated)",
    "CREATE INDEX conversations_root ON conversations (root, updated)",
    """CREATE TABLE sessions (
        id TEXT PRIMARY KEY, conversation TEXT NOT NULL, node TEXT NOT NULL,
        opened INTEGER NOT NULL, closed INTEGER, cid TEXT NOT NULL, closing_cid TEXT)""",
    "CREATE INDEX sessions_of ON sessions (conversation, opened)",
    """CREATE TABLE messages (
        seq INTEGER PRIMARY KEY, cid TEXT NOT NULL UNIQUE, conversation TEXT NOT NULL,
        session TEXT NOT NULL, turn TEXT NOT NULL, role TEXT NOT NULL, at INTEGER NOT NULL,
        text TEXT NOT NULL)""",
    "CREATE INDEX messages_of ON messages (conversation)",
    """CREATE TABLE message_parents (
        child TEXT NOT NULL, parent TEXT NOT NULL, PRIMARY KEY (child, parent)) WITHOUT ROWID""",
    # The conversation stands in the index as one word, so that filtering by it happens there.
    """CREATE VIEW messages_indexed AS
        SELECT seq, text, replace(conversation, '-', '') AS conversation FROM messages""",
    f"""CREATE VIRTUAL TABLE messages_fts USING fts5 (
        text, conversation, content = 'messages_indexed', content_rowid = 'seq', {_TOKENIZER})""",
    """CREATE TRIGGER messages_added AFTER INSERT ON messages WHEN new.text <> '' BEGIN
        INSERT INTO messages_fts (rowid, text, conversation)
        VALUES (new.seq, new.text, replace(new.conversation, '-', '')); END""",
)

_TURNS = (
    """CREATE TABLE turns (
        id TEXT PRIMARY KEY, conversation TEXT NOT NULL, session TEXT NOT NULL,
        state TEXT NOT NULL, request BLOB NOT NULL, started INTEGER NOT NULL, finished INTEGER,
        attempts INTEGER NOT NULL DEFAULT 1, text TEXT NOT NULL DEFAULT '',
        error TEXT NOT NULL DEFAULT '', remedy TEXT NOT NULL DEFAULT '',
        usage TEXT NOT NULL DEFAULT '{}')""",
    "CREATE INDEX turns_of ON turns (conversation, started)",
    "CREATE INDEX turns_running ON turns (started) WHERE state = 'running'",
    """CREATE TABLE journal (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, turn TEXT NOT NULL,
        conversation TEXT NOT NULL, call TEXT NOT NULL, tool TEXT NOT NULL,
        arguments TEXT NOT NULL, at INTEGER NOT NULL, cid TEXT NOT NULL,
        changes TEXT NOT NULL, outcome TEXT, outcome_text TEXT, outcome_at INTEGER,
        outcome_cid TEXT, undone INTEGER)""",
    "CREATE INDEX journal_of ON journal (turn)",
    "CREATE INDEX journal_pending ON journal (seq) WHERE outcome IS NULL",
    """CREATE TABLE blobs (
        seq INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,
        data BLOB NOT NULL)""",
    """CREATE TABLE approvals (
        seq INTEGER PRIMARY KEY, call TEXT NOT NULL, turn TEXT NOT NULL,
        conversation TEXT NOT NULL, tool TEXT NOT NULL, arguments TEXT NOT NULL,
        rule TEXT NOT NULL, diff TEXT NOT NULL, asked INTEGER NOT NULL, cid TEXT NOT NULL,
        answer TEXT, answered_by TEXT, reason TEXT, answered INTEGER, answer_cid TEXT)""",
    "CREATE UNIQUE INDEX approvals_open ON approvals (call, turn) WHERE answer IS NULL",
)

_MEMORY = (
    """CREATE TABLE project_memory (
        id INTEGER PRIMARY KEY,
        project_hash TEXT,
        memory_type TEXT,
        content TEXT,
        source_session_id TEXT,
        promoted_at REAL,
        relevance_score REAL,
        expires_at REAL
    )""",
    "CREATE INDEX project_memory_of ON project_memory (project_hash, promoted_at)",
    # Keeps the ids of forgotten memories, so that none is given twice.
    """CREATE TABLE memory_blocks (
        memory INTEGER PRIMARY KEY, cid TEXT NOT NULL UNIQUE, supersedes TEXT,
        erased INTEGER, erased_cid TEXT)""",
    """CREATE VIEW memory_values AS SELECT m.*, m.id AS rowid, b.cid
        FROM project_memory AS m JOIN memory_blocks AS b ON b.memory = m.id""",
    f"""CREATE VIRTUAL TABLE memory_fts USING fts5 (
        content, content = 'project_memory', content_rowid = 'id', {_TOKENIZER})""",
    """CREATE TRIGGER memory_added AFTER INSERT ON project_memory BEGIN
        INSERT INTO memory_fts (rowid, content) VALUES (new.id, new.content); END""",
    """CREATE TRIGGER memory_removed AFTER DELETE ON project_memory BEGIN
        INSERT INTO memory_fts (memory_fts, rowid, content)
        VALUES ('delete', old.id, old.content); END""",
    """CREATE TRIGGER memory_changed AFTER UPDATE OF content ON project_memory BEGIN
        INSERT INTO memory_fts (memory_fts, rowid, content)
        VALUES ('delete', old.id, old.content);
        INSERT INTO memory_fts (rowid, content) VALUES (new.id, new.content); END""",
)

_JOBS = (
    """CREATE TABLE jobs (
        id TEXT PRIMARY KEY, conversation TEXT NOT NULL, when_text TEXT NOT NULL,
        spec TEXT NOT NULL, task TEXT NOT NULL, cwd TEXT NOT NULL, root TEXT NOT NULL,
        created INTEGER NOT NULL, next_due INTEGER, state TEXT NOT NULL)""",
    "CREATE INDEX jobs_due ON jobs (next_due) WHERE state = 'active'",
    """CREATE TABLE runs (
        id TEXT PRIMARY KEY, job TEXT NOT NULL, scheduled_for INTEGER NOT NULL,
        state TEXT NOT NULL, started INTEGER, finished INTEGER, result TEXT NOT NULL DEFAULT '',
        UNIQUE (job, scheduled_for))""",
)

MIGRATIONS = (
    Migration(1, "the ground", (*_CONVERSATIONS, *_TURNS, *_MEMORY, *_JOBS)),
    Migration(2, "continuity", (*LOG, *ACTS, *ANCHORS, *CALENDAR)),
    Migration(3, "memory", (*VIEWS, *HISTORY, *RECALL, *SKILLS, *CHORES)),
    Migration(4, "mesh", (*MESH, *PAIRINGS, *WITNESS)),
    Migration(5, "successor", TRIALS),
)


def plan(node: str) -> Plan:
    """The store's plan; `node` is the id that a new store gets."""
    names = Statement("INSERT INTO meta (key, value) VALUES ('node', ?)", (node,))
    return Plan(APPLICATION, MIGRATIONS, (names,))
