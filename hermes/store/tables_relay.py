"""The tables of relay.db: events that others left at this node's relay, and what was taken back.

A database of its own: strangers write here, and it may be thrown away. The rules of NIP-01 and
NIP-09 stand in a trigger, so that one insert is the whole decision and a group of them is safe.
"""

from hermes.store.migrations import Migration, Plan

_APPLICATION = 0x48524D52  # "HRMR"

_EVENTS = (
    """CREATE TABLE events (
        seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, pubkey BLOB NOT NULL,
        created_at INTEGER NOT NULL, kind INTEGER NOT NULL, expires INTEGER, address TEXT,
        size INTEGER NOT NULL, data TEXT NOT NULL)""",
    "CREATE INDEX events_at ON events (created_at)",
    "CREATE INDEX events_kind ON events (kind, created_at)",
    "CREATE INDEX events_author ON events (pubkey, kind, created_at)",
    "CREATE INDEX events_expiring ON events (expires) WHERE expires IS NOT NULL",
    "CREATE UNIQUE INDEX events_address ON events (address) WHERE address IS NOT NULL",
    """CREATE TABLE event_tags (
        name TEXT NOT NULL, value TEXT NOT NULL, created_at INTEGER NOT NULL,
        event INTEGER NOT NULL, PRIMARY KEY (name, value, created_at, event)) WITHOUT ROWID""",
    "CREATE INDEX event_tags_of ON event_tags (event)",
    # `known`: the event was here and its author (or a wrap's recipient) took it back.
    """CREATE TABLE erased (
        id BLOB NOT NULL, pubkey BLOB NOT NULL, known INTEGER NOT NULL,
        PRIMARY KEY (id, pubkey)) WITHOUT ROWID""",
    """CREATE TABLE erased_addresses (
        address TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE TRIGGER events_judged BEFORE INSERT ON events BEGIN
        SELECT RAISE (IGNORE) WHERE EXISTS (SELECT 1 FROM events WHERE id = new.id)
            OR EXISTS (SELECT 1 FROM erased WHERE id = new.id AND new.kind <> 5
                AND (known = 1 OR pubkey = new.pubkey))
            OR EXISTS (SELECT 1 FROM erased_addresses
                WHERE address = new.address AND until >= new.created_at)
            OR EXISTS (SELECT 1 FROM events WHERE address = new.address
                AND (created_at > new.created_at
                    OR (created_at = new.created_at AND id < new.id)));
        DELETE FROM events WHERE address = new.address; END""",
    """CREATE TRIGGER events_tagged AFTER INSERT ON events BEGIN
        INSERT OR IGNORE INTO event_tags (name, value, created_at, event)
        SELECT tag.value ->> 0, tag.value ->> 1, new.created_at, new.seq
        FROM json_each(new.data, '$.tags') AS tag
        WHERE length(tag.value ->> 0) = 1 AND tag.value ->> 1 IS NOT NULL; END""",
    """CREATE TRIGGER events_untagged AFTER DELETE ON events BEGIN
        DELETE FROM event_tags WHERE event = old.seq; END""",
)

RELAY_PLAN = Plan(_APPLICATION, (Migration(1, "events", _EVENTS),))
