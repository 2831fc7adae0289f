-- Since when a revision that the upstream lists could not be used. Of those that are there already it is known when they
-- were last asked for: a day before the time of the next attempt.
ALTER TABLE sync_failed ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
UPDATE sync_failed SET since = again_at - 864000000000;
