//! Settings of mails, and what was told.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension};

use super::{Sqlite, check_workspace, outbox, sources};
use crate::notifications::{NotificationSettings, Notifications};
use crate::outbox::{MailId, NewMail};
use crate::sources::SourceId;
use crate::{StoreError, WorkspaceId};

#[async_trait]
impl Notifications for Sqlite {
    async fn notification_settings(
        &self,
        workspace: WorkspaceId,
    ) -> Result<NotificationSettings, StoreError> {
        self.readers
            .read(move |connection| {
                let json: Option<String> = connection
                    .prepare_cached("SELECT settings FROM notification WHERE workspace = ?1")?
                    .query_row([workspace.0], |row| row.get(0))
                    .optional()?;
                let Some(json) = json else {
                    return Ok(NotificationSettings::default());
                };
                serde_json::from_str(&json).map_err(|error| {
                    StoreError::Damaged(format!(
                        "mail settings of workspace {}: {error}",
                        workspace.0
                    ))
                })
            })
            .await
    }

    async fn set_notification_settings(
        &self,
        workspace: WorkspaceId,
        settings: NotificationSettings,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                check_workspace(&writing.tx, workspace)?;
                let json = serde_json::to_string(&settings)
                    .map_err(|error| StoreError::Damaged(error.to_string()))?;
                writing
                    .tx
                    .prepare_cached(
                        "INSERT INTO notification (workspace, settings)
                         VALUES (?1, ?2)
                         ON CONFLICT (workspace) DO UPDATE SET settings = excluded.settings",
                    )?
                    .execute((workspace.0, json))?;
                Ok(())
            })
            .await
    }

    async fn watch(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
    ) -> Result<Option<String>, StoreError> {
        self.readers
            .read(move |connection| find(connection, workspace, source))
            .await
    }

    async fn move_watch(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        known: Option<String>,
        next: String,
        mails: Vec<NewMail>,
    ) -> Result<Option<Vec<MailId>>, StoreError> {
        self.writer
            .write(move |writing| {
                sources::get(&writing.tx, workspace, source)?;
                if find(&writing.tx, workspace, source)? != known {
                    return Ok(None);
                }
                writing
                    .tx
                    .prepare_cached(
                        "INSERT INTO watch (workspace, source, state)
                         VALUES (?1, ?2, ?3)
                         ON CONFLICT (workspace, source) DO UPDATE SET state = excluded.state",
                    )?
                    .execute((workspace.0, source.0, &next))?;
                outbox::add(&writing.tx, &mails).map(Some)
            })
            .await
    }
}

fn find(
    connection: &Connection,
    workspace: WorkspaceId,
    source: SourceId,
) -> Result<Option<String>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT state FROM watch WHERE workspace = ?1 AND source = ?2")?
        .query_row((workspace.0, source.0), |row| row.get(0))
        .optional()?)
}
