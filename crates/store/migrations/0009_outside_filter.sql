-- Updates that an upstream gave though neither their product nor their classification was asked for, as far as
-- their own document says. What is a prerequisite or member of others belongs to those, which shows when the list
-- is read.
CREATE TABLE outside_filter (
    update_id BLOB PRIMARY KEY CHECK (length(update_id) = 16),
    run       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE sync_run ADD COLUMN strays INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sync_run ADD COLUMN warning TEXT;
