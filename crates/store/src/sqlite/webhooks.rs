//! Signed webhooks.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row};

use super::{Sqlite, sources, touched};
use crate::sources::SourceId;
use crate::webhooks::{Knock, StoredSecret, Webhook, Webhooks};
use crate::{StoreError, Timestamp, WorkspaceId};

const MINUTE: i64 = 60_000;

#[async_trait]
impl Webhooks for Sqlite {
    async fn webhook(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
    ) -> Result<Option<Webhook>, StoreError> {
        self.readers
            .read(move |connection| find(connection, workspace, source))
            .await
    }

    async fn set_webhook(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        scheme: &str,
        secret: StoredSecret,
        now: Timestamp,
    ) -> Result<Webhook, StoreError> {
        let scheme = scheme.to_owned();
        self.writer
            .write(move |writing| {
                sources::get(&writing.tx, workspace, source)?;
                writing
                    .tx
                    .prepare_cached(
                        "INSERT OR REPLACE INTO webhook (
                             workspace, source, scheme, secret, secret_at, created_at
                         )
                         VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
                    )?
                    .execute((workspace.0, source.0, &scheme, &secret.0, now.0))?;
                get(&writing.tx, workspace, source)
            })
            .await
    }

    async fn rotate_webhook(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        secret: StoredSecret,
        now: Timestamp,
        old_until: Timestamp,
    ) -> Result<Webhook, StoreError> {
        self.writer
            .write(move |writing| {
                let overlaps = old_until.0 > now.0;
                let rows = writing
                    .tx
                    .prepare_cached(
                        "UPDATE webhook
                         SET previous = CASE WHEN ?5 THEN secret END,
                             previous_until = CASE WHEN ?5 THEN ?6 END,
                             secret = ?3, secret_at = ?4
                         WHERE workspace = ?1 AND source = ?2",
                    )?
                    .execute((
                        workspace.0,
                        source.0,
                        &secret.0,
                        now.0,
                        overlaps,
                        old_until.0,
                    ))?;
                touched(rows, || named(source))?;
                get(&writing.tx, workspace, source)
            })
            .await
    }

    async fn end_webhook_overlap(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
    ) -> Result<Webhook, StoreError> {
        self.writer
            .write(move |writing| {
                let rows = writing
                    .tx
                    .prepare_cached(
                        "UPDATE webhook
                         SET previous = NULL, previous_until = NULL
                         WHERE workspace = ?1 AND source = ?2",
                    )?
                    .execute((workspace.0, source.0))?;
                touched(rows, || named(source))?;
                get(&writing.tx, workspace, source)
            })
            .await
    }

    async fn remove_webhook(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                let rows = writing
                    .tx
                    .prepare_cached("DELETE FROM webhook WHERE workspace = ?1 AND source = ?2")?
                    .execute((workspace.0, source.0))?;
                touched(rows, || named(source))
            })
            .await
    }

    async fn touch_webhook(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        knock: Knock,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let minute = now.0 - now.0.rem_euclid(MINUTE);
        self.writer
            .write(move |writing| {
                match knock {
                    Knock::Accepted => writing
                        .tx
                        .prepare_cached(
                            "UPDATE webhook
                             SET accepted_at = ?3,
                                 previous = CASE WHEN previous_until > ?4 THEN previous END,
                                 previous_until = CASE WHEN previous_until > ?4 THEN previous_until END
                             WHERE workspace = ?1 AND source = ?2
                                 AND (accepted_at IS NULL OR accepted_at < ?3)",
                        )?
                        .execute((workspace.0, source.0, minute, now.0))?,
                    Knock::Refused(why) => writing
                        .tx
                        .prepare_cached(
                            "UPDATE webhook
                             SET refused_at = ?3, refused_for = ?4
                             WHERE workspace = ?1 AND source = ?2
                                 AND (refused_at IS NULL OR refused_at < ?3)",
                        )?
                        .execute((workspace.0, source.0, minute, why))?,
                };
                Ok(())
            })
            .await
    }

    async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        self.readers
            .read(|connection| {
                let mut statement =
                    connection.prepare_cached(&select("ORDER BY workspace, source"))?;
                let rows = statement.query_map([], read)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn replace_webhook_secret(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        stored: StoredSecret,
        anew: StoredSecret,
    ) -> Result<bool, StoreError> {
        self.writer
            .write(move |writing| {
                let rows = writing
                    .tx
                    .prepare_cached(
                        "UPDATE webhook
                         SET secret = CASE WHEN secret = ?3 THEN ?4 ELSE secret END,
                             previous = CASE WHEN previous = ?3 THEN ?4 ELSE previous END
                         WHERE workspace = ?1 AND source = ?2 AND (secret = ?3 OR previous = ?3)",
                    )?
                    .execute((workspace.0, source.0, &stored.0, &anew.0))?;
                Ok(rows > 0)
            })
            .await
    }
}

fn named(source: SourceId) -> String {
    format!("a signed webhook of source {}", source.0)
}

fn get(
    connection: &Connection,
    workspace: WorkspaceId,
    source: SourceId,
) -> Result<Webhook, StoreError> {
    find(connection, workspace, source)?.ok_or_else(|| StoreError::Missing(named(source)))
}

fn find(
    connection: &Connection,
    workspace: WorkspaceId,
    source: SourceId,
) -> Result<Option<Webhook>, StoreError> {
    Ok(connection
        .prepare_cached(&select("WHERE workspace = ?1 AND source = ?2"))?
        .query_row((workspace.0, source.0), read)
        .optional()?)
}

fn select(rest: &str) -> String {
    format!(
        "SELECT workspace, source, scheme, secret, secret_at, previous, previous_until, created_at,
             accepted_at, refused_at, refused_for
         FROM webhook
         {rest}"
    )
}

fn read(row: &Row<'_>) -> rusqlite::Result<Webhook> {
    let time = |column: &str| -> rusqlite::Result<Option<Timestamp>> {
        Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
    };
    let previous = row.get::<_, Option<Vec<u8>>>("previous")?.map(StoredSecret);
    let refused_for: Option<String> = row.get("refused_for")?;
    Ok(Webhook {
        workspace: WorkspaceId(row.get("workspace")?),
        source: SourceId(row.get("source")?),
        scheme: row.get("scheme")?,
        secret: StoredSecret(row.get("secret")?),
        secret_at: Timestamp(row.get("secret_at")?),
        previous: previous.zip(time("previous_until")?),
        created_at: Timestamp(row.get("created_at")?),
        accepted_at: time("accepted_at")?,
        refused: time("refused_at")?.zip(refused_for),
    })
}
