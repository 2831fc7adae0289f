-- Cleanup ------------------------------------------------------------------------------------------

-- Settings by name, in the text form of policy::cleanup::CleanupSettings; a missing row is the default.
CREATE TABLE cleanup_setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per run, the newest hundred.
CREATE TABLE cleanup_run (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    started    INTEGER NOT NULL,
    ended      INTEGER,
    started_by TEXT NOT NULL,
    outcome    TEXT NOT NULL CHECK (outcome IN ('running', 'done', 'stopped', 'failed', 'interrupted')),
    -- What each step did, as JSON.
    steps      TEXT NOT NULL DEFAULT '[]'
) STRICT;

-- Revisions that will be removed: no downstream server is told of them any more, and those that were told
-- still get them until the time of grace is over.
CREATE TABLE retiring (
    revision_id INTEGER PRIMARY KEY REFERENCES revision (id) ON DELETE CASCADE,
    since       INTEGER NOT NULL
) STRICT;

-- Revisions that were removed, so that synchronization does not bring them back. A row goes when the
-- revision is taken in again, because something needs it or somebody imported it.
CREATE TABLE removed_revision (
    update_id  BLOB NOT NULL CHECK (length(update_id) = 16),
    number     INTEGER NOT NULL,
    removed_at INTEGER NOT NULL,
    PRIMARY KEY (update_id, number)
) STRICT, WITHOUT ROWID;

-- Without these, removing a revision or an update would search whole tables (foreign keys).
CREATE INDEX revision_file_of_revision ON revision_file (revision_id);
CREATE INDEX bundle_member_of_bundle ON bundle_member (bundle);
