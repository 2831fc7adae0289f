-- Identifiers are BLOBs of 16 bytes, times are ticks of 100 ns since 1970, booleans are 0 and 1.

-- The counter of committed changes (terms::Anchor).
CREATE TABLE counter (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL CHECK (value >= 0)
) STRICT, WITHOUT ROWID;
-- `reshaped`: the anchor of the last move of a group (policy::GroupTree).
INSERT INTO counter (name, value) VALUES ('anchor', 0), ('reshaped', 0);

CREATE TABLE config (
    name       TEXT PRIMARY KEY,
    value      TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How many bytes of each segment file are committed.
CREATE TABLE segment (
    name   TEXT PRIMARY KEY,
    length INTEGER NOT NULL CHECK (length >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO segment (name, length) VALUES ('core', 0), ('fragments', 0), ('documents', 0);

-- Catalog ------------------------------------------------------------------------------------------

-- One row per update that has a revision; `newest` is its highest revision.
CREATE TABLE known_update (
    update_id BLOB PRIMARY KEY CHECK (length(update_id) = 16),
    -- UNIQUE is also the index without which every new revision would search this table (foreign keys).
    newest    INTEGER NOT NULL UNIQUE REFERENCES revision (id) DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

-- Ids end below 2^30, where the deployments of approvals begin. AUTOINCREMENT: never given twice.
CREATE TABLE revision (
    id               INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id BETWEEN 1 AND 1073741823),
    update_id        BLOB NOT NULL REFERENCES known_update (update_id) DEFERRABLE INITIALLY DEFERRED,
    number           INTEGER NOT NULL CHECK (number BETWEEN 0 AND 2147483647),
    record           BLOB NOT NULL,
    core_at          INTEGER NOT NULL,
    core_len         INTEGER NOT NULL,
    core_escaped_len INTEGER NOT NULL,
    fragments_at     INTEGER NOT NULL,
    fragments_len    INTEGER NOT NULL,
    document_at      INTEGER NOT NULL,
    document_len     INTEGER NOT NULL,
    content          BLOB NOT NULL CHECK (length(content) = 32),
    arrived          INTEGER NOT NULL CHECK (arrived > 0),
    arrived_at       INTEGER NOT NULL,
    leaf_changed     INTEGER NOT NULL,
    source           TEXT NOT NULL,
    UNIQUE (update_id, number)
) STRICT;

-- Updates that some revision names as a prerequisite: exactly these are not leaves.
CREATE TABLE named_prerequisite (
    update_id BLOB PRIMARY KEY CHECK (length(update_id) = 16),
    since     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which updates some bundle has as a member; those follow their bundle and are not approved themselves.
CREATE TABLE bundle_member (
    member BLOB NOT NULL CHECK (length(member) = 16),
    bundle BLOB NOT NULL REFERENCES known_update (update_id),
    PRIMARY KEY (member, bundle)
) STRICT, WITHOUT ROWID;

-- What people search and see of a revision.
CREATE TABLE listing (
    revision_id    INTEGER PRIMARY KEY REFERENCES revision (id) ON DELETE CASCADE,
    kind           TEXT NOT NULL,
    title          TEXT NOT NULL,
    kb             TEXT NOT NULL,
    search         TEXT NOT NULL,
    created        INTEGER,
    deployable     INTEGER NOT NULL CHECK (deployable IN (0, 1)),
    size           INTEGER NOT NULL
) STRICT;

-- The categories a revision stands under; which of them are products and which classifications is said
-- by the categories themselves (category_kind of their newest revision).
CREATE TABLE listing_category (
    category    BLOB NOT NULL CHECK (length(category) = 16),
    revision_id INTEGER NOT NULL REFERENCES revision (id) ON DELETE CASCADE,
    PRIMARY KEY (category, revision_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX listing_category_of_revision ON listing_category (revision_id);

CREATE TABLE category (
    update_id BLOB PRIMARY KEY REFERENCES known_update (update_id),
    kind      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A file is one thing wherever it is named: same SHA-1, same length, same SHA-256.
CREATE TABLE file (
    sha1   BLOB PRIMARY KEY CHECK (length(sha1) = 20),
    size   INTEGER NOT NULL CHECK (size >= 0),
    sha256 BLOB CHECK (length(sha256) = 32),
    name   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE revision_file (
    sha1        BLOB NOT NULL REFERENCES file (sha1),
    revision_id INTEGER NOT NULL REFERENCES revision (id) ON DELETE CASCADE,
    PRIMARY KEY (sha1, revision_id)
) STRICT, WITHOUT ROWID;

-- What could not be taken in, and why. Rows with `held` wait for other revisions and have their bytes in
-- the segments; the others are only shown.
CREATE TABLE quarantine (
    id               INTEGER PRIMARY KEY,
    source           TEXT NOT NULL,
    update_id        BLOB CHECK (length(update_id) = 16),
    number           INTEGER,
    reason           TEXT NOT NULL,
    first_seen       INTEGER NOT NULL,
    held             INTEGER NOT NULL CHECK (held IN (0, 1)),
    record           BLOB,
    summary          BLOB,
    core_at          INTEGER,
    core_len         INTEGER,
    core_escaped_len INTEGER,
    fragments_at     INTEGER,
    fragments_len    INTEGER,
    document_at      INTEGER,
    document_len     INTEGER,
    content          BLOB CHECK (length(content) = 32),
    CHECK (held = 0 OR (update_id IS NOT NULL AND number IS NOT NULL AND record IS NOT NULL
        AND summary IS NOT NULL AND content IS NOT NULL))
) STRICT;
-- One waiting document per revision; one line per source and revision for the rest.
CREATE UNIQUE INDEX quarantine_held ON quarantine (update_id, number) WHERE held = 1;
CREATE UNIQUE INDEX quarantine_refused
    ON quarantine (source, coalesce(update_id, x''), coalesce(number, -1)) WHERE held = 0;

-- Decisions ----------------------------------------------------------------------------------------

-- The two built-in groups have the ids of every WSUS server (terms::GroupId). All Computers is the root.
CREATE TABLE target_group (
    id       BLOB PRIMARY KEY CHECK (length(id) = 16),
    name     TEXT NOT NULL CHECK (name <> ''),
    name_key TEXT NOT NULL UNIQUE,
    parent   BLOB REFERENCES target_group (id),
    CHECK ((parent IS NULL) = (id = x'a0a087464dbe4a379adf9e7b652029e7')),
    CHECK (parent IS NULL OR parent <> id)
) STRICT, WITHOUT ROWID;
INSERT INTO target_group (id, name, name_key, parent) VALUES
    (x'a0a087464dbe4a379adf9e7b652029e7', 'All Computers', 'all computers', NULL),
    (x'b73ca6ed572747f384de015e03f6a88a', 'Unassigned Computers', 'unassigned computers',
     x'a0a087464dbe4a379adf9e7b652029e7');

-- One decision per update and group: the constraint that makes two effective deployments impossible.
CREATE TABLE approval (
    deployment INTEGER PRIMARY KEY AUTOINCREMENT CHECK (deployment BETWEEN 1073741824 AND 2147483647),
    update_id  BLOB NOT NULL REFERENCES known_update (update_id),
    group_id   BLOB NOT NULL REFERENCES target_group (id),
    action     TEXT NOT NULL CHECK (action IN ('install', 'uninstall', 'not-approved')),
    deadline   INTEGER,
    changed    INTEGER NOT NULL CHECK (changed > 0),
    changed_at INTEGER NOT NULL,
    decided_by TEXT NOT NULL,
    UNIQUE (update_id, group_id)
) STRICT;
-- The first approval gets 2^30 (DeploymentId::FIRST_EXPLICIT).
INSERT INTO sqlite_sequence (name, seq) VALUES ('approval', 1073741823);

-- Approvals taken away and not given again: the mark that tells clients of the change.
CREATE TABLE withdrawn (
    update_id  BLOB NOT NULL REFERENCES known_update (update_id),
    group_id   BLOB NOT NULL REFERENCES target_group (id),
    changed    INTEGER NOT NULL CHECK (changed > 0),
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (update_id, group_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE decline (
    update_id  BLOB PRIMARY KEY REFERENCES known_update (update_id),
    changed    INTEGER NOT NULL CHECK (changed > 0),
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Updates that were declined once and are no longer.
CREATE TABLE restored (
    update_id  BLOB PRIMARY KEY REFERENCES known_update (update_id),
    changed    INTEGER NOT NULL CHECK (changed > 0),
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Computers ----------------------------------------------------------------------------------------

CREATE TABLE computer (
    id               INTEGER PRIMARY KEY,
    computer_id      TEXT NOT NULL UNIQUE CHECK (computer_id <> ''),
    dns_name         TEXT,
    requested_groups TEXT NOT NULL DEFAULT '',
    registered_at    INTEGER,
    inventory        TEXT,
    client_version   TEXT,
    ip               TEXT,
    first_seen       INTEGER NOT NULL,
    last_contact     INTEGER NOT NULL,
    last_sync        INTEGER,
    last_report      INTEGER,
    -- When it made its newest status report (event 156), by its own clock.
    status_at        INTEGER
) STRICT;
CREATE INDEX computer_name ON computer (dns_name);

CREATE TABLE membership (
    group_id BLOB NOT NULL REFERENCES target_group (id),
    computer INTEGER NOT NULL REFERENCES computer (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, computer)
) STRICT, WITHOUT ROWID;
CREATE INDEX membership_of_computer ON membership (computer);

-- The names a computer asks for by itself (client-side targeting), in comparable form.
CREATE TABLE requested_group (
    name_key TEXT NOT NULL,
    computer INTEGER NOT NULL REFERENCES computer (id) ON DELETE CASCADE,
    PRIMARY KEY (name_key, computer)
) STRICT, WITHOUT ROWID;
CREATE INDEX requested_group_of_computer ON requested_group (computer);

-- What policy::status derived: one row per update that concerns the computer.
CREATE TABLE update_status (
    computer  INTEGER NOT NULL REFERENCES computer (id) ON DELETE CASCADE,
    update_id BLOB NOT NULL CHECK (length(update_id) = 16),
    state     INTEGER NOT NULL CHECK (state BETWEEN 2 AND 6),
    since     INTEGER NOT NULL,
    error     INTEGER NOT NULL,
    PRIMARY KEY (computer, update_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX update_status_by_update ON update_status (update_id, state);

-- Events about an update: one row per instance, the oldest of a computer dropped beyond a cap.
CREATE TABLE event (
    id        INTEGER PRIMARY KEY,
    instance  BLOB NOT NULL UNIQUE CHECK (length(instance) = 16),
    computer  INTEGER NOT NULL REFERENCES computer (id) ON DELETE CASCADE,
    event_id  INTEGER NOT NULL,
    namespace INTEGER NOT NULL,
    source    INTEGER NOT NULL,
    update_id BLOB NOT NULL CHECK (length(update_id) = 16),
    revision  INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    received  INTEGER NOT NULL,
    result    INTEGER NOT NULL,
    details   TEXT NOT NULL
) STRICT;
CREATE INDEX event_of_computer ON event (computer, id);
CREATE INDEX event_of_update ON event (update_id, id);

-- Events about no update: the newest of each kind per computer.
CREATE TABLE newest_event (
    computer  INTEGER NOT NULL REFERENCES computer (id) ON DELETE CASCADE,
    namespace INTEGER NOT NULL,
    event_id  INTEGER NOT NULL,
    instance  BLOB NOT NULL CHECK (length(instance) = 16),
    source    INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    received  INTEGER NOT NULL,
    result    INTEGER NOT NULL,
    details   TEXT NOT NULL,
    PRIMARY KEY (computer, namespace, event_id)
) STRICT, WITHOUT ROWID;
