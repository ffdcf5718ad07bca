//! Sources and their API keys.

use async_trait::async_trait;
use rollbook_engine::policy::Mode;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use super::{Sqlite, check_workspace, counted, touched};
use crate::log::ResultCounts;
use crate::sources::{ApiKey, NewSource, Source, SourceId, Sources};
use crate::{StoreError, Timestamp, WorkspaceId};

const MINUTE: i64 = 60_000;

#[async_trait]
impl Sources for Sqlite {
    async fn add_source(
        &self,
        workspace: WorkspaceId,
        source: NewSource,
        now: Timestamp,
    ) -> Result<Source, StoreError> {
        self.writer
            .write(move |writing| add(&writing.tx, workspace, &source, now))
            .await
    }

    async fn sources(&self, workspace: WorkspaceId) -> Result<Vec<Source>, StoreError> {
        self.readers
            .read(move |connection| {
                let sql = select_source(
                    "WHERE workspace = ?1
                     ORDER BY name",
                );
                let mut statement = connection.prepare_cached(&sql)?;
                let rows = statement.query_map([workspace.0], read_source)?;
                rows.map(|row| row?).collect()
            })
            .await
    }

    async fn source(
        &self,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<Option<Source>, StoreError> {
        let name = name.to_owned();
        self.readers
            .read(move |connection| {
                connection
                    .prepare_cached(&select_source("WHERE workspace = ?1 AND name = ?2"))?
                    .query_row((workspace.0, &name), read_source)
                    .optional()?
                    .transpose()
            })
            .await
    }

    async fn set_source_paused(
        &self,
        workspace: WorkspaceId,
        id: SourceId,
        paused: bool,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                let rows = writing
                    .tx
                    .prepare_cached(
                        "UPDATE source
                         SET paused = ?3
                         WHERE workspace = ?1 AND id = ?2",
                    )?
                    .execute((workspace.0, id.0, paused))?;
                touched(rows, || format!("source {}", id.0))
            })
            .await
    }

    async fn update_source(
        &self,
        workspace: WorkspaceId,
        id: SourceId,
        source: NewSource,
    ) -> Result<Source, StoreError> {
        self.writer
            .write(move |writing| {
                let rows = writing
                    .tx
                    .prepare_cached(
                        "UPDATE source
                         SET label = ?3, mode = ?4, namespace = ?5, region = ?6, mapping = ?7
                         WHERE workspace = ?1 AND id = ?2",
                    )?
                    .execute((
                        workspace.0,
                        id.0,
                        &source.label,
                        mode_key(source.mode),
                        &source.namespace,
                        &source.region,
                        &source.mapping,
                    ))?;
                touched(rows, || format!("source {}", id.0))?;
                get(&writing.tx, workspace, id)
            })
            .await
    }

    async fn add_key(
        &self,
        workspace: WorkspaceId,
        source: Option<SourceId>,
        name: &str,
        prefix: &str,
        hash: [u8; 32],
        now: Timestamp,
    ) -> Result<ApiKey, StoreError> {
        let (name, prefix) = (name.to_owned(), prefix.to_owned());
        self.writer
            .write(move |writing| {
                insert_key(&writing.tx, workspace, source, &name, &prefix, hash, now)
            })
            .await
    }

    async fn rotate_key(
        &self,
        workspace: WorkspaceId,
        id: u32,
        prefix: &str,
        hash: [u8; 32],
        now: Timestamp,
        old_until: Timestamp,
    ) -> Result<ApiKey, StoreError> {
        let prefix = prefix.to_owned();
        self.writer
            .write(move |writing| {
                let tx = &writing.tx;
                let old = key(tx, workspace, id)?;
                if old.revoked_at.is_some() || old.expires_at.is_some() {
                    return Err(StoreError::Conflict(format!(
                        "key {id} was revoked or replaced already; rotate the one that is in use"
                    )));
                }
                tx.prepare_cached(
                    "UPDATE api_key
                     SET expires_at = ?3
                     WHERE workspace = ?1 AND id = ?2",
                )?
                .execute((workspace.0, id, old_until.0))?;
                insert_key(tx, workspace, old.source, &old.name, &prefix, hash, now)
            })
            .await
    }

    async fn keys(&self, workspace: WorkspaceId) -> Result<Vec<ApiKey>, StoreError> {
        self.readers
            .read(move |connection| {
                let sql = select_key(
                    "WHERE workspace = ?1
                     ORDER BY id DESC",
                );
                let mut statement = connection.prepare_cached(&sql)?;
                let rows = statement.query_map([workspace.0], read_key)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn key_by_hash(&self, hash: [u8; 32]) -> Result<Option<ApiKey>, StoreError> {
        self.readers
            .read(move |connection| key_by_hash(connection, hash))
            .await
    }

    async fn touch_key(
        &self,
        workspace: WorkspaceId,
        id: u32,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                let key = key(&writing.tx, workspace, id)?;
                let minute = now.0 - now.0.rem_euclid(MINUTE);
                // Most uses are in a minute that is written down already.
                if key.last_used_at.is_none_or(|last| last.0 < minute) {
                    writing
                        .tx
                        .prepare_cached(
                            "UPDATE api_key
                             SET last_used_at = ?3
                             WHERE workspace = ?1 AND id = ?2",
                        )?
                        .execute((workspace.0, id, minute))?;
                }
                Ok(())
            })
            .await
    }

    async fn revoke_key(
        &self,
        workspace: WorkspaceId,
        id: u32,
        now: Timestamp,
    ) -> Result<ApiKey, StoreError> {
        self.writer
            .write(move |writing| {
                writing
                    .tx
                    .prepare_cached(
                        "UPDATE api_key
                         SET revoked_at = coalesce(revoked_at, ?3)
                         WHERE workspace = ?1 AND id = ?2",
                    )?
                    .execute((workspace.0, id, now.0))?;
                key(&writing.tx, workspace, id)
            })
            .await
    }
}

