//! Retention.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Transaction};
use uuid::Uuid;

use super::{Sqlite, check_workspace, counted, log, stored};
use crate::imports::ImportId;
use crate::log::{AttemptId, Corrected};
use crate::retention::{Retained, Retention, Retentions};
use crate::{StoreError, Timestamp, WorkspaceId};

/// Rows of small tables that one transaction drops.
const ROWS: u32 = 500;

/// Imports that are looked at together.
const IMPORTS: u32 = 100;

#[async_trait]
impl Retentions for Sqlite {
    async fn retention(&self, workspace: WorkspaceId) -> Result<Retained, StoreError> {
        self.readers
            .read(move |connection| get(connection, workspace))
            .await
    }

    async fn set_retention(
        &self,
        workspace: WorkspaceId,
        settings: Retention,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                check_workspace(&writing.tx, workspace)?;
                writing
                    .tx
                    .prepare_cached(
                        "INSERT INTO retention (workspace, payload_days, attempt_days, file_days)
                         VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT (workspace) DO UPDATE
                         SET payload_days = excluded.payload_days,
                             attempt_days = excluded.attempt_days,
                             file_days = excluded.file_days",
                    )?
                    .execute((
                        workspace.0,
                        settings.payload_days,
                        settings.attempt_days,
                        settings.file_days,
                    ))?;
                Ok(())
            })
            .await
    }

    async fn expire_payloads(
        &self,
        workspace: WorkspaceId,
        before: Timestamp,
    ) -> Result<Corrected, StoreError> {
        let change = log::correct::drop_payload;
        self.writer
            .write_alone(move |writing| {
                let tx = &writing.tx;
                let after = until(tx, workspace, "payloads_until")?;
                let done = log::correct::rewrite_old(tx, workspace, after, before, change)?;
                tx.prepare_cached(
                    "UPDATE retention
                     SET payloads_until = ?2,
                         payloads_dropped = payloads_dropped + ?3,
                         payloads_before = max(coalesce(payloads_before, ?4), ?4)
                     WHERE workspace = ?1",
                )?
                .execute((
                    workspace.0,
                    stored(done.until),
                    stored(done.changed),
                    before.0,
                ))?;
                Ok(Corrected {
                    attempts: done.changed,
                    next: done.more.then_some(done.until),
                })
            })
            .await
    }

    async fn expire_attempts(
        &self,
        workspace: WorkspaceId,
        before: Timestamp,
    ) -> Result<Corrected, StoreError> {
        self.writer
            .write_alone(move |writing| expire_attempts(&writing.tx, workspace, before))
            .await
    }

    async fn imports_with_old_files(
        &self,
        workspace: WorkspaceId,
        before: Timestamp,
    ) -> Result<Vec<(ImportId, [u8; 32])>, StoreError> {
        self.readers
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT id, file_hash
                     FROM import
                     WHERE workspace = ?1
                       AND kind = 'file'
                       AND created_at < ?2
                       AND file_dropped_at IS NULL
                       AND state IN ('uploaded', 'done', 'failed', 'cancelled')
                     ORDER BY no
                     LIMIT ?3",
                )?;
                let rows = statement.query_map((workspace.0, before.0, IMPORTS), |row| {
                    Ok((ImportId(Uuid::from_bytes(row.get(0)?)), row.get(1)?))
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn file_is_needed(
        &self,
        beside: Option<(WorkspaceId, ImportId)>,
        hash: [u8; 32],
    ) -> Result<bool, StoreError> {
        self.readers
            .read(move |connection| is_needed(connection, beside, hash))
            .await
    }

    async fn note_file_dropped(
        &self,
        workspace: WorkspaceId,
        import: ImportId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                let tx = &writing.tx;
                tx.prepare_cached(
                    "UPDATE import
                     SET file_dropped_at = coalesce(file_dropped_at, ?3),
                         finished_at = CASE state WHEN 'uploaded' THEN ?3 ELSE finished_at END,
                         state = CASE state WHEN 'uploaded' THEN 'cancelled' ELSE state END
                     WHERE workspace = ?1 AND id = ?2",
                )?
                .execute((workspace.0, import.0.as_bytes(), now.0))?;
                tx.prepare_cached(
                    "UPDATE retention
                     SET files_dropped = files_dropped + 1
                     WHERE workspace = ?1",
                )?
                .execute([workspace.0])?;
                Ok(())
            })
            .await
    }

    async fn expire_keys(
        &self,
        workspace: WorkspaceId,
        before: Timestamp,
    ) -> Result<usize, StoreError> {
        // The names of attempts begin with their times, so they are in order of them.
        let first = AttemptId::new(WorkspaceId(0), before, 0);
        let old: Vec<(u32, String)> = self
            .readers
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT source, key
                     FROM idempotency
                     WHERE workspace = ?1 AND attempt < ?2
                     LIMIT ?3",
                )?;
                let rows = statement.query_map((workspace.0, first.0.as_bytes(), ROWS), |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await?;
        if old.is_empty() {
            return Ok(0);
        }
        self.writer
            .write(move |writing| {
                let mut dropped = 0;
                for (source, key) in &old {
                    dropped += writing
                        .tx
                        .prepare_cached(
                            "DELETE FROM idempotency
                             WHERE workspace = ?1 AND source = ?2 AND key = ?3 AND attempt < ?4",
                        )?
                        .execute((workspace.0, source, key, first.0.as_bytes()))?;
                }
                Ok(dropped)
            })
            .await
    }

    async fn expire_sessions(&self, now: Timestamp) -> Result<usize, StoreError> {
        let waiting = self
            .readers
            .read(move |connection| {
                Ok(connection
                    .prepare_cached(
                        "SELECT EXISTS (SELECT 1 FROM session WHERE expires_at <= ?1)
                             OR EXISTS (SELECT 1 FROM ticket WHERE expires_at <= ?1)",
                    )?
                    .query_row([now.0], |row| row.get::<_, bool>(0))?)
            })
            .await?;
        if !waiting {
            return Ok(0);
        }
        self.writer
            .write(move |writing| {
                let mut dropped = 0;
                for sql in [
                    "DELETE FROM session
                     WHERE token_hash IN (SELECT token_hash FROM session WHERE expires_at <= ?1 LIMIT ?2)",
                    "DELETE FROM ticket
                     WHERE token_hash IN (SELECT token_hash FROM ticket WHERE expires_at <= ?1 LIMIT ?2)",
                ] {
                    dropped += writing.tx.prepare_cached(sql)?.execute((now.0, ROWS))?;
                }
                Ok(dropped)
            })
            .await
    }
}

