//! Erasing people.

use async_trait::async_trait;
use rollbook_engine::contact::{ContactId, Identifier};
use rollbook_engine::known::Known;
use rollbook_engine::traces::Traces;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use uuid::Uuid;

use super::commit::{load_owners, write_contacts};
use super::identifiers::erased;
use super::writer::Writing;
use super::{Sqlite, check_workspace, connect, contacts, counted, log, stored};
use crate::erasures::{Erasure, Erasures, FileErased, FoundTraces};
use crate::imports::ImportId;
use crate::{StoreError, Timestamp, WorkspaceId};

/// How often the write-ahead log is tried to be emptied while others read what is in it.
const TRIES: usize = 3;

#[async_trait]
impl Erasures for Sqlite {
    async fn begin_erasure(
        &self,
        workspace: WorkspaceId,
        contact: ContactId,
        former: Vec<Identifier>,
        asked_by: String,
        now: Timestamp,
    ) -> Result<Erasure, StoreError> {
        self.writer
            .write_alone(move |writing| begin(writing, workspace, contact, &former, &asked_by, now))
            .await
    }

    async fn erasures(
        &self,
        workspace: WorkspaceId,
        before: Option<u64>,
        limit: u16,
    ) -> Result<Vec<Erasure>, StoreError> {
        self.readers
            .read(move |connection| {
                let sql = select(
                    "WHERE workspace = ?1 AND number < ?2
                     ORDER BY number DESC
                     LIMIT ?3",
                );
                let mut statement = connection.prepare_cached(&sql)?;
                let before = before.map_or(i64::MAX, stored);
                let rows = statement.query_map((workspace.0, before, limit), read)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn erasure(
        &self,
        workspace: WorkspaceId,
        number: u64,
    ) -> Result<Option<Erasure>, StoreError> {
        self.readers
            .read(move |connection| find(connection, workspace, number))
            .await
    }

    async fn erasure_of(
        &self,
        workspace: WorkspaceId,
        contact: ContactId,
    ) -> Result<Option<Erasure>, StoreError> {
        self.readers
            .read(move |connection| of_contact(connection, workspace, contact))
            .await
    }

    async fn claim_erasure(
        &self,
        only: Option<(WorkspaceId, u64)>,
        now: Timestamp,
        lease_millis: i64,
    ) -> Result<Option<(Erasure, Traces)>, StoreError> {
        // Nearly always nothing waits, and nobody who writes should be disturbed by that.
        let waiting = self
            .readers
            .read(move |connection| next(connection, only, now))
            .await?;
        if waiting.is_none() {
            return Ok(None);
        }
        self.writer
            .write(move |writing| claim(&writing.tx, only, now, lease_millis))
            .await
    }

    async fn renew_erasure(
        &self,
        workspace: WorkspaceId,
        number: u64,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                writing
                    .tx
                    .prepare_cached(
                        "UPDATE erasure SET lease_until = ?3 WHERE workspace = ?1 AND number = ?2",
                    )?
                    .execute((workspace.0, stored(number), until.0))?;
                Ok(())
            })
            .await
    }

    async fn find_traces(
        &self,
        workspace: WorkspaceId,
        traces: Traces,
        after: u64,
    ) -> Result<FoundTraces, StoreError> {
        self.readers
            .read(move |connection| log::traces::find(connection, workspace, &traces, after))
            .await
    }

    async fn erase_traces(
        &self,
        workspace: WorkspaceId,
        number: u64,
        traces: Traces,
        numbers: Vec<u64>,
    ) -> Result<(), StoreError> {
        self.writer
            .write_alone(move |writing| {
                let tx = &writing.tx;
                let (changed, keys) = log::traces::erase(tx, workspace, &traces, &numbers)?;
                for (source, key) in keys {
                    tx.prepare_cached(
                        "DELETE FROM idempotency WHERE workspace = ?1 AND source = ?2 AND key = ?3",
                    )?
                    .execute((workspace.0, source.0, key))?;
                }
                tx.prepare_cached(
                    "UPDATE erasure
                     SET attempts = attempts + ?3
                     WHERE workspace = ?1 AND number = ?2",
                )?
                .execute((workspace.0, stored(number), stored(changed)))?;
                Ok(())
            })
            .await
    }

    async fn erase_elsewhere(
        &self,
        workspace: WorkspaceId,
        number: u64,
        traces: Traces,
        rows: Vec<(ImportId, u64)>,
    ) -> Result<(), StoreError> {
        self.writer
            .write_alone(move |writing| {
                let tx = &writing.tx;
                let erased = erase_mails(tx, workspace, &traces)?
                    + erase_edits(tx, workspace, &traces, &rows)?
                    + erase_file_names(tx, workspace, &traces)?;
                tx.prepare_cached(
                    "UPDATE erasure
                     SET others = others + ?3
                     WHERE workspace = ?1 AND number = ?2",
                )?
                .execute((workspace.0, stored(number), stored(erased)))?;
                Ok(())
            })
            .await
    }

    async fn erase_file(
        &self,
        workspace: WorkspaceId,
        number: u64,
        hash: [u8; 32],
        erased: FileErased,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.writer
            .write(move |writing| erase_file(&writing.tx, workspace, number, hash, erased, now))
            .await
    }

    async fn forget_traces(&self, workspace: WorkspaceId, number: u64) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                let contact = get(&writing.tx, workspace, number)?.contact;
                writing
                    .tx
                    .prepare_cached(
                        "UPDATE erasure SET traces = ?3 WHERE workspace = ?1 AND number = ?2",
                    )?
                    .execute((
                        workspace.0,
                        stored(number),
                        to_json(&Traces::forgotten(contact))?,
                    ))?;
                Ok(())
            })
            .await
    }

    async fn finish_erasure(
        &self,
        workspace: WorkspaceId,
        number: u64,
        now: Timestamp,
    ) -> Result<Erasure, StoreError> {
        self.writer
            .write(move |writing| {
                writing
                    .tx
                    .prepare_cached(
                        "UPDATE erasure
                         SET state = 'done', traces = NULL, finished_at = coalesce(finished_at, ?3)
                         WHERE workspace = ?1 AND number = ?2",
                    )?
                    .execute((workspace.0, stored(number), now.0))?;
                get(&writing.tx, workspace, number)
            })
            .await
    }

    async fn lift_erasure(
        &self,
        workspace: WorkspaceId,
        number: u64,
        by: String,
        now: Timestamp,
    ) -> Result<Erasure, StoreError> {
        self.writer
            .write(move |writing| {
                let tx = &writing.tx;
                let erasure = get(tx, workspace, number)?;
                if erasure.lifted_at.is_some() {
                    return Ok(erasure);
                }
                tx.prepare_cached(
                    "DELETE FROM erased_identifier WHERE workspace = ?1 AND erasure = ?2",
                )?
                .execute((workspace.0, stored(number)))?;
                erased::change(tx, workspace)?;
                tx.prepare_cached(
                    "UPDATE erasure
                     SET lifted_at = ?3, lifted_by = ?4
                     WHERE workspace = ?1 AND number = ?2",
                )?
                .execute((workspace.0, stored(number), now.0, &by))?;
                get(tx, workspace, number)
            })
            .await
    }

    async fn erased_among(
        &self,
        workspace: WorkspaceId,
        identifiers: Vec<Identifier>,
    ) -> Result<Vec<Identifier>, StoreError> {
        let index = std::sync::Arc::clone(&self.identifiers);
        self.readers
            .read(move |connection| {
                let Some(erased) = index.erased(connection, workspace)? else {
                    return Ok(Vec::new());
                };
                let among = identifiers.into_iter();
                Ok(among
                    .filter(|identifier| erased.has(&identifier.in_place()))
                    .collect())
            })
            .await
    }

    async fn wipe(&self, bytes: u64) -> Result<bool, StoreError> {
        let path = self.path.clone();
        let wiping = tokio::task::spawn_blocking(move || {
            let connection = connect(&path)?;
            wipe(&connection, bytes)
        });
        wiping.await.unwrap_or(Err(StoreError::Closed))
    }
}

