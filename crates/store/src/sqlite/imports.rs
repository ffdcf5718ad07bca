//! Imports: their cursors, counters and leases.

pub(super) mod drift;
mod edits;
mod replaying;

use async_trait::async_trait;
use rollbook_engine::attempt::Totals;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use uuid::Uuid;

use super::{Sqlite, counted, outbox, sources, stored};
use crate::commit::ImportStep;
use crate::imports::{
    Drift, Import, ImportFilter, ImportId, ImportKind, ImportState, Imports, Lease, NewImport,
    Replaying, ReviewedRows,
};
use crate::outbox::NewMail;
use crate::sources::SourceId;
use crate::{StoreError, Timestamp, WorkspaceId};

#[async_trait]
impl Imports for Sqlite {
    async fn create_import(&self, import: NewImport) -> Result<Import, StoreError> {
        self.writer
            .write(move |writing| create(&writing.tx, &import))
            .await
    }

    async fn create_replays(&self, replays: Vec<NewImport>) -> Result<Replaying, StoreError> {
        self.writer
            .write(move |writing| replaying::create(&writing.tx, &replays))
            .await
    }

    async fn import(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
    ) -> Result<Option<Import>, StoreError> {
        self.readers
            .read(move |connection| find(connection, workspace, id))
            .await
    }

    async fn imports(
        &self,
        workspace: WorkspaceId,
        before: Option<ImportId>,
        limit: u16,
    ) -> Result<Vec<Import>, StoreError> {
        self.imports_like(workspace, ImportFilter::default(), before, limit)
            .await
    }

    async fn imports_like(
        &self,
        workspace: WorkspaceId,
        filter: ImportFilter,
        before: Option<ImportId>,
        limit: u16,
    ) -> Result<Vec<Import>, StoreError> {
        self.readers
            .read(move |connection| list(connection, workspace, &filter, before, limit))
            .await
    }

    async fn import_creators(&self, workspace: WorkspaceId) -> Result<Vec<String>, StoreError> {
        self.readers
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT DISTINCT created_by
                     FROM import
                     WHERE workspace = ?1
                     ORDER BY created_by",
                )?;
                let rows = statement.query_map([workspace.0], |row| row.get(0))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn imports_of_file(
        &self,
        workspace: WorkspaceId,
        hash: [u8; 32],
    ) -> Result<Vec<Import>, StoreError> {
        self.readers
            .read(move |connection| {
                let sql = select(
                    "WHERE workspace = ?1 AND file_hash = ?2
                     ORDER BY no DESC",
                );
                let mut statement = connection.prepare_cached(&sql)?;
                let rows = statement.query_map((workspace.0, hash), read)?;
                rows.map(|row| row?).collect()
            })
            .await
    }

    async fn imports_of_parent(
        &self,
        workspace: WorkspaceId,
        parent: ImportId,
    ) -> Result<Vec<Import>, StoreError> {
        self.readers
            .read(move |connection| {
                let sql = select(
                    "WHERE workspace = ?1 AND parent = ?2
                     ORDER BY no DESC",
                );
                let mut statement = connection.prepare_cached(&sql)?;
                let rows = statement.query_map((workspace.0, parent.0.as_bytes()), read)?;
                rows.map(|row| row?).collect()
            })
            .await
    }

    async fn set_import_options(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        options: String,
        queue: bool,
    ) -> Result<Import, StoreError> {
        self.writer
            .write(move |writing| {
                set_options(&writing.tx, workspace, id, &options, queue)?;
                get(&writing.tx, workspace, id)
            })
            .await
    }

    async fn queue_reviewed(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        options: String,
        edits: u64,
        reviewed: Vec<ReviewedRows>,
    ) -> Result<Option<Import>, StoreError> {
        self.writer
            .write(move |writing| {
                drift::queue(&writing.tx, workspace, id, &options, edits, &reviewed)
            })
            .await
    }

    async fn reviewed_rows(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        row: u64,
    ) -> Result<Option<ReviewedRows>, StoreError> {
        self.readers
            .read(move |connection| drift::reviewed(connection, workspace, id, row))
            .await
    }

