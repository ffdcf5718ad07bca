-- The way from an attempt to those that repeat it; the way back is in the attempt.

CREATE TABLE replay (
    workspace INTEGER NOT NULL,
    of_number INTEGER NOT NULL,
    number INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, of_number, number)
) STRICT, WITHOUT ROWID;