fn begin(
    writing: &mut Writing<'_>,
    workspace: WorkspaceId,
    id: ContactId,
    former: &[Identifier],
    asked_by: &str,
    now: Timestamp,
) -> Result<Erasure, StoreError> {
    check_workspace(&writing.tx, workspace)?;
    if let Some(before) = of_contact(&writing.tx, workspace, id)? {
        return Ok(before);
    }
    let mut known = Known::new();
    let rows = contacts::rows(workspace, [id]);
    contacts::load(&writing.tx, rows, |contact| known.add(contact))?;
    writing
        .identifiers
        .refresh(&writing.tx, &mut writing.pending)?;
    let wanted = former.iter().map(Identifier::in_place);
    load_owners(writing, workspace, wanted, &mut known)?;
    let contact = known
        .contact(id)
        .ok_or_else(|| StoreError::Missing(format!("contact {id}")))?;
    let mut traces = Traces::of(contact);
    let mut identifiers: Vec<Identifier> = contact.identifiers().collect();
    for identifier in former {
        let owner = known.find(identifier).map(|owner| owner.id);
        if owner.is_none_or(|owner| owner == id) && !identifiers.contains(identifier) {
            traces.add(identifier);
            identifiers.push(identifier.clone());
        }
    }

    let number: i64 = writing
        .tx
        .prepare_cached("SELECT coalesce(max(number), 0) + 1 FROM erasure WHERE workspace = ?1")?
        .query_row([workspace.0], |row| row.get(0))?;
    erased::change(&writing.tx, workspace)?;
    let erased = writing
        .identifiers
        .erased_or_none_yet(&writing.tx, workspace)?
        .ok_or_else(|| StoreError::Damaged("the key of erased identifiers is gone".to_owned()))?;
    for identifier in &identifiers {
        writing
            .tx
            .prepare_cached(
                "INSERT OR REPLACE INTO erased_identifier (workspace, hash, erasure)
                 VALUES (?1, ?2, ?3)",
            )?
            .execute((workspace.0, erased.hash(&identifier.in_place()), number))?;
    }
    // What was read just now is without them.
    erased::change(&writing.tx, workspace)?;
    let json = to_json(&traces)?;
    writing
        .tx
        .prepare_cached(
            "INSERT INTO erasure (
                 workspace, number, contact, asked_by, asked_at, state, traces, identifiers
             )
             VALUES (?1, ?2, ?3, ?4, ?5, 'running', ?6, ?7)",
        )?
        .execute((
            workspace.0,
            number,
            stored(id.0),
            asked_by,
            now.0,
            &json,
            stored(identifiers.len() as u64),
        ))?;
    known.remove(id);
    write_contacts(writing, workspace, known, now, true)?;
    get(&writing.tx, workspace, counted(number))
}

