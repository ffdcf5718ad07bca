-- Who did what, and when. Rows are only ever added.

CREATE TABLE audit (
    workspace INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    -- Who: an email address, a key, or the command line.
    who TEXT NOT NULL,
    -- What: one of a fixed set of words.
    what TEXT NOT NULL,
    -- About which import, key, person …
    about TEXT NOT NULL,
    -- The IP address it came from, if it came over the network.
    address TEXT NOT NULL,
    PRIMARY KEY (workspace, number)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER audit_keeps_rows
BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER audit_keeps_values
BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;
