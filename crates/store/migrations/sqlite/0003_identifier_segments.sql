-- The index of identifiers as it grew. The module documentation of src/sqlite/identifiers.rs explains it.

DROP TABLE identifier;

CREATE TABLE identifier_segment (
    -- Which transactions wrote it: the numbers of all segments follow each other without a gap.
    last_seq INTEGER PRIMARY KEY,
    first_seq INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    -- The chain's digests after each of these transactions, eight bytes each; the last ones if not all are known.
    digests BLOB NOT NULL,
    data BLOB NOT NULL
) STRICT;

-- Where the segments end.
ALTER TABLE installation ADD COLUMN identifier_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE installation ADD COLUMN identifier_digest INTEGER NOT NULL DEFAULT 0;

-- -1: there are contacts and no segments yet; the first who needs them makes them.
UPDATE installation
SET identifier_seq = -1
WHERE EXISTS (SELECT 1 FROM contact);
