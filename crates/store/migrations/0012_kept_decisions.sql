-- When somebody here decided that an approval or a decline is gone; NULL when the decisions of another mode or server
-- took its place and clients only have to be told.
ALTER TABLE withdrawn ADD COLUMN decided_at INTEGER;
ALTER TABLE restored ADD COLUMN decided_at INTEGER;
UPDATE withdrawn SET decided_at = changed_at;
UPDATE restored SET decided_at = changed_at;

-- The decisions of the mode this server is not in are kept with their times, and with the newest revision of then, so
-- that later ones can be judged on the way back. NULL in rows of earlier versions.
ALTER TABLE aside_approval ADD COLUMN changed_at INTEGER;
ALTER TABLE aside_approval ADD COLUMN newest INTEGER;
ALTER TABLE aside_decline ADD COLUMN changed_at INTEGER;
CREATE TABLE aside_held (
    mode       TEXT NOT NULL,
    update_id  BLOB NOT NULL CHECK (length(update_id) = 16),
    serving    INTEGER NOT NULL,
    eula       BLOB CHECK (length(eula) = 16),
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (mode, update_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE aside_withdrawn (
    mode       TEXT NOT NULL,
    update_id  BLOB NOT NULL CHECK (length(update_id) = 16),
    group_id   BLOB NOT NULL CHECK (length(group_id) = 16),
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (mode, update_id, group_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE aside_restored (
    mode       TEXT NOT NULL,
    update_id  BLOB NOT NULL CHECK (length(update_id) = 16),
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (mode, update_id)
) STRICT, WITHOUT ROWID;

-- The revision that a deployment of the upstream is for. All are asked for anew, so that each has it.
ALTER TABLE upstream_deployment ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
DELETE FROM sync_state WHERE name = 'deployments-anchor';
