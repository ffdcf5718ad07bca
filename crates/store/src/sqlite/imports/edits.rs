//! What people change about the rows of a file before it is imported.

use rusqlite::{Connection, Transaction};

use super::{find, get, number};
use crate::imports::{Import, ImportId, ImportState, MAX_EDITED_ROWS};
use crate::sqlite::{counted, stored};
use crate::{StoreError, WorkspaceId};

/// Sets the edits of some rows, unless somebody else set some since `known`.
pub(super) fn set(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: ImportId,
    known: u64,
    rows: &[(u64, Option<String>)],
) -> Result<Option<Import>, StoreError> {
    let import = editable(tx, workspace, id)?;
    if import.edits != known {
        return Ok(None);
    }
    let no = number(tx, workspace, id)?;
    {
        let mut set = tx.prepare_cached(
            "INSERT OR REPLACE INTO import_edit (workspace, import, row, edit)
             VALUES (?1, ?2, ?3, ?4)",
        )?;
        let mut take_away = tx.prepare_cached(
            "DELETE FROM import_edit
             WHERE workspace = ?1 AND import = ?2 AND row = ?3",
        )?;
        for (row, edit) in rows {
            match edit {
                Some(edit) => set.execute((workspace.0, no, stored(*row), edit))?,
                None => take_away.execute((workspace.0, no, stored(*row)))?,
            };
        }
    }
    let edited: i64 = tx
        .prepare_cached("SELECT count(*) FROM import_edit WHERE workspace = ?1 AND import = ?2")?
        .query_row((workspace.0, no), |row| row.get(0))?;
    if counted(edited) > MAX_EDITED_ROWS {
        return Err(StoreError::Conflict(format!(
            "more than {MAX_EDITED_ROWS} rows would be edited; correct the file itself and upload it again"
        )));
    }
    count_up(tx, no)?;
    find(tx, workspace, id)
}

/// Takes all edits away.
pub(super) fn undo(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: ImportId,
) -> Result<u64, StoreError> {
    editable(tx, workspace, id)?;
    let no = number(tx, workspace, id)?;
    let undone = tx
        .prepare_cached("DELETE FROM import_edit WHERE workspace = ?1 AND import = ?2")?
        .execute((workspace.0, no))?;
    count_up(tx, no)?;
    Ok(undone as u64)
}

/// The edits of a range of rows.
pub(super) fn list(
    connection: &Connection,
    workspace: WorkspaceId,
    id: ImportId,
    first: u64,
    last: u64,
) -> Result<Vec<(u64, String)>, StoreError> {
    let no = number(connection, workspace, id)?;
    let last = last.min(i64::MAX.cast_unsigned());
    let mut statement = connection.prepare_cached(
        "SELECT row, edit
         FROM import_edit
         WHERE workspace = ?1 AND import = ?2 AND row BETWEEN ?3 AND ?4
         ORDER BY row",
    )?;
    let rows = statement.query_map((workspace.0, no, stored(first), stored(last)), |row| {
        Ok((counted(row.get(0)?), row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The import, if its rows may still be edited.
fn editable(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: ImportId,
) -> Result<Import, StoreError> {
    let import = get(tx, workspace, id)?;
    if import.state == ImportState::Uploaded {
        return Ok(import);
    }
    Err(StoreError::Conflict(format!(
        "the import is {} already, so its rows cannot be edited; upload the file again",
        import.state.key()
    )))
}

fn count_up(tx: &Transaction<'_>, no: u32) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE import SET edits = edits + 1 WHERE no = ?1")?
        .execute([no])?;
    Ok(())
}
