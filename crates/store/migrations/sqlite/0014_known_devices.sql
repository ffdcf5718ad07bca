-- Browsers in which a person signed in: guesses from elsewhere do not slow these down. Of each the hash of its token.

CREATE TABLE known_device (
    user INTEGER NOT NULL,
    token_hash BLOB NOT NULL,
    seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (user, token_hash)
) STRICT, WITHOUT ROWID;