    async fn drifted_rows(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
    ) -> Result<Vec<Drift>, StoreError> {
        self.readers
            .read(move |connection| drift::list(connection, workspace, id))
            .await
    }

    async fn set_import_parent(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        parent: ImportId,
    ) -> Result<Import, StoreError> {
        self.writer
            .write(move |writing| {
                let import = get(&writing.tx, workspace, id)?;
                get(&writing.tx, workspace, parent)?;
                if import.state != ImportState::Uploaded || parent == id {
                    return Err(StoreError::Conflict(format!(
                        "the import is {} already, what it continues cannot be changed; upload the file again",
                        import.state.key()
                    )));
                }
                writing
                    .tx
                    .prepare_cached(
                        "UPDATE import
                         SET parent = ?3
                         WHERE workspace = ?1 AND id = ?2",
                    )?
                    .execute((workspace.0, id.0.as_bytes(), parent.0.as_bytes()))?;
                get(&writing.tx, workspace, id)
            })
            .await
    }

    async fn edit_rows(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        known: u64,
        rows: Vec<(u64, Option<String>)>,
    ) -> Result<Option<Import>, StoreError> {
        self.writer
            .write(move |writing| edits::set(&writing.tx, workspace, id, known, &rows))
            .await
    }

    async fn undo_edits(&self, workspace: WorkspaceId, id: ImportId) -> Result<u64, StoreError> {
        self.writer
            .write(move |writing| edits::undo(&writing.tx, workspace, id))
            .await
    }

    async fn edited_rows(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        first: u64,
        last: u64,
    ) -> Result<Vec<(u64, String)>, StoreError> {
        self.readers
            .read(move |connection| edits::list(connection, workspace, id, first, last))
            .await
    }

    async fn set_import_source(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        source: SourceId,
    ) -> Result<Import, StoreError> {
        self.writer
            .write(move |writing| {
                let import = get(&writing.tx, workspace, id)?;
                if import.state != ImportState::Uploaded {
                    return Err(StoreError::Conflict(format!(
                        "the import is {} already, its source cannot be changed; upload the file again",
                        import.state.key()
                    )));
                }
                sources::get(&writing.tx, workspace, source)?;
                writing
                    .tx
                    .prepare_cached(
                        "UPDATE import
                         SET source = ?3
                         WHERE workspace = ?1 AND id = ?2",
                    )?
                    .execute((workspace.0, id.0.as_bytes(), source.0))?;
                get(&writing.tx, workspace, id)
            })
            .await
    }

    async fn claim_import(
        &self,
        only: Option<(WorkspaceId, ImportId)>,
        now: Timestamp,
        lease_millis: i64,
    ) -> Result<Option<(Import, Lease)>, StoreError> {
        self.writer
            .write(move |writing| claim(&writing.tx, only, now, lease_millis))
            .await
    }

    async fn renew_lease(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        lease: Lease,
        now: Timestamp,
        lease_millis: i64,
    ) -> Result<bool, StoreError> {
        self.writer
            .write(move |writing| {
                let running = check_lease(&writing.tx, workspace, id, lease)?;
                writing
                    .tx
                    .prepare_cached(
                        "UPDATE import
                         SET lease_until = ?2, lease_millis = ?3
                         WHERE no = ?1",
                    )?
                    .execute((running.no, now.0.saturating_add(lease_millis), lease_millis))?;
                Ok(!running.cancel_requested)
            })
            .await
    }

