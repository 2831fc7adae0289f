-- When the upstream of a replica decided what it deploys; not known of what was taken over before.
ALTER TABLE upstream_deployment ADD COLUMN decided INTEGER;

-- When a decline was decided, beside what is decided elsewhere (not written before: when it came about), and whether
-- nobody decided so.
ALTER TABLE decline ADD COLUMN decided_at INTEGER;
ALTER TABLE decline ADD COLUMN automatic INTEGER NOT NULL DEFAULT 0;
-- What an upstream or the server itself is written down for was none: it expired as it came, or a filter or cleanup did it.
-- A replica has its upstream's.
UPDATE decline SET automatic = 1
WHERE NOT EXISTS (SELECT 1 FROM upstream_setting WHERE name = 'mode' AND value = 'replica')
  AND (SELECT a.kind FROM audit a WHERE a.update_id = decline.update_id AND a.action = 'decline'
       ORDER BY a.seq DESC LIMIT 1) <> 'administrator';
ALTER TABLE aside_decline ADD COLUMN decided_at INTEGER;
ALTER TABLE aside_decline ADD COLUMN automatic INTEGER NOT NULL DEFAULT 0;

-- What somebody had declined when cleanup removed it, and when that was decided: should it come again, it is declined.
CREATE TABLE removed_decline (
    update_id BLOB PRIMARY KEY CHECK (length(update_id) = 16),
    decided_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
