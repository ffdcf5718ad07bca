-- A stand-in: one row an attempt.
CREATE TABLE attempt (
    workspace INTEGER NOT NULL,
    number INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    import INTEGER,
    data TEXT NOT NULL,
    content_type TEXT NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (workspace, number)
) STRICT, WITHOUT ROWID;