    async fn set_expected_records(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        lease: Lease,
        records: u64,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                let running = check_lease(&writing.tx, workspace, id, lease)?;
                writing
                    .tx
                    .prepare_cached("UPDATE import SET expected_records = ?2 WHERE no = ?1")?
                    .execute((running.no, stored(records)))?;
                Ok(())
            })
            .await
    }

    async fn finish_import_and_tell(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        lease: Lease,
        state: ImportState,
        error: Option<String>,
        now: Timestamp,
        mails: Vec<NewMail>,
    ) -> Result<Import, StoreError> {
        self.writer
            .write(move |writing| {
                let running = check_lease(&writing.tx, workspace, id, lease)?;
                if !state.is_over() {
                    return Err(StoreError::Conflict(format!(
                        "an import cannot end as {}",
                        state.key()
                    )));
                }
                writing
                    .tx
                    .prepare_cached(
                        "UPDATE import
                         SET state = ?2, error = ?3, finished_at = ?4
                         WHERE no = ?1",
                    )?
                    .execute((running.no, state.key(), &error, now.0))?;
                outbox::add(&writing.tx, &mails)?;
                drift::forget(&writing.tx, workspace, running.no)?;
                get(&writing.tx, workspace, id)
            })
            .await
    }

    async fn cancel_import(
        &self,
        workspace: WorkspaceId,
        id: ImportId,
        now: Timestamp,
    ) -> Result<Import, StoreError> {
        self.writer
            .write(move |writing| {
                let mut import = get(&writing.tx, workspace, id)?;
                match import.state {
                    ImportState::Uploaded | ImportState::Queued => {
                        import.state = ImportState::Cancelled;
                        import.finished_at = Some(now);
                    }
                    ImportState::Running => {}
                    // Too late.
                    ImportState::Done | ImportState::Failed | ImportState::Cancelled => {
                        return Ok(import);
                    }
                }
                import.cancel_requested = true;
                writing
                    .tx
                    .prepare_cached(
                        "UPDATE import
                         SET state = ?3, finished_at = ?4, cancel_requested = 1
                         WHERE workspace = ?1 AND id = ?2",
                    )?
                    .execute((
                        workspace.0,
                        id.0.as_bytes(),
                        import.state.key(),
                        import.finished_at.map(|at| at.0),
                    ))?;
                if import.state.is_over() {
                    drift::forget(&writing.tx, workspace, number(&writing.tx, workspace, id)?)?;
                }
                Ok(import)
            })
            .await
    }
}

fn set_options(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: ImportId,
    options: &str,
    queue: bool,
) -> Result<(), StoreError> {
    let import = get(tx, workspace, id)?;
    if import.state != ImportState::Uploaded {
        return Err(StoreError::Conflict(format!(
            "the import is {} already, its mapping cannot be changed; upload the file again",
            import.state.key()
        )));
    }
    let state = if queue {
        ImportState::Queued
    } else {
        ImportState::Uploaded
    };
    tx.prepare_cached(
        "UPDATE import
         SET options = ?3, state = ?4
         WHERE workspace = ?1 AND id = ?2",
    )?
    .execute((workspace.0, id.0.as_bytes(), options, state.key()))?;
    Ok(())
}

/// An import that the holder of its lease may move on.
pub(super) struct Running {
    /// Its number in the database.
    pub(super) no: u32,
    cursor: u64,
    cancel_requested: bool,
}

impl Running {
    /// Moves cursor and totals on and keeps the lease alive.
    pub(super) fn move_on(
        &self,
        tx: &Transaction<'_>,
        totals: &Totals,
        without_identifier: u64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        tx.prepare_cached(
            "UPDATE import
             SET records = records + ?2,
                 created = created + ?3,
                 updated = updated + ?4,
                 unchanged = unchanged + ?5,
                 warnings = warnings + ?6,
                 failed = failed + ?7,
                 without_identifier = without_identifier + ?8,
                 removed = removed + ?10,
                 lease_until = max(lease_until, ?9 + lease_millis)
             WHERE no = ?1",
        )?
        .execute((
            self.no,
            stored(totals.records),
            stored(totals.created),
            stored(totals.updated),
            stored(totals.unchanged),
            stored(totals.warnings),
            stored(totals.failed),
            stored(without_identifier),
            now.0,
            stored(totals.removed),
        ))?;
        Ok(())
    }
}

/// The import of a batch, if it may be committed now.
pub(super) fn check_step(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    step: &ImportStep,
) -> Result<Running, StoreError> {
    let running = check_lease(tx, workspace, step.import, step.lease)?;
    if running.cursor == step.cursor {
        Ok(running)
    } else {
        Err(StoreError::LeaseLost)
    }
}