fn get(connection: &Connection, workspace: WorkspaceId) -> Result<Retained, StoreError> {
    let found = connection
        .prepare_cached(
            "SELECT payload_days, attempt_days, file_days, payloads_before, attempts_before,
                 payloads_dropped, attempts_dropped, files_dropped
             FROM retention
             WHERE workspace = ?1",
        )?
        .query_row([workspace.0], |row| {
            let number = |column| row.get::<_, i64>(column).map(counted);
            let time = |column| -> rusqlite::Result<Option<Timestamp>> {
                Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
            };
            Ok(Retained {
                settings: Retention {
                    payload_days: row.get(0)?,
                    attempt_days: row.get(1)?,
                    file_days: row.get(2)?,
                },
                payloads_before: time(3)?,
                attempts_before: time(4)?,
                payloads_dropped: number(5)?,
                attempts_dropped: number(6)?,
                files_dropped: number(7)?,
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Up to which attempt something is done.
fn until(tx: &Transaction<'_>, workspace: WorkspaceId, column: &str) -> Result<u64, StoreError> {
    let sql = format!("SELECT {column} FROM retention WHERE workspace = ?1");
    let found: Option<i64> = tx
        .prepare_cached(&sql)?
        .query_row([workspace.0], |row| row.get(0))
        .optional()?;
    Ok(found.map_or(0, counted))
}

/// Drops blocks that are old enough; when none is left, the attempts at the edge become empty rows.
fn expire_attempts(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    before: Timestamp,
) -> Result<Corrected, StoreError> {
    let mut after = until(tx, workspace, "attempts_until")?;
    let dropped = log::correct::drop_old(tx, workspace, before)?;
    let mut attempts = 0;
    // Those that were empty already have been counted.
    if let Some(last) = dropped.last {
        attempts = last.saturating_sub(after.max(dropped.first.saturating_sub(1)));
        after = after.max(last);
    }
    let mut more = dropped.more;
    if !more {
        let empty = log::correct::empty;
        let emptied = log::correct::rewrite_old(tx, workspace, after, before, empty)?;
        attempts += emptied.changed;
        after = emptied.until;
        more = emptied.more;
    }
    tx.prepare_cached(
        "UPDATE retention
         SET attempts_until = ?2,
             attempts_dropped = attempts_dropped + ?3,
             attempts_before = max(coalesce(attempts_before, ?4), ?4)
         WHERE workspace = ?1",
    )?
    .execute((workspace.0, stored(after), stored(attempts), before.0))?;
    Ok(Corrected {
        attempts,
        next: more.then_some(after),
    })
}

/// See [`Retentions::file_is_needed`].
pub(super) fn is_needed(
    connection: &Connection,
    beside: Option<(WorkspaceId, ImportId)>,
    hash: [u8; 32],
) -> Result<bool, StoreError> {
    let (workspace, id) = beside.map_or((None, None), |(workspace, id)| {
        (Some(workspace.0), Some(id.0.into_bytes()))
    });
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (
                 SELECT 1
                 FROM workspace
                 JOIN import ON import.workspace = workspace.id AND import.file_hash = ?1
                 WHERE import.kind = 'file'
                   AND import.file_dropped_at IS NULL
                   AND NOT (import.workspace IS ?2 AND import.id IS ?3)
             )",
        )?
        .query_row((hash, workspace, id), |row| row.get(0))?)
}
