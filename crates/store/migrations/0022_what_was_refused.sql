-- For which groups somebody had said that an update is not approved, beside its decline in removed_decline: both come
-- back together.
CREATE TABLE removed_denial (
    update_id  BLOB NOT NULL CHECK (length(update_id) = 16),
    group_id   BLOB NOT NULL CHECK (length(group_id) = 16),
    admin      TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (update_id, group_id)
) STRICT, WITHOUT ROWID;

-- Declines from before 0019 once more: what each of them is, the entry says that was written with it, at its time. An
-- administrator is written down too for what expired, or a filter named, as they imported it, and for the cleanup they
-- began; that they decided none of it shows by its time. Of what was carried here the time is another server's, and
-- nothing is known better.
CREATE TEMP TABLE decline_entry AS
SELECT a.update_id, a.at, a.seq,
       a.kind <> 'administrator' OR a.at IN (SELECT i.at FROM audit i WHERE i.action = 'import')
           OR a.at IN (SELECT started FROM cleanup_run) AS automatic
FROM audit a WHERE a.action = 'decline' AND a.update_id IS NOT NULL;
CREATE INDEX temp.decline_entry_of_update ON decline_entry (update_id, at, seq);
UPDATE decline SET automatic = coalesce(
    (SELECT e.automatic FROM decline_entry e WHERE e.update_id = decline.update_id AND e.at = decline.changed_at
     ORDER BY e.seq DESC LIMIT 1), automatic)
WHERE decided_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM upstream_setting WHERE name = 'mode' AND value = 'replica');
UPDATE aside_decline SET automatic = coalesce(
    (SELECT e.automatic FROM decline_entry e
     WHERE e.update_id = aside_decline.update_id AND e.at = aside_decline.changed_at
     ORDER BY e.seq DESC LIMIT 1), automatic)
WHERE decided_at IS NULL AND mode = 'autonomous';
DROP TABLE decline_entry;