fn check_lease(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: ImportId,
    lease: Lease,
) -> Result<Running, StoreError> {
    let (running, state, latest): (Running, String, i64) = tx
        .prepare_cached(
            "SELECT no, records, cancel_requested, state, lease
             FROM import
             WHERE workspace = ?1 AND id = ?2",
        )?
        .query_row((workspace.0, id.0.as_bytes()), |row| {
            let running = Running {
                no: row.get(0)?,
                cursor: counted(row.get(1)?),
                cancel_requested: row.get(2)?,
            };
            Ok((running, row.get(3)?, row.get(4)?))
        })
        .optional()?
        .ok_or_else(|| missing(id))?;
    if counted(latest) == lease.0 && state == ImportState::Running.key() {
        Ok(running)
    } else {
        Err(StoreError::LeaseLost)
    }
}

pub(super) fn create(tx: &Transaction<'_>, import: &NewImport) -> Result<Import, StoreError> {
    sources::get(tx, import.workspace, import.source)?;
    if let Some(parent) = import.parent {
        get(tx, import.workspace, parent)?;
    }
    if find(tx, import.workspace, import.id)?.is_some() {
        return Err(StoreError::Exists(format!("import {}", import.id)));
    }
    tx.prepare_cached(
        "INSERT INTO import (
             workspace, id, source, file_name, file_size, file_hash,
             created_by, created_at, state, options, kind, parent
         )
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute((
        import.workspace.0,
        import.id.0.as_bytes(),
        import.source.0,
        &import.file_name,
        stored(import.file_size),
        import.file_hash,
        &import.created_by,
        import.created_at.0,
        import.state.key(),
        &import.options,
        import.kind.key(),
        import.parent.map(|parent| *parent.0.as_bytes()),
    ))?;
    get(tx, import.workspace, import.id)
}

