-- Upstream: where this server takes its catalog from ------------------------------------------------

-- Settings by name, in the text form of their types.
CREATE TABLE upstream_setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What of the upstream is chosen. Parts without rows that are not listed in upstream_setting choose all.
CREATE TABLE sync_filter (
    part  TEXT NOT NULL CHECK (part IN ('product', 'classification', 'language')),
    value TEXT NOT NULL,
    PRIMARY KEY (part, value)
) STRICT, WITHOUT ROWID;

-- How far synchronization is: anchors and what the upstream said of itself. Emptied when the upstream
-- changes.
CREATE TABLE sync_state (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The products and classifications the updates anchor speaks for; none means everything.
CREATE TABLE sync_covered (
    part     TEXT NOT NULL CHECK (part IN ('product', 'classification')),
    category BLOB NOT NULL CHECK (length(category) = 16),
    PRIMARY KEY (part, category)
) STRICT, WITHOUT ROWID;

-- Revisions the upstream listed and whose documents could not be used; tried again later.
CREATE TABLE sync_failed (
    update_id BLOB NOT NULL CHECK (length(update_id) = 16),
    number    INTEGER NOT NULL,
    attempts  INTEGER NOT NULL,
    again_at  INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    PRIMARY KEY (update_id, number)
) STRICT, WITHOUT ROWID;

-- One row per run, the newest some hundreds.
CREATE TABLE sync_run (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    started     INTEGER NOT NULL,
    ended       INTEGER,
    started_by  TEXT NOT NULL,
    upstream    TEXT NOT NULL,
    outcome     TEXT NOT NULL CHECK (outcome IN ('running', 'succeeded', 'failed', 'cancelled', 'interrupted')),
    phase       TEXT NOT NULL,
    new         INTEGER NOT NULL DEFAULT 0,
    revised     INTEGER NOT NULL DEFAULT 0,
    expired     INTEGER NOT NULL DEFAULT 0,
    quarantined INTEGER NOT NULL DEFAULT 0,
    approvals   INTEGER NOT NULL DEFAULT 0,
    files       INTEGER NOT NULL DEFAULT 0,
    file_bytes  INTEGER NOT NULL DEFAULT 0,
    files_failed INTEGER NOT NULL DEFAULT 0,
    error_code  TEXT,
    error_text  TEXT
) STRICT;

-- A replica's copy of its upstream's deployments (MS-WSUSSS 3.1.1, Deployment Table).
CREATE TABLE upstream_deployment (
    guid      BLOB PRIMARY KEY CHECK (length(guid) = 16),
    update_id BLOB NOT NULL CHECK (length(update_id) = 16),
    group_id  BLOB NOT NULL CHECK (length(group_id) = 16),
    action    TEXT NOT NULL,
    deadline  INTEGER,
    admin     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The decisions of the mode this server is not in, kept for the way back.
CREATE TABLE aside_group (
    mode   TEXT NOT NULL,
    id     BLOB NOT NULL CHECK (length(id) = 16),
    name   TEXT NOT NULL,
    parent BLOB CHECK (length(parent) = 16),
    PRIMARY KEY (mode, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE aside_approval (
    mode      TEXT NOT NULL,
    update_id BLOB NOT NULL CHECK (length(update_id) = 16),
    group_id  BLOB NOT NULL CHECK (length(group_id) = 16),
    action    TEXT NOT NULL,
    deadline  INTEGER,
    admin     TEXT NOT NULL,
    PRIMARY KEY (mode, update_id, group_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE aside_decline (
    mode      TEXT NOT NULL,
    update_id BLOB NOT NULL CHECK (length(update_id) = 16),
    PRIMARY KEY (mode, update_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE aside_membership (
    mode     TEXT NOT NULL,
    group_id BLOB NOT NULL CHECK (length(group_id) = 16),
    computer INTEGER NOT NULL REFERENCES computer (id) ON DELETE CASCADE,
    PRIMARY KEY (mode, group_id, computer)
) STRICT, WITHOUT ROWID;
CREATE INDEX aside_membership_of_computer ON aside_membership (computer);

-- Files ----------------------------------------------------------------------------------------------

-- Where Microsoft Update has a file (MUUrl), as the upstream said.
CREATE TABLE file_url (
    sha1 BLOB PRIMARY KEY CHECK (length(sha1) = 20),
    url  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Files that a downstream server asked this one to fetch (DownloadFiles).
CREATE TABLE wanted_file (
    sha1   BLOB PRIMARY KEY CHECK (length(sha1) = 20),
    asked  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Files whose fetching failed for a reason that the next run would meet again.
CREATE TABLE failed_file (
    sha1     BLOB PRIMARY KEY CHECK (length(sha1) = 20),
    attempts INTEGER NOT NULL,
    again_at INTEGER NOT NULL,
    reason   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How documents lie in their segment: 0 deflated, 1 a Cabinet file as it is served, 2 text as it is served.
ALTER TABLE revision ADD COLUMN document_form INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN document_form INTEGER NOT NULL DEFAULT 0;

-- Whether a file is only an express form, and the languages it is for (tags, one a line; empty is all).
ALTER TABLE file ADD COLUMN express INTEGER NOT NULL DEFAULT 0 CHECK (express IN (0, 1));
ALTER TABLE file ADD COLUMN languages TEXT NOT NULL DEFAULT '';

-- What waits in quarantine, by the updates it waits for: an import looks only at what its revisions can
-- release. Rows of older programs have no entries and are looked at every time.
CREATE TABLE quarantine_need (
    update_id  BLOB NOT NULL CHECK (length(update_id) = 16),
    -- The revision, where a bundle names one.
    number     INTEGER,
    quarantine INTEGER NOT NULL REFERENCES quarantine (id) ON DELETE CASCADE,
    PRIMARY KEY (update_id, quarantine)
) STRICT, WITHOUT ROWID;
CREATE INDEX quarantine_need_of_row ON quarantine_need (quarantine);

-- Downstream: servers that take their catalog from this one ------------------------------------------

-- MS-WSUSSS 3.1.1, DSS Table. `parent` is NULL for those that ask this server itself.
CREATE TABLE downstream_server (
    server_id    BLOB PRIMARY KEY CHECK (length(server_id) = 16),
    name         TEXT NOT NULL,
    parent       BLOB CHECK (length(parent) = 16),
    version      TEXT NOT NULL DEFAULT '',
    is_replica   INTEGER NOT NULL DEFAULT 0 CHECK (is_replica IN (0, 1)),
    first_seen   INTEGER NOT NULL,
    last_contact INTEGER NOT NULL,
    last_sync    INTEGER,
    last_rollup  INTEGER,
    summary      BLOB,
    clients      BLOB
) STRICT, WITHOUT ROWID;

-- Which servers may synchronize from this one; empty means all. Ids and names, lower case.
CREATE TABLE downstream_allowed (
    who TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Computers that downstream servers told about.
CREATE TABLE downstream_computer (
    id              INTEGER PRIMARY KEY,
    computer_id     TEXT NOT NULL UNIQUE CHECK (computer_id <> ''),
    server_id       BLOB NOT NULL REFERENCES downstream_server (server_id) ON DELETE CASCADE,
    dns_name        TEXT,
    last_sync       INTEGER,
    last_sync_result INTEGER NOT NULL,
    last_reboot     INTEGER,
    last_status     INTEGER,
    last_inventory  INTEGER,
    details         BLOB,
    -- The number of the newest status this server got, and since which time that status speaks.
    received        INTEGER NOT NULL DEFAULT 0,
    detected        INTEGER
) STRICT;
CREATE INDEX downstream_computer_of_server ON downstream_computer (server_id);

CREATE TABLE downstream_status (
    computer  INTEGER NOT NULL REFERENCES downstream_computer (id) ON DELETE CASCADE,
    update_id BLOB NOT NULL CHECK (length(update_id) = 16),
    state     INTEGER NOT NULL CHECK (state BETWEEN 2 AND 6),
    since     INTEGER NOT NULL,
    PRIMARY KEY (computer, update_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX downstream_status_by_update ON downstream_status (update_id, state);

-- How far each computer, own or of a downstream server, has been told to the upstream.
CREATE TABLE rollup_sent (
    computer_id TEXT PRIMARY KEY,
    -- A hash of what was last told; a computer whose values are the same is not told again.
    told    INTEGER NOT NULL,
    -- A hash of the details the upstream has; NULL when it has none.
    details INTEGER,
    -- The number of the newest status the upstream accepted.
    number  INTEGER NOT NULL,
    -- Which status that was (RolledStatus stamp); NULL asks for it to be sent again.
    status  INTEGER
) STRICT, WITHOUT ROWID;
