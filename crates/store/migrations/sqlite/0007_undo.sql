-- Contacts that an undo removed.
ALTER TABLE import ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;

-- Each batch of an undo looks which attempts are of undos.
CREATE INDEX import_undos ON import (workspace) WHERE kind = 'undo';