/// Makes a source.
pub(super) fn add(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    source: &NewSource,
    now: Timestamp,
) -> Result<Source, StoreError> {
    check_workspace(tx, workspace)?;
    let used = tx
        .prepare_cached("SELECT 1 FROM source WHERE workspace = ?1 AND name = ?2")?
        .exists((workspace.0, &source.name))?;
    if used {
        return Err(StoreError::Exists(format!("source `{}`", source.name)));
    }
    let id: u32 = tx
        .prepare_cached(
            "INSERT INTO source (
                 workspace, id, name, label, mode, namespace, region, mapping, created_at
             )
             SELECT ?1, coalesce(max(id), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
             FROM source
             WHERE workspace = ?1
             RETURNING id",
        )?
        .query_row(
            (
                workspace.0,
                &source.name,
                &source.label,
                mode_key(source.mode),
                &source.namespace,
                &source.region,
                &source.mapping,
                now.0,
            ),
            |row| row.get(0),
        )?;
    get(tx, workspace, SourceId(id))
}

/// One source; an error if there is none.
pub(super) fn get(
    connection: &Connection,
    workspace: WorkspaceId,
    id: SourceId,
) -> Result<Source, StoreError> {
    connection
        .prepare_cached(&select_source("WHERE workspace = ?1 AND id = ?2"))?
        .query_row((workspace.0, id.0), read_source)
        .optional()?
        .unwrap_or_else(|| Err(StoreError::Missing(format!("source {}", id.0))))
}

fn insert_key(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    source: Option<SourceId>,
    name: &str,
    prefix: &str,
    hash: [u8; 32],
    now: Timestamp,
) -> Result<ApiKey, StoreError> {
    if let Some(source) = source {
        get(tx, workspace, source)?;
    }
    if key_by_hash(tx, hash)?.is_some() {
        return Err(StoreError::Exists(format!("key {prefix}…")));
    }
    tx.prepare_cached(
        "INSERT INTO api_key (
             workspace, id, source, name, prefix, hash, created_at
         )
         SELECT ?1, coalesce(max(id), 0) + 1, ?2, ?3, ?4, ?5, ?6
         FROM api_key
         WHERE workspace = ?1",
    )?
    .execute((
        workspace.0,
        source.map(|source| source.0),
        name,
        prefix,
        hash,
        now.0,
    ))?;
    key_by_hash(tx, hash)?.ok_or_else(|| StoreError::Missing(format!("key {prefix}…")))
}

fn key(connection: &Connection, workspace: WorkspaceId, id: u32) -> Result<ApiKey, StoreError> {
    connection
        .prepare_cached(&select_key("WHERE workspace = ?1 AND id = ?2"))?
        .query_row((workspace.0, id), read_key)
        .optional()?
        .ok_or_else(|| StoreError::Missing(format!("key {id}")))
}

fn key_by_hash(connection: &Connection, hash: [u8; 32]) -> Result<Option<ApiKey>, StoreError> {
    Ok(connection
        .prepare_cached(&select_key("WHERE hash = ?1"))?
        .query_row([hash], read_key)
        .optional()?)
}

fn select_source(rest: &str) -> String {
    format!(
        "SELECT id, workspace, name, label, mode, namespace, region, mapping, paused, created_at,
             last_received_at, success, warning, failure
         FROM source
         {rest}"
    )
}

fn read_source(row: &Row<'_>) -> rusqlite::Result<Result<Source, StoreError>> {
    let mode: String = row.get("mode")?;
    let Some(mode) = mode_from_key(&mode) else {
        return Ok(Err(StoreError::Damaged(format!(
            "a source has the unknown mode `{mode}`"
        ))));
    };
    Ok(Ok(Source {
        id: SourceId(row.get("id")?),
        workspace: WorkspaceId(row.get("workspace")?),
        settings: NewSource {
            name: row.get("name")?,
            label: row.get("label")?,
            mode,
            namespace: row.get("namespace")?,
            region: row.get("region")?,
            mapping: row.get("mapping")?,
        },
        paused: row.get("paused")?,
        created_at: Timestamp(row.get("created_at")?),
        last_received_at: row
            .get::<_, Option<i64>>("last_received_at")?
            .map(Timestamp),
        counts: ResultCounts {
            success: counted(row.get("success")?),
            warning: counted(row.get("warning")?),
            failure: counted(row.get("failure")?),
        },
    }))
}

fn select_key(rest: &str) -> String {
    format!(
        "SELECT id, workspace, source, name, prefix, created_at, last_used_at, revoked_at, expires_at
         FROM api_key
         {rest}"
    )
}

fn read_key(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    Ok(ApiKey {
        id: row.get("id")?,
        workspace: WorkspaceId(row.get("workspace")?),
        source: row.get::<_, Option<u32>>("source")?.map(SourceId),
        name: row.get("name")?,
        prefix: row.get("prefix")?,
        created_at: Timestamp(row.get("created_at")?),
        last_used_at: row.get::<_, Option<i64>>("last_used_at")?.map(Timestamp),
        revoked_at: row.get::<_, Option<i64>>("revoked_at")?.map(Timestamp),
        expires_at: row.get::<_, Option<i64>>("expires_at")?.map(Timestamp),
    })
}

fn mode_key(mode: Mode) -> &'static str {
    match mode {
        Mode::Manual => "manual",
        Mode::Automatic => "automatic",
    }
}

fn mode_from_key(key: &str) -> Option<Mode> {
    [Mode::Manual, Mode::Automatic]
        .into_iter()
        .find(|mode| mode_key(*mode) == key)
}
