-- What updates are found by, besides their texts ---------------------------------------------------

-- Properties/@MsrcSeverity and InstallationBehavior/@RebootBehavior, as written; empty when absent.
ALTER TABLE listing ADD COLUMN severity TEXT NOT NULL DEFAULT '';
ALTER TABLE listing ADD COLUMN reboot TEXT NOT NULL DEFAULT '';

-- 1 once revisions that were here before these columns have them.
INSERT INTO counter (name, value) VALUES ('facets', 0);
