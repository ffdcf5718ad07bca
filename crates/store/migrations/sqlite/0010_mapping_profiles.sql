-- Mappings that are kept for the next file: with a name, and by the columns that they were last used for.

CREATE TABLE mapping_profile (
    workspace INTEGER NOT NULL,
    name TEXT NOT NULL,
    header BLOB NOT NULL,
    options TEXT NOT NULL,
    saved_by TEXT NOT NULL,
    saved_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE remembered_mapping (
    workspace INTEGER NOT NULL,
    source INTEGER NOT NULL,
    header BLOB NOT NULL,
    import BLOB NOT NULL,
    options TEXT NOT NULL,
    file_name TEXT NOT NULL,
    used_by TEXT NOT NULL,
    used_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, source, header)
) STRICT, WITHOUT ROWID;
