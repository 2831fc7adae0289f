-- When the upstream of a replica decided what it deploys; not known of what was taken over before.
ALTER TABLE upstream_deployment ADD COLUMN decided INTEGER;

-- When a decline was decided, beside what is decided elsewhere (not written before: when it came about), and whether
-- nobody decided so.
ALTER TABLE decline ADD COLUMN decided_at INTEGER;
ALTER TABLE decline ADD COLUMN automatic INTEGER NOT NULL DEFAULT 0;
ALTER TABLE aside_decline ADD COLUMN decided_at INTEGER;
ALTER TABLE aside_decline ADD COLUMN automatic INTEGER NOT NULL DEFAULT 0;

-- What somebody had declined when cleanup removed it, and when that was decided: should it come again, it is declined.
CREATE TABLE removed_decline (
    update_id BLOB PRIMARY KEY CHECK (length(update_id) = 16),
    decided_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
