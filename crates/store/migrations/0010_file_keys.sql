-- Keys of encrypted files (MS-WSUSSS 3.1.1, DecryptionKey), as the upstream gave them.
CREATE TABLE file_key (
    sha1 BLOB PRIMARY KEY CHECK (length(sha1) = 20),
    key  BLOB NOT NULL CHECK (length(key) BETWEEN 1 AND 4096)
) STRICT, WITHOUT ROWID;

-- Revisions with encrypted files whose keys the upstream is still to be asked for.
CREATE TABLE wanted_key (
    update_id BLOB NOT NULL CHECK (length(update_id) = 16),
    number    INTEGER NOT NULL,
    PRIMARY KEY (update_id, number)
) STRICT, WITHOUT ROWID;
