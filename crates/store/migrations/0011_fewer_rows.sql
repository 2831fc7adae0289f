-- Fewer rows for each revision -----------------------------------------------------------------------

-- The ids of the categories a revision is listed in, one behind the other, sorted. Nobody asks for them from the
-- category's side: lists are answered from memory.
ALTER TABLE listing ADD COLUMN categories BLOB NOT NULL DEFAULT x'';
UPDATE listing SET categories = coalesce(
    (SELECT unhex(group_concat(hex(category), '')) FROM
        (SELECT category FROM listing_category WHERE revision_id = listing.revision_id ORDER BY category)), x'');
DROP TABLE listing_category;

-- 1 when its update had no revision as it came: then none with a lower number has been here longer.
ALTER TABLE listing ADD COLUMN first INTEGER NOT NULL DEFAULT 0 CHECK (first IN (0, 1));

-- A revision's record says what it supersedes, so that its rows are found without an index of revisions.
ALTER TABLE supersedence RENAME TO supersedence_before;
CREATE TABLE supersedence (
    superseded  BLOB NOT NULL CHECK (length(superseded) = 16),
    revision_id INTEGER NOT NULL,
    PRIMARY KEY (superseded, revision_id)
) STRICT, WITHOUT ROWID;
INSERT INTO supersedence SELECT superseded, revision_id FROM supersedence_before ORDER BY superseded, revision_id;
DROP TABLE supersedence_before;

-- Digests come in no order. With the rows in the order of arrival, an import writes only the short entries of the
-- index all over the place.
CREATE TABLE file_in_order (
    sha1      BLOB NOT NULL PRIMARY KEY CHECK (length(sha1) = 20),
    size      INTEGER NOT NULL CHECK (size >= 0),
    sha256    BLOB CHECK (length(sha256) = 32),
    name      TEXT NOT NULL,
    express   INTEGER NOT NULL DEFAULT 0 CHECK (express IN (0, 1)),
    languages TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO file_in_order (sha1, size, sha256, name, express, languages)
    SELECT sha1, size, sha256, name, express, languages FROM file;
DROP TABLE file;
ALTER TABLE file_in_order RENAME TO file;
