//! The outbox.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use uuid::{Builder, Uuid};

use super::{Sqlite, check_workspace, counted, stored, touched};
use crate::imports::Lease;
use crate::outbox::{MailId, MailKind, MailState, NewMail, Outbox, OutboxMail, Settled};
use crate::{StoreError, Timestamp, WorkspaceId};

#[async_trait]
impl Outbox for Sqlite {
    async fn enqueue_mails(&self, mails: Vec<NewMail>) -> Result<Vec<MailId>, StoreError> {
        self.writer
            .write(move |writing| add(&writing.tx, &mails))
            .await
    }

    async fn mail(
        &self,
        workspace: WorkspaceId,
        id: MailId,
    ) -> Result<Option<OutboxMail>, StoreError> {
        self.readers
            .read(move |connection| find(connection, workspace, id))
            .await
    }

    async fn mails(
        &self,
        workspace: WorkspaceId,
        state: Option<MailState>,
        before: Option<MailId>,
        limit: u16,
    ) -> Result<Vec<OutboxMail>, StoreError> {
        self.readers
            .read(move |connection| {
                let before = match before {
                    Some(id) => number(connection, workspace, id)?,
                    None => i64::MAX,
                };
                let sql = select(
                    "WHERE workspace = ?1 AND no < ?2 AND (?3 IS NULL OR state = ?3)
                     ORDER BY no DESC
                     LIMIT ?4",
                );
                let mut statement = connection.prepare_cached(&sql)?;
                let state = state.map(MailState::key);
                let rows = statement.query_map((workspace.0, before, state, limit), read)?;
                rows.map(|row| row?).collect()
            })
            .await
    }

    async fn claim_mail(
        &self,
        only: Option<(WorkspaceId, MailId)>,
        now: Timestamp,
        lease_millis: i64,
    ) -> Result<Option<(OutboxMail, Lease)>, StoreError> {
        // Nearly always nothing waits, and nobody who writes should be disturbed by that.
        let waiting = self
            .readers
            .read(move |connection| Ok(next(connection, only, now)?.is_some()))
            .await?;
        if !waiting {
            return Ok(None);
        }
        self.writer
            .write(move |writing| claim(&writing.tx, only, now, lease_millis))
            .await
    }

    async fn settle_mail(
        &self,
        workspace: WorkspaceId,
        id: MailId,
        lease: Lease,
        settled: Settled,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| settle(&writing.tx, workspace, id, lease, &settled))
            .await
    }

    async fn retry_mail(
        &self,
        workspace: WorkspaceId,
        id: MailId,
        now: Timestamp,
    ) -> Result<OutboxMail, StoreError> {
        self.writer
            .write(move |writing| {
                let mail = find(&writing.tx, workspace, id)?.ok_or_else(|| missing(id))?;
                match mail.state {
                    MailState::Queued | MailState::Failed => {}
                    MailState::Sending => {
                        return Err(StoreError::Conflict(
                            "the mail is being sent; look again in a moment".to_owned(),
                        ));
                    }
                    MailState::Sent => {
                        return Err(StoreError::Conflict(
                            "the mail was sent; there is nothing to do".to_owned(),
                        ));
                    }
                }
                writing
                    .tx
                    .prepare_cached(
                        "UPDATE outbox
                         SET state = 'queued', attempts = 0, since = ?3, next_at = ?3
                         WHERE workspace = ?1 AND id = ?2",
                    )?
                    .execute((workspace.0, id.0.as_bytes(), now.0))?;
                find(&writing.tx, workspace, id)?.ok_or_else(|| missing(id))
            })
            .await
    }

    async fn sweep_outbox(
        &self,
        stale: Timestamp,
        reason: &str,
        old: Timestamp,
    ) -> Result<usize, StoreError> {
        let reason = reason.to_owned();
        self.writer
            .write(move |writing| {
                let given_up = writing
                    .tx
                    .prepare_cached(
                        "UPDATE outbox
                         SET state = 'failed', last_error = coalesce(last_error, ?2)
                         WHERE state = 'queued' AND since < ?1",
                    )?
                    .execute((stale.0, &reason))?;
                let forgotten = writing
                    .tx
                    .prepare_cached(
                        "DELETE FROM outbox
                         WHERE created_at < ?1 AND state IN ('sent', 'failed')",
                    )?
                    .execute([old.0])?;
                Ok(given_up + forgotten)
            })
            .await
    }
}

/// Writes mails down in the transaction that causes them.
pub(super) fn add(tx: &Transaction<'_>, mails: &[NewMail]) -> Result<Vec<MailId>, StoreError> {
    mails.iter().map(|mail| add_one(tx, mail)).collect()
}

fn add_one(tx: &Transaction<'_>, mail: &NewMail) -> Result<MailId, StoreError> {
    check_workspace(tx, mail.workspace)?;
    let random: [u8; 16] = tx
        .prepare_cached("SELECT randomblob(16)")?
        .query_row([], |row| row.get(0))?;
    let id = MailId(Builder::from_random_bytes(random).into_uuid());
    tx.prepare_cached(
        "INSERT INTO outbox (
             workspace, id, kind, recipient, subject, about, content, created_at, since, next_at, state
         )
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, 'queued')",
    )?
    .execute((
        mail.workspace.0,
        id.0.as_bytes(),
        mail.kind.key(),
        &mail.recipient,
        &mail.subject,
        &mail.about,
        &mail.content,
        mail.created_at.0,
        mail.due_at.0,
    ))?;
    Ok(id)
}

