-- For which groups somebody had said that an update is not approved, beside its decline in removed_decline: both come
-- back together.
CREATE TABLE removed_denial (
    update_id  BLOB NOT NULL CHECK (length(update_id) = 16),
    group_id   BLOB NOT NULL CHECK (length(group_id) = 16),
    admin      TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (update_id, group_id)
) STRICT, WITHOUT ROWID;
