-- What people change about the rows of a file before it is imported. The file stays as it was uploaded.

-- Counts up with every change, so that whoever read the edits knows when theirs are old.
ALTER TABLE import ADD COLUMN edits INTEGER NOT NULL DEFAULT 0;

-- `import` is import.no. `edit` is JSON that only the app understands.
CREATE TABLE import_edit (
    workspace INTEGER NOT NULL,
    import INTEGER NOT NULL,
    row INTEGER NOT NULL,
    edit TEXT NOT NULL,
    PRIMARY KEY (workspace, import, row)
) STRICT, WITHOUT ROWID;
