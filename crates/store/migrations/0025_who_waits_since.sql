-- When a downstream server last asked for a file of wanted_file. Of those that are there already it is known when anybody
-- last did.
ALTER TABLE wanted_by ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;
UPDATE wanted_by SET asked = coalesce((SELECT w.asked FROM wanted_file w WHERE w.sha1 = wanted_by.sha1), 0);
