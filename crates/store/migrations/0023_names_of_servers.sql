-- The names that a server which synchronizes from here gave itself lately. Two that take turns are two servers with one
-- id, as after a machine or a data folder was copied.
CREATE TABLE downstream_name (
    server_id BLOB NOT NULL REFERENCES downstream_server (server_id) ON DELETE CASCADE,
    name      TEXT NOT NULL COLLATE NOCASE,
    -- When it last had this name, and how often it came back to it.
    seen      INTEGER NOT NULL,
    returned  INTEGER NOT NULL DEFAULT 0 CHECK (returned >= 0),
    PRIMARY KEY (server_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX downstream_name_by_name ON downstream_name (name);
