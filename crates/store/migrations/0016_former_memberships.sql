-- Which computers were in groups that the upstream of a replica took away, and since when: they are put back when a
-- group of that id or name is there again.
CREATE TABLE former_membership (
    group_id BLOB NOT NULL CHECK (length(group_id) = 16),
    name_key TEXT NOT NULL,
    computer INTEGER NOT NULL REFERENCES computer (id) ON DELETE CASCADE,
    lost_at  INTEGER NOT NULL,
    PRIMARY KEY (group_id, computer)
) STRICT, WITHOUT ROWID;
CREATE INDEX former_membership_of_computer ON former_membership (computer);
