-- Imports that are no files: replays of attempts, and undos of imports; and what an import goes back to.

ALTER TABLE import ADD COLUMN kind TEXT NOT NULL DEFAULT 'file';

-- The import that this one continues, replays or undoes.
ALTER TABLE import ADD COLUMN parent BLOB;

CREATE INDEX import_of_parent ON import (workspace, parent) WHERE parent IS NOT NULL;
