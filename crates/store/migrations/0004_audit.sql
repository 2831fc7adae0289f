-- Audit log ----------------------------------------------------------------------------------------

-- Every decision, in the transaction that made it. `hash` is SHA-256 over the hash before it and this
-- entry (store::audit::chain); `seq` has no holes.
CREATE TABLE audit (
    seq       INTEGER PRIMARY KEY CHECK (seq > 0),
    at        INTEGER NOT NULL,
    kind      TEXT NOT NULL CHECK (kind IN ('administrator', 'upstream', 'server')),
    who       TEXT NOT NULL,
    origin    TEXT NOT NULL,
    action    TEXT NOT NULL CHECK (action <> ''),
    subject   TEXT NOT NULL,
    update_id BLOB CHECK (length(update_id) = 16),
    -- JSON; NULL where there was or is nothing.
    before    TEXT,
    after     TEXT,
    hash      BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX audit_of_update ON audit (update_id, seq) WHERE update_id IS NOT NULL;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- What an administrator should look at; stays until somebody says that it was seen.
CREATE TABLE alert (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    text     TEXT NOT NULL,
    -- The first of the updates it is about, one a line, and how many there are.
    updates  TEXT NOT NULL DEFAULT '',
    count    INTEGER NOT NULL DEFAULT 0,
    seen_at  INTEGER,
    seen_by  TEXT
) STRICT;
CREATE INDEX alert_unseen ON alert (id) WHERE seen_at IS NULL;