/// The number of the mail that is sent next.
fn next(
    connection: &Connection,
    only: Option<(WorkspaceId, MailId)>,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    if let Some((workspace, id)) = only {
        return Ok(connection
            .prepare_cached(
                "SELECT no
                 FROM outbox
                 WHERE workspace = ?1 AND id = ?2
                   AND (state = 'queued' OR state = 'sending' AND lease_until <= ?3)",
            )?
            .query_row((workspace.0, id.0.as_bytes(), now.0), |row| row.get(0))
            .optional()?);
    }
    let first = |sql: &str| -> Result<Option<i64>, StoreError> {
        Ok(connection
            .prepare_cached(sql)?
            .query_row([now.0], |row| row.get(0))
            .optional()?)
    };
    // Whose sender died comes first.
    let left = first(
        "SELECT no
         FROM outbox
         WHERE state = 'sending' AND lease_until <= ?1
         ORDER BY lease_until
         LIMIT 1",
    )?;
    if left.is_some() {
        return Ok(left);
    }
    first(
        "SELECT no
         FROM outbox
         WHERE state = 'queued' AND next_at <= ?1
         ORDER BY next_at, no
         LIMIT 1",
    )
}

fn claim(
    tx: &Transaction<'_>,
    only: Option<(WorkspaceId, MailId)>,
    now: Timestamp,
    lease_millis: i64,
) -> Result<Option<(OutboxMail, Lease)>, StoreError> {
    let Some(no) = next(tx, only, now)? else {
        return Ok(None);
    };
    let lease: i64 = tx
        .prepare_cached(
            "UPDATE outbox
             SET state = 'sending', lease = lease + 1, lease_until = ?2
             WHERE no = ?1
             RETURNING lease",
        )?
        .query_row((no, now.0.saturating_add(lease_millis)), |row| row.get(0))?;
    let mail = tx
        .prepare_cached(&select("WHERE no = ?1"))?
        .query_row([no], read)??;
    Ok(Some((mail, Lease(counted(lease)))))
}

fn settle(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    id: MailId,
    lease: Lease,
    settled: &Settled,
) -> Result<(), StoreError> {
    let no: i64 = tx
        .prepare_cached(
            "SELECT no
             FROM outbox
             WHERE workspace = ?1 AND id = ?2 AND lease = ?3 AND state = 'sending'",
        )?
        .query_row((workspace.0, id.0.as_bytes(), stored(lease.0)), |row| {
            row.get(0)
        })
        .optional()?
        .ok_or(StoreError::LeaseLost)?;
    let rows = match settled {
        Settled::Sent { subject, at } => tx
            .prepare_cached(
                "UPDATE outbox
                 SET state = 'sent', sent_at = ?3, subject = ?2, content = NULL, last_error = NULL,
                     attempts = attempts + 1
                 WHERE no = ?1",
            )?
            .execute((no, subject, at.0))?,
        Settled::Retry { error, next_at } => tx
            .prepare_cached(
                "UPDATE outbox
                 SET state = 'queued', last_error = ?2, next_at = ?3, attempts = attempts + 1
                 WHERE no = ?1",
            )?
            .execute((no, error, next_at.0))?,
        Settled::Later { next_at } => tx
            .prepare_cached("UPDATE outbox SET state = 'queued', next_at = ?2 WHERE no = ?1")?
            .execute((no, next_at.0))?,
        Settled::Failed { error } => tx
            .prepare_cached(
                "UPDATE outbox
                 SET state = 'failed', last_error = ?2, attempts = attempts + 1
                 WHERE no = ?1",
            )?
            .execute((no, error))?,
    };
    touched(rows, || format!("mail {id}"))
}

fn number(connection: &Connection, workspace: WorkspaceId, id: MailId) -> Result<i64, StoreError> {
    connection
        .prepare_cached("SELECT no FROM outbox WHERE workspace = ?1 AND id = ?2")?
        .query_row((workspace.0, id.0.as_bytes()), |row| row.get(0))
        .optional()?
        .ok_or_else(|| missing(id))
}

fn find(
    connection: &Connection,
    workspace: WorkspaceId,
    id: MailId,
) -> Result<Option<OutboxMail>, StoreError> {
    connection
        .prepare_cached(&select("WHERE workspace = ?1 AND id = ?2"))?
        .query_row((workspace.0, id.0.as_bytes()), read)
        .optional()?
        .transpose()
}

fn missing(id: MailId) -> StoreError {
    StoreError::Missing(format!("mail {id}"))
}

fn select(rest: &str) -> String {
    format!(
        "SELECT workspace, id, kind, recipient, subject, about, content, created_at, since, state,
             attempts, next_at, last_error, sent_at
         FROM outbox
         {rest}"
    )
}

fn read(row: &Row<'_>) -> rusqlite::Result<Result<OutboxMail, StoreError>> {
    let (kind, state): (String, String) = (row.get("kind")?, row.get("state")?);
    let (Some(kind), Some(state)) = (MailKind::from_key(&kind), MailState::from_key(&state)) else {
        return Ok(Err(StoreError::Damaged(format!(
            "a mail is of the unknown kind `{kind}` or in the unknown state `{state}`"
        ))));
    };
    Ok(Ok(OutboxMail {
        id: MailId(Uuid::from_bytes(row.get("id")?)),
        workspace: WorkspaceId(row.get("workspace")?),
        kind,
        recipient: row.get("recipient")?,
        subject: row.get("subject")?,
        about: row.get("about")?,
        content: row.get("content")?,
        created_at: Timestamp(row.get("created_at")?),
        since: Timestamp(row.get("since")?),
        state,
        attempts: row.get("attempts")?,
        next_at: Timestamp(row.get("next_at")?),
        last_error: row.get("last_error")?,
        sent_at: row.get::<_, Option<i64>>("sent_at")?.map(Timestamp),
    }))
}
