-- What a review said of the rows of an import, until it has run; and the rows of which something else became.

ALTER TABLE import ADD COLUMN drifted INTEGER NOT NULL DEFAULT 0;

-- `import` is import.no. `verdicts` is for some thousand rows from `first_row` on; only the app understands it.
CREATE TABLE import_reviewed (
    workspace INTEGER NOT NULL,
    import INTEGER NOT NULL,
    first_row INTEGER NOT NULL,
    verdicts BLOB NOT NULL,
    PRIMARY KEY (workspace, import, first_row)
) STRICT;

-- The first of them.
CREATE TABLE import_drift (
    workspace INTEGER NOT NULL,
    import INTEGER NOT NULL,
    row INTEGER NOT NULL,
    -- What the review said: a verdict, and the contact that was there already.
    verdict TEXT NOT NULL,
    contact INTEGER,
    -- The attempt's number and time.
    attempt INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, import, row)
) STRICT, WITHOUT ROWID;
