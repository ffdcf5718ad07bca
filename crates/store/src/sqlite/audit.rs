//! Who did what, and when.

use async_trait::async_trait;
use rusqlite::{Row, Transaction};

use super::{Sqlite, check_workspace, counted, stored};
use crate::audit::{Audit, AuditEntry, AuditFilter, AuditPage, NewAuditEntry};
use crate::{StoreError, Timestamp, WorkspaceId};

#[async_trait]
impl Audit for Sqlite {
    async fn add_audit(
        &self,
        workspace: WorkspaceId,
        entry: NewAuditEntry,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| add(&writing.tx, workspace, &entry))
            .await
    }

    async fn audit(
        &self,
        workspace: WorkspaceId,
        filter: AuditFilter,
        before: Option<u64>,
        limit: u16,
    ) -> Result<AuditPage, StoreError> {
        self.readers
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT number, at, who, what, about, address
                     FROM audit
                     WHERE workspace = ?1
                       AND number < ?2
                       AND (?3 IS NULL OR who = ?3)
                       AND (?4 IS NULL OR what = ?4)
                     ORDER BY number DESC
                     LIMIT ?5",
                )?;
                let rows = statement.query_map(
                    (
                        workspace.0,
                        before.map_or(i64::MAX, stored),
                        &filter.who,
                        &filter.what,
                        u32::from(limit) + 1,
                    ),
                    read,
                )?;
                let mut entries = rows.collect::<Result<Vec<_>, _>>()?;
                let more = entries.len() > usize::from(limit);
                entries.truncate(usize::from(limit));
                let next = entries.last().filter(|_| more).map(|last| last.number);
                Ok(AuditPage { entries, next })
            })
            .await
    }
}

/// Writes an entry, in the transaction of what it tells of.
pub(super) fn add(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    entry: &NewAuditEntry,
) -> Result<(), StoreError> {
    check_workspace(tx, workspace)?;
    tx.prepare_cached(
        "INSERT INTO audit (workspace, number, at, who, what, about, address)
         SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4, ?5, ?6
         FROM audit
         WHERE workspace = ?1",
    )?
    .execute((
        workspace.0,
        entry.at.0,
        &entry.who,
        &entry.what,
        &entry.about,
        &entry.address,
    ))?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        number: counted(row.get("number")?),
        entry: NewAuditEntry {
            at: Timestamp(row.get("at")?),
            who: row.get("who")?,
            what: row.get("what")?,
            about: row.get("about")?,
            address: row.get("address")?,
        },
    })
}
