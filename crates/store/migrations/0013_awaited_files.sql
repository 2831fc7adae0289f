-- Files that the upstream did not have when it was last asked: since when, and how many runs found that.
CREATE TABLE awaited_file (
    sha1  BLOB PRIMARY KEY CHECK (length(sha1) = 20),
    asked INTEGER NOT NULL,
    runs  INTEGER NOT NULL CHECK (runs > 0)
) STRICT, WITHOUT ROWID;
