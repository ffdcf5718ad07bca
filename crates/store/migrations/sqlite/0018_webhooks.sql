-- Signed webhooks: how what a source's sender delivers is signed. The program seals the secrets.

CREATE TABLE webhook (
    workspace INTEGER NOT NULL,
    source INTEGER NOT NULL,
    -- JSON: the scheme, and what it has to know.
    scheme TEXT NOT NULL,
    secret BLOB NOT NULL,
    secret_at INTEGER NOT NULL,
    -- The secret before, and until when it is valid.
    previous BLOB,
    previous_until INTEGER,
    created_at INTEGER NOT NULL,
    -- The last deliveries, to the minute, and the word for why one was refused.
    accepted_at INTEGER,
    refused_at INTEGER,
    refused_for TEXT,
    PRIMARY KEY (workspace, source)
) STRICT, WITHOUT ROWID;
