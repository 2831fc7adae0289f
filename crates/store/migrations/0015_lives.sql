-- The lives of this server: each start takes a mark at random and notes the newest change that was there. A copy that
-- is restored does not have the marks that were taken after it was made.
CREATE TABLE life (
    number INTEGER PRIMARY KEY,
    mark   INTEGER NOT NULL UNIQUE CHECK (mark BETWEEN 1 AND 8388607),
    since  INTEGER NOT NULL CHECK (since >= 0)
) STRICT;

-- What servers below compare with what they were told last (MS-WSUSSS 3.1.4.13, RollupResetGuid): another one makes them
-- tell everything again. Without a row it is this server's id.
CREATE TABLE rollup_reset (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    guid BLOB NOT NULL CHECK (length(guid) = 16)
) STRICT;
