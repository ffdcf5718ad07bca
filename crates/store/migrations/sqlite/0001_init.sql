-- Numbers of contacts, attempts, sources and keys count up within a workspace. Times are milliseconds since 1970 in UTC.

-- One row: what must be the same for every process that opens this file.
CREATE TABLE installation (
    -- Makes the hashes of identifiers different in every file.
    hash_seed INTEGER NOT NULL DEFAULT (random())
) STRICT;

INSERT INTO installation DEFAULT VALUES;

CREATE TABLE workspace (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    settings TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- The highest number ever given to a contact, and how many contacts there are.
    last_contact INTEGER NOT NULL DEFAULT 0,
    contacts INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE field (
    workspace INTEGER NOT NULL,
    id INTEGER NOT NULL,
    key TEXT NOT NULL,
    label TEXT NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (workspace, id),
    UNIQUE (workspace, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE source (
    workspace INTEGER NOT NULL,
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    mode TEXT NOT NULL,
    namespace TEXT NOT NULL,
    region TEXT,
    mapping TEXT,
    paused INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    last_received_at INTEGER,
    success INTEGER NOT NULL DEFAULT 0,
    warning INTEGER NOT NULL DEFAULT 0,
    failure INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, id),
    UNIQUE (workspace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key (
    workspace INTEGER NOT NULL,
    id INTEGER NOT NULL,
    source INTEGER,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at INTEGER,
    PRIMARY KEY (workspace, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE user (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace INTEGER NOT NULL,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX user_workspace ON user (workspace, email);

CREATE TABLE session (
    token_hash BLOB PRIMARY KEY,
    user INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX session_user ON session (user);
CREATE INDEX session_expiry ON session (expires_at);

-- The id is workspace << 40 | number, so that a workspace's contacts lie together and new ones are appended.
CREATE TABLE contact (
    id INTEGER PRIMARY KEY,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;

-- Derived from the contacts: which of them may own an identifier with this hash of (workspace, kind, key).
CREATE TABLE identifier (
    hash INTEGER NOT NULL,
    contact INTEGER NOT NULL,
    PRIMARY KEY (hash, contact)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    workspace INTEGER NOT NULL,
    source INTEGER NOT NULL,
    key TEXT NOT NULL,
    body_hash BLOB NOT NULL,
    attempt BLOB NOT NULL,
    PRIMARY KEY (workspace, source, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE import (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace INTEGER NOT NULL,
    id BLOB NOT NULL,
    source INTEGER NOT NULL,
    file_name TEXT NOT NULL,
    file_size INTEGER NOT NULL,
    file_hash BLOB NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    state TEXT NOT NULL,
    error TEXT,
    options TEXT,
    expected_records INTEGER,
    -- The cursor and the totals. The cursor is the number of records.
    records INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL DEFAULT 0,
    updated INTEGER NOT NULL DEFAULT 0,
    unchanged INTEGER NOT NULL DEFAULT 0,
    warnings INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    without_identifier INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    -- The latest lease; it counts while the import is running.
    lease INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER NOT NULL DEFAULT 0,
    lease_millis INTEGER NOT NULL DEFAULT 0,
    UNIQUE (workspace, id)
) STRICT;

CREATE INDEX import_of_workspace ON import (workspace, no);
CREATE INDEX import_of_file ON import (workspace, file_hash);
CREATE INDEX import_waiting ON import (state) WHERE state IN ('queued', 'running');