fn list(
    connection: &Connection,
    workspace: WorkspaceId,
    filter: &ImportFilter,
    before: Option<ImportId>,
    limit: u16,
) -> Result<Vec<Import>, StoreError> {
    let before = match before {
        Some(id) => number(connection, workspace, id)?,
        None => u32::MAX,
    };
    let states: Vec<&str> = filter.states.iter().map(|state| state.key()).collect();
    let sql = select(
        "WHERE workspace = ?1 AND no < ?2
           AND (?3 = '' OR instr(' ' || ?3 || ' ', ' ' || state || ' ') > 0)
           AND (?4 IS NULL OR source = ?4)
           AND (?5 IS NULL OR created_by = ?5)
         ORDER BY no DESC",
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(
        (
            workspace.0,
            before,
            states.join(" "),
            filter.source.map(|source| source.0),
            &filter.created_by,
        ),
        read,
    )?;
    // SQLite only knows the case of ASCII letters, so names are compared here, row by row until there are enough.
    let wanted = filter.file_name.as_deref().map(str::to_lowercase);
    let mut imports = Vec::new();
    for row in rows {
        if imports.len() == usize::from(limit) {
            break;
        }
        let import = row??;
        let name = || import.file_name.to_lowercase();
        if wanted.as_ref().is_none_or(|wanted| name().contains(wanted)) {
            imports.push(import);
        }
    }
    Ok(imports)
}

fn claim(
    tx: &Transaction<'_>,
    only: Option<(WorkspaceId, ImportId)>,
    now: Timestamp,
    lease_millis: i64,
) -> Result<Option<(Import, Lease)>, StoreError> {
    let only_workspace = only.map(|(workspace, _)| workspace.0);
    let only_id = only.map(|(_, id)| *id.0.as_bytes());
    let claimed: Option<(u32, [u8; 16], i64)> = tx
        .prepare_cached(
            "UPDATE import
             SET state = 'running',
                 started_at = coalesce(started_at, ?3),
                 lease = lease + 1,
                 lease_until = ?4,
                 lease_millis = ?5
             WHERE no = (
                 SELECT no
                 FROM import
                 WHERE state IN ('queued', 'running')
                   AND (state = 'queued' OR lease_until <= ?3)
                   AND (?1 IS NULL OR workspace = ?1)
                   AND (?2 IS NULL OR id = ?2)
                 ORDER BY no
                 LIMIT 1
             )
             RETURNING workspace, id, lease",
        )?
        .query_row(
            (
                only_workspace,
                only_id,
                now.0,
                now.0.saturating_add(lease_millis),
                lease_millis,
            ),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((workspace, id, lease)) = claimed else {
        return Ok(None);
    };
    let import = get(tx, WorkspaceId(workspace), ImportId(Uuid::from_bytes(id)))?;
    Ok(Some((import, Lease(counted(lease)))))
}

fn number(
    connection: &Connection,
    workspace: WorkspaceId,
    id: ImportId,
) -> Result<u32, StoreError> {
    connection
        .prepare_cached("SELECT no FROM import WHERE workspace = ?1 AND id = ?2")?
        .query_row((workspace.0, id.0.as_bytes()), |row| row.get(0))
        .optional()?
        .ok_or_else(|| missing(id))
}

pub(super) fn get(
    connection: &Connection,
    workspace: WorkspaceId,
    id: ImportId,
) -> Result<Import, StoreError> {
    find(connection, workspace, id)?.ok_or_else(|| missing(id))
}

fn find(
    connection: &Connection,
    workspace: WorkspaceId,
    id: ImportId,
) -> Result<Option<Import>, StoreError> {
    connection
        .prepare_cached(&select("WHERE workspace = ?1 AND id = ?2"))?
        .query_row((workspace.0, id.0.as_bytes()), read)
        .optional()?
        .transpose()
}

fn missing(id: ImportId) -> StoreError {
    StoreError::Missing(format!("import {id}"))
}

fn select(rest: &str) -> String {
    format!(
        "SELECT workspace, id, source, file_name, file_size, file_hash, created_by, created_at,
             started_at, finished_at, state, error, options, expected_records,
             records, created, updated, unchanged, warnings, failed,
             without_identifier, cancel_requested, kind, parent, drifted, edits, removed, (
                 SELECT undo.id
                 FROM import AS undo
                 WHERE undo.workspace = import.workspace AND undo.parent = import.id
                   AND undo.kind = 'undo' AND undo.state NOT IN ('failed', 'cancelled')
             ) AS undone_by
         FROM import
         {rest}"
    )
}

fn read(row: &Row<'_>) -> rusqlite::Result<Result<Import, StoreError>> {
    let number = |column: &str| row.get(column).map(counted);
    let state: String = row.get("state")?;
    let Some(state) = ImportState::from_key(&state) else {
        return Ok(Err(StoreError::Damaged(format!(
            "an import is in the unknown state `{state}`"
        ))));
    };
    let kind: String = row.get("kind")?;
    let Some(kind) = ImportKind::from_key(&kind) else {
        return Ok(Err(StoreError::Damaged(format!(
            "an import is of the unknown kind `{kind}`"
        ))));
    };
    let parent: Option<[u8; 16]> = row.get("parent")?;
    let undone_by: Option<[u8; 16]> = row.get("undone_by")?;
    Ok(Ok(Import {
        kind,
        parent: parent.map(|id| ImportId(Uuid::from_bytes(id))),
        id: ImportId(Uuid::from_bytes(row.get("id")?)),
        workspace: WorkspaceId(row.get("workspace")?),
        source: SourceId(row.get("source")?),
        file_name: row.get("file_name")?,
        file_size: number("file_size")?,
        file_hash: row.get("file_hash")?,
        created_by: row.get("created_by")?,
        created_at: Timestamp(row.get("created_at")?),
        started_at: row.get::<_, Option<i64>>("started_at")?.map(Timestamp),
        finished_at: row.get::<_, Option<i64>>("finished_at")?.map(Timestamp),
        state,
        error: row.get("error")?,
        options: row.get("options")?,
        expected_records: row.get::<_, Option<i64>>("expected_records")?.map(counted),
        cursor: number("records")?,
        totals: Totals {
            records: number("records")?,
            created: number("created")?,
            updated: number("updated")?,
            unchanged: number("unchanged")?,
            removed: number("removed")?,
            warnings: number("warnings")?,
            failed: number("failed")?,
        },
        without_identifier: number("without_identifier")?,
        cancel_requested: row.get("cancel_requested")?,
        edits: number("edits")?,
        drifted: number("drifted")?,
        undone_by: undone_by.map(|id| ImportId(Uuid::from_bytes(id))),
    }))
}
