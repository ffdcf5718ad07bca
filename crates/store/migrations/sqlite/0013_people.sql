-- How people come in: invitations, links that are used once, and second factors. Of every link the hash of its token.

CREATE TABLE invitation (
    token_hash BLOB PRIMARY KEY,
    workspace INTEGER NOT NULL,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    invited_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX invitation_of_person ON invitation (workspace, email);

-- What lets a person go on with something they began, once: a new password, or a sign-in that needs a second factor.
CREATE TABLE ticket (
    token_hash BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    user INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ticket_of_user ON ticket (user);

CREATE TABLE second_factor (
    user INTEGER PRIMARY KEY,
    secret BLOB NOT NULL,
    -- The latest time step whose code was used: a code opens once.
    last_step INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE recovery_code (
    user INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (user, hash)
) STRICT, WITHOUT ROWID;
