-- What waits for others -------------------------------------------------------------------------------

-- The decisions of its upstream that a replica could not take over in a run, since it does not have their update or
-- group: how many, and which the first are, a sentence in each line.
ALTER TABLE sync_run ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sync_run ADD COLUMN waiting_which TEXT NOT NULL DEFAULT '';

-- Which downstream servers asked for a file of wanted_file. Nobody is known for files that earlier versions were asked for.
CREATE TABLE wanted_by (
    server_id BLOB NOT NULL CHECK (length(server_id) = 16),
    sha1      BLOB NOT NULL CHECK (length(sha1) = 20),
    PRIMARY KEY (server_id, sha1)
) STRICT, WITHOUT ROWID;
CREATE INDEX wanted_by_file ON wanted_by (sha1);