fn to_json(traces: &Traces) -> Result<String, StoreError> {
    serde_json::to_string(traces).map_err(|error| StoreError::Damaged(error.to_string()))
}

fn next(
    connection: &Connection,
    only: Option<(WorkspaceId, u64)>,
    now: Timestamp,
) -> Result<Option<(WorkspaceId, u64)>, StoreError> {
    let only = only.map(|(workspace, number)| (workspace.0, stored(number)));
    Ok(connection
        .prepare_cached(
            "SELECT workspace, number
             FROM erasure
             WHERE state = 'running'
               AND lease_until <= ?1
               AND (?2 IS NULL OR workspace = ?2 AND number = ?3)
             LIMIT 1",
        )?
        .query_row(
            (now.0, only.map(|only| only.0), only.map(|only| only.1)),
            |row| Ok((WorkspaceId(row.get(0)?), counted(row.get(1)?))),
        )
        .optional()?)
}

fn claim(
    tx: &Transaction<'_>,
    only: Option<(WorkspaceId, u64)>,
    now: Timestamp,
    lease_millis: i64,
) -> Result<Option<(Erasure, Traces)>, StoreError> {
    let Some((workspace, number)) = next(tx, only, now)? else {
        return Ok(None);
    };
    let traces: Option<String> = tx
        .prepare_cached(
            "UPDATE erasure
             SET lease_until = ?3
             WHERE workspace = ?1 AND number = ?2
             RETURNING traces",
        )?
        .query_row(
            (
                workspace.0,
                stored(number),
                now.0.saturating_add(lease_millis),
            ),
            |row| row.get(0),
        )?;
    let traces = serde_json::from_str(&traces.unwrap_or_default())
        .map_err(|error| StoreError::Damaged(format!("erasure {number}: {error}")))?;
    Ok(Some((get(tx, workspace, number)?, traces)))
}

