-- Mail: what waits to be sent and what became of it, one row a recipient; what is told to whom; what was told of a source.

CREATE TABLE outbox (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace INTEGER NOT NULL,
    -- Random; the Message-ID is made of it, so that a mail that is sent twice is known to be the same.
    id BLOB NOT NULL,
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- JSON that only the app understands: what the mail tells of, and the mail itself if it cannot be made again.
    about TEXT NOT NULL,
    content TEXT,
    created_at INTEGER NOT NULL,
    -- Since when it is tried: when it was made, or when a person said "Send again".
    since INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL,
    last_error TEXT,
    sent_at INTEGER,
    -- The latest lease; it counts while the mail is being sent.
    lease INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER NOT NULL DEFAULT 0,
    UNIQUE (workspace, id)
) STRICT;

CREATE INDEX outbox_of_workspace ON outbox (workspace, no);
CREATE INDEX outbox_waiting ON outbox (next_at) WHERE state = 'queued';
CREATE INDEX outbox_leased ON outbox (lease_until) WHERE state = 'sending';

CREATE TABLE notification (
    workspace INTEGER PRIMARY KEY,
    settings TEXT NOT NULL
) STRICT;

-- What was told of a source already: JSON that only the app understands.
CREATE TABLE watch (
    workspace INTEGER NOT NULL,
    source INTEGER NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (workspace, source)
) STRICT, WITHOUT ROWID;
