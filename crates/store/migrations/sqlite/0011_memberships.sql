-- A person can belong to many workspaces, with a role in each, and works in one of them at a time.

CREATE TABLE membership (
    workspace INTEGER NOT NULL,
    user INTEGER NOT NULL,
    role TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, user)
) STRICT, WITHOUT ROWID;

CREATE INDEX membership_of_user ON membership (user, workspace);

INSERT INTO membership (workspace, user, role, created_at)
SELECT workspace, id, role, created_at
FROM user;

DROP INDEX user_workspace;

-- Where they worked last: there they go when they sign in again.
ALTER TABLE user RENAME COLUMN workspace TO last_workspace;
ALTER TABLE user DROP COLUMN role;

DELETE FROM session WHERE user NOT IN (SELECT id FROM user);

ALTER TABLE session ADD COLUMN workspace INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;
-- Where it comes from, for the person to recognise it: an IP address, and what the browser says of itself.
ALTER TABLE session ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN device TEXT NOT NULL DEFAULT '';

UPDATE session
SET workspace = (SELECT last_workspace FROM user WHERE user.id = session.user);