/// Mails that wait and hold the person go; what others say of them is blanked.
fn erase_mails(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    traces: &Traces,
) -> Result<u64, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT no, recipient, subject, coalesce(content, ''), coalesce(last_error, '')
         FROM outbox
         WHERE workspace = ?1",
    )?;
    let rows = statement.query_map([workspace.0], |row| {
        let texts: [String; 4] = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
        Ok((row.get::<_, i64>(0)?, texts))
    })?;
    let mut erased = 0;
    for row in rows.collect::<Result<Vec<_>, _>>()? {
        let (no, [recipient, subject, content, error]) = row;
        if traces.are_in(recipient.as_bytes()) || traces.or_name_are_in(&content) {
            erased += 1;
            tx.prepare_cached("DELETE FROM outbox WHERE no = ?1")?
                .execute([no])?;
        } else if traces.or_name_are_in(&subject) || traces.or_name_are_in(&error) {
            erased += 1;
            tx.prepare_cached(
                "UPDATE outbox SET subject = '(erased)', last_error = NULL WHERE no = ?1",
            )?
            .execute([no])?;
        }
    }
    Ok(erased)
}

/// What people wrote into rows about the person, or into other rows about them.
fn erase_edits(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    traces: &Traces,
    rows: &[(ImportId, u64)],
) -> Result<u64, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT import_edit.import, import_edit.row, import.id, import_edit.edit
         FROM import_edit
         JOIN import ON import.no = import_edit.import
         WHERE import_edit.workspace = ?1",
    )?;
    let edits = statement.query_map([workspace.0], |row| {
        let import = ImportId(Uuid::from_bytes(row.get(2)?));
        let (no, number): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok((no, number, import, row.get::<_, String>(3)?))
    })?;
    let mut erased = 0;
    for (no, number, import, edit) in edits.collect::<Result<Vec<_>, _>>()? {
        if !traces.or_name_are_in(&edit) && !rows.contains(&(import, counted(number))) {
            continue;
        }
        erased += 1;
        tx.prepare_cached(
            "DELETE FROM import_edit WHERE workspace = ?1 AND import = ?2 AND row = ?3",
        )?
        .execute((workspace.0, no, number))?;
        tx.prepare_cached("UPDATE import SET edits = edits + 1 WHERE no = ?1")?
            .execute([no])?;
    }
    Ok(erased)
}

fn erase_file_names(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    traces: &Traces,
) -> Result<u64, StoreError> {
    let mut erased = 0;
    for (names, change) in [
        (
            "SELECT DISTINCT file_name FROM import WHERE workspace = ?1",
            "UPDATE import SET file_name = ?3 WHERE workspace = ?1 AND file_name = ?2",
        ),
        (
            "SELECT DISTINCT file_name FROM remembered_mapping WHERE workspace = ?1",
            "UPDATE remembered_mapping SET file_name = ?3 WHERE workspace = ?1 AND file_name = ?2",
        ),
    ] {
        let mut statement = tx.prepare_cached(names)?;
        let names = statement.query_map([workspace.0], |row| row.get::<_, String>(0))?;
        for name in names.collect::<Result<Vec<_>, _>>()? {
            if traces.or_name_are_in(&name) {
                let ending = name
                    .rsplit_once('.')
                    .filter(|(_, ending)| ending.len() <= 5);
                let ending = ending.map(|(_, ending)| format!(".{ending}"));
                let new = format!("erased{}", ending.unwrap_or_default());
                erased += 1;
                tx.prepare_cached(change)?
                    .execute((workspace.0, name, new))?;
            }
        }
    }
    Ok(erased)
}

