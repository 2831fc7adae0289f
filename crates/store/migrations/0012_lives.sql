-- The lives of this server: each start takes a mark at random and notes the newest change that was there. A copy that
-- is restored does not have the marks that were taken after it was made.
CREATE TABLE life (
    number INTEGER PRIMARY KEY,
    mark   INTEGER NOT NULL UNIQUE CHECK (mark BETWEEN 1 AND 8388607),
    since  INTEGER NOT NULL CHECK (since >= 0)
) STRICT;
