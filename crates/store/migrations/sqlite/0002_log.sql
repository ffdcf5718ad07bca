-- The Contact Import Log. The module documentation of src/sqlite/log.rs explains it on one page.

-- Attempts waiting to fill a block; always newer than every block of their workspace.
CREATE TABLE log_tail (
    workspace   INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    outcome     INTEGER NOT NULL,
    data        BLOB    NOT NULL,
    PRIMARY KEY (workspace, number)
) STRICT, WITHOUT ROWID;

-- Headers of blocks: where they lie, what they count, and what they cannot contain.
CREATE TABLE log_block (
    workspace      INTEGER NOT NULL,
    last_no        INTEGER NOT NULL,
    first_no       INTEGER NOT NULL,
    n              INTEGER NOT NULL,
    min_at         INTEGER NOT NULL,
    max_at         INTEGER NOT NULL,
    success        INTEGER NOT NULL,
    warning        INTEGER NOT NULL,
    failure        INTEGER NOT NULL,
    -- The same counts of all blocks before this one, so that any range is a difference of two rows.
    success_before INTEGER NOT NULL,
    warning_before INTEGER NOT NULL,
    failure_before INTEGER NOT NULL,
    -- A bit for each combination of result, action and matched on that occurs.
    outcomes       INTEGER NOT NULL,
    min_source     INTEGER NOT NULL,
    max_source     INTEGER NOT NULL,
    -- 0 for an attempt without an import or contact.
    min_import     INTEGER NOT NULL,
    max_import     INTEGER NOT NULL,
    min_contact    INTEGER NOT NULL,
    max_contact    INTEGER NOT NULL,
    data           INTEGER NOT NULL,
    PRIMARY KEY (workspace, last_no)
) STRICT, WITHOUT ROWID;

CREATE INDEX log_block_time ON log_block (workspace, max_at, last_no);

-- The contents of blocks, in the order in which queries need them: a reader walks over what stands before.
CREATE TABLE log_data (
    id      INTEGER PRIMARY KEY,
    meta    BLOB NOT NULL,
    grams   BLOB NOT NULL,
    keys    BLOB NOT NULL,
    detail  BLOB NOT NULL,
    payload BLOB NOT NULL
) STRICT;

-- Which contacts may occur in a block, by log_block.data. Apart, so that one contact's history reads little else.
CREATE TABLE log_contacts (
    id   INTEGER PRIMARY KEY,
    bits BLOB NOT NULL
) STRICT;
