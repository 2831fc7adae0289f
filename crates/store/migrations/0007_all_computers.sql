-- The id of All Computers becomes the one that every WSUS server has (MS-WSUSSS 3.1.4.10, example); before, the
-- group had another here, under which no replica of another make knew it. Its table names the id in a rule, so the
-- table is made again; what names the group follows.

PRAGMA defer_foreign_keys = ON;

CREATE TEMP TABLE kept_group AS SELECT id, name, name_key, parent FROM target_group;
UPDATE kept_group SET id = x'a0a087464dbe4a379adf9e7652c0b421' WHERE id = x'a0a087464dbe4a379adf9e7b652029e7';
UPDATE kept_group SET parent = x'a0a087464dbe4a379adf9e7652c0b421'
    WHERE parent = x'a0a087464dbe4a379adf9e7b652029e7';

DROP TABLE target_group;
-- The two built-in groups have the ids of every WSUS server (terms::GroupId). All Computers is the root.
CREATE TABLE target_group (
    id       BLOB PRIMARY KEY CHECK (length(id) = 16),
    name     TEXT NOT NULL CHECK (name <> ''),
    name_key TEXT NOT NULL UNIQUE,
    parent   BLOB REFERENCES target_group (id),
    CHECK ((parent IS NULL) = (id = x'a0a087464dbe4a379adf9e7652c0b421')),
    CHECK (parent IS NULL OR parent <> id)
) STRICT, WITHOUT ROWID;
INSERT INTO target_group (id, name, name_key, parent) SELECT id, name, name_key, parent FROM kept_group;
DROP TABLE kept_group;

UPDATE approval SET group_id = x'a0a087464dbe4a379adf9e7652c0b421'
    WHERE group_id = x'a0a087464dbe4a379adf9e7b652029e7';
UPDATE withdrawn SET group_id = x'a0a087464dbe4a379adf9e7652c0b421'
    WHERE group_id = x'a0a087464dbe4a379adf9e7b652029e7';
UPDATE membership SET group_id = x'a0a087464dbe4a379adf9e7652c0b421'
    WHERE group_id = x'a0a087464dbe4a379adf9e7b652029e7';
UPDATE approval_rule_choice SET choice = x'a0a087464dbe4a379adf9e7652c0b421'
    WHERE part = 'group' AND choice = x'a0a087464dbe4a379adf9e7b652029e7';
UPDATE upstream_deployment SET group_id = x'a0a087464dbe4a379adf9e7652c0b421'
    WHERE group_id = x'a0a087464dbe4a379adf9e7b652029e7';
UPDATE aside_group SET id = x'a0a087464dbe4a379adf9e7652c0b421' WHERE id = x'a0a087464dbe4a379adf9e7b652029e7';
UPDATE aside_group SET parent = x'a0a087464dbe4a379adf9e7652c0b421'
    WHERE parent = x'a0a087464dbe4a379adf9e7b652029e7';
UPDATE aside_approval SET group_id = x'a0a087464dbe4a379adf9e7652c0b421'
    WHERE group_id = x'a0a087464dbe4a379adf9e7b652029e7';
UPDATE aside_membership SET group_id = x'a0a087464dbe4a379adf9e7652c0b421'
    WHERE group_id = x'a0a087464dbe4a379adf9e7b652029e7';
