-- Privacy: how long things are kept, who was erased as counted tombstones, and whom no record may bring back.

CREATE TABLE retention (
    workspace INTEGER PRIMARY KEY,
    -- In days; null: for ever.
    payload_days INTEGER,
    attempt_days INTEGER,
    file_days INTEGER,
    -- Payloads, and values, of attempts up to these numbers are not kept any more.
    payloads_until INTEGER NOT NULL DEFAULT 0,
    attempts_until INTEGER NOT NULL DEFAULT 0,
    -- Attempts from before these times were past their retention when the log was last swept.
    payloads_before INTEGER,
    attempts_before INTEGER,
    payloads_dropped INTEGER NOT NULL DEFAULT 0,
    attempts_dropped INTEGER NOT NULL DEFAULT 0,
    files_dropped INTEGER NOT NULL DEFAULT 0
) STRICT;

-- When the file of an import was deleted.
ALTER TABLE import ADD COLUMN file_dropped_at INTEGER;

-- Identifiers of people who were erased, as HMAC-SHA256 under a random key of the workspace.
CREATE TABLE erased_key (
    workspace INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    -- Another one whenever the identifiers change, so that nobody goes by old ones.
    token BLOB NOT NULL
) STRICT;

CREATE TABLE erased_identifier (
    workspace INTEGER NOT NULL,
    hash BLOB NOT NULL,
    erasure INTEGER NOT NULL,
    PRIMARY KEY (workspace, hash)
) STRICT, WITHOUT ROWID;

CREATE INDEX erased_identifier_of_erasure ON erased_identifier (workspace, erasure);

CREATE TABLE erasure (
    workspace INTEGER NOT NULL,
    number INTEGER NOT NULL,
    contact INTEGER NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    -- What to look for: JSON of the engine, until everything was found.
    traces TEXT,
    identifiers INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    files_rewritten INTEGER NOT NULL DEFAULT 0,
    files_deleted INTEGER NOT NULL DEFAULT 0,
    others INTEGER NOT NULL DEFAULT 0,
    finished_at INTEGER,
    -- Since when records may bring the person back.
    lifted_at INTEGER,
    lifted_by TEXT,
    lease_until INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX erasure_of_contact ON erasure (workspace, contact);
CREATE INDEX erasure_running ON erasure (state) WHERE state = 'running';

-- Replacing a row would delete it past the trigger that keeps rows.
CREATE TRIGGER audit_keeps_numbers
BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE workspace = NEW.workspace AND number = NEW.number)
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;