fn erase_file(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    number: u64,
    hash: [u8; 32],
    erased: FileErased,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (rewritten, deleted, rows) = match erased {
        FileErased::Rewritten { hash: new, size } => {
            let rows = tx
                .prepare_cached(
                    "UPDATE import
                     SET file_hash = ?3, file_size = ?4, edits = edits + 1
                     WHERE workspace = ?1 AND file_hash = ?2 AND kind = 'file'",
                )?
                .execute((workspace.0, hash, new, stored(size)))?;
            (1, 0, rows)
        }
        FileErased::Deleted => {
            let rows = tx
                .prepare_cached(
                    "UPDATE import
                     SET file_dropped_at = ?3, edits = edits + 1
                     WHERE workspace = ?1 AND file_hash = ?2 AND kind = 'file'
                       AND file_dropped_at IS NULL",
                )?
                .execute((workspace.0, hash, now.0))?;
            (0, 1, rows)
        }
    };
    // Somebody else was here after this one had been taken for dead.
    if rows > 0 {
        tx.prepare_cached(
            "UPDATE erasure
             SET files_rewritten = files_rewritten + ?3, files_deleted = files_deleted + ?4
             WHERE workspace = ?1 AND number = ?2",
        )?
        .execute((workspace.0, stored(number), rewritten, deleted))?;
    }
    super::retention::is_needed(tx, None, hash)
}

fn wipe(connection: &Connection, bytes: u64) -> Result<bool, StoreError> {
    let pragma = |name: &str| -> Result<u64, StoreError> {
        let number: i64 = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?;
        Ok(counted(number))
    };
    let pack = pragma("page_count")?.saturating_mul(pragma("page_size")?) <= bytes;
    if pack {
        connection.execute_batch("PRAGMA secure_delete = ON; VACUUM;")?;
    }
    for _ in 0..TRIES {
        let busy: i64 =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy == 0 {
            return Ok(pack);
        }
    }
    Err(StoreError::Busy)
}

fn of_contact(
    connection: &Connection,
    workspace: WorkspaceId,
    contact: ContactId,
) -> Result<Option<Erasure>, StoreError> {
    Ok(connection
        .prepare_cached(&select("WHERE workspace = ?1 AND contact = ?2"))?
        .query_row((workspace.0, stored(contact.0)), read)
        .optional()?)
}

fn find(
    connection: &Connection,
    workspace: WorkspaceId,
    number: u64,
) -> Result<Option<Erasure>, StoreError> {
    Ok(connection
        .prepare_cached(&select("WHERE workspace = ?1 AND number = ?2"))?
        .query_row((workspace.0, stored(number)), read)
        .optional()?)
}

fn get(
    connection: &Connection,
    workspace: WorkspaceId,
    number: u64,
) -> Result<Erasure, StoreError> {
    find(connection, workspace, number)?
        .ok_or_else(|| StoreError::Missing(format!("erasure {number}")))
}

fn select(rest: &str) -> String {
    format!(
        "SELECT workspace, number, contact, asked_by, asked_at, identifiers, attempts, files_rewritten,
             files_deleted, others, finished_at, lifted_at, lifted_by
         FROM erasure
         {rest}"
    )
}

fn read(row: &Row<'_>) -> rusqlite::Result<Erasure> {
    let number = |name| row.get::<_, i64>(name).map(counted);
    let time = |name| -> rusqlite::Result<Option<Timestamp>> {
        Ok(row.get::<_, Option<i64>>(name)?.map(Timestamp))
    };
    Ok(Erasure {
        workspace: WorkspaceId(row.get("workspace")?),
        number: number("number")?,
        contact: ContactId(number("contact")?),
        asked_by: row.get("asked_by")?,
        asked_at: Timestamp(row.get("asked_at")?),
        identifiers: number("identifiers")?,
        attempts: number("attempts")?,
        files_rewritten: number("files_rewritten")?,
        files_deleted: number("files_deleted")?,
        others: number("others")?,
        finished_at: time("finished_at")?,
        lifted_at: time("lifted_at")?,
        lifted_by: row.get("lifted_by")?,
    })
}
