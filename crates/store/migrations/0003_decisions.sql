-- Approvals, licence terms and rules ---------------------------------------------------------------

-- What users may install by themselves has no deadline (policy::ApprovalAction::OptionalInstall).
ALTER TABLE approval ADD COLUMN optional INTEGER NOT NULL DEFAULT 0
    CHECK (optional = 0 OR (optional = 1 AND action = 'install' AND deadline IS NULL));

-- Updates whose newest revision waits; `serving` is the number of the one that stays in service. Without
-- an `eula` it waits for a review, with one for these licence terms.
CREATE TABLE held (
    update_id  BLOB PRIMARY KEY REFERENCES known_update (update_id),
    serving    INTEGER NOT NULL,
    eula       BLOB CHECK (length(eula) = 16),
    changed    INTEGER NOT NULL CHECK (changed > 0),
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Updates whose newest revision waited once: since then it is in service, later than it arrived.
CREATE TABLE released (
    update_id  BLOB PRIMARY KEY REFERENCES known_update (update_id),
    changed    INTEGER NOT NULL CHECK (changed > 0),
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE accepted_eula (
    eula        BLOB PRIMARY KEY CHECK (length(eula) = 16),
    accepted_by TEXT NOT NULL,
    changed     INTEGER NOT NULL CHECK (changed > 0),
    changed_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What happens to approvals when a new revision arrives; a missing row means 1.
CREATE TABLE succession_option (
    name  TEXT PRIMARY KEY CHECK (name IN ('approvals-follow', 'decline-expired')),
    value INTEGER NOT NULL CHECK (value IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE approval_rule (
    id      INTEGER PRIMARY KEY,
    name    TEXT NOT NULL CHECK (name <> ''),
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    -- The deadline: so many days after the approval, at this minute of the day (UTC).
    days    INTEGER,
    minute  INTEGER,
    CHECK ((days IS NULL) = (minute IS NULL))
) STRICT;

CREATE TABLE approval_rule_choice (
    rule   INTEGER NOT NULL REFERENCES approval_rule (id) ON DELETE CASCADE,
    part   TEXT NOT NULL CHECK (part IN ('classification', 'product', 'group')),
    choice BLOB NOT NULL CHECK (length(choice) = 16),
    PRIMARY KEY (rule, part, choice)
) STRICT, WITHOUT ROWID;

-- The rule every WSUS server begins with: critical and security updates for All Computers, not enabled
-- (policy::rules::Rule::default_rule).
INSERT INTO approval_rule (id, name, enabled) VALUES (1, 'Default Automatic Approval Rule', 0);
INSERT INTO approval_rule_choice (rule, part, choice) VALUES
    (1, 'classification', x'e6cf1350c01b414da61f263d14d133b4'),
    (1, 'classification', x'0fa1201d43304fa88ae9b877473b6441'),
    (1, 'group', x'a0a087464dbe4a379adf9e7b652029e7');

-- Catalog ------------------------------------------------------------------------------------------

-- The licence terms of a revision (Properties/@EulaID).
CREATE TABLE revision_eula (
    revision_id INTEGER PRIMARY KEY REFERENCES revision (id) ON DELETE CASCADE,
    eula        BLOB NOT NULL CHECK (length(eula) = 16)
) STRICT;

-- Which updates a revision supersedes.
CREATE TABLE supersedence (
    superseded  BLOB NOT NULL CHECK (length(superseded) = 16),
    revision_id INTEGER NOT NULL REFERENCES revision (id) ON DELETE CASCADE,
    PRIMARY KEY (superseded, revision_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX supersedence_of_revision ON supersedence (revision_id);

-- 1 once `supersedence` has the rows of revisions that were here before the table was.
INSERT INTO counter (name, value) VALUES ('supersedence', 0);
