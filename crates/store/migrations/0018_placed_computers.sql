-- The computers that somebody placed since this server came into its present mode: a change of modes takes them along
-- to the same groups of the other mode, and has all others where that mode had them.
CREATE TABLE placed_computer (
    computer INTEGER PRIMARY KEY REFERENCES computer (id) ON DELETE CASCADE
) STRICT;
