//! Workspaces: their settings and custom fields.

use async_trait::async_trait;
use rollbook_engine::policy::Mode;
use rollbook_engine::schema::{FieldDef, FieldId, FieldKind, Schema};
use rusqlite::{Connection, Row, Transaction};

use super::{Sqlite, check_workspace, sources, touched};
use crate::sources::NewSource;
use crate::workspaces::{
    Workspace, WorkspaceSettings, Workspaces, field_kind_from_json, field_kind_to_json,
};
use crate::{StoreError, Timestamp, WorkspaceId};

#[async_trait]
impl Workspaces for Sqlite {
    async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError> {
        self.readers.read(all).await
    }

    async fn add_workspace(
        &self,
        settings: WorkspaceSettings,
        now: Timestamp,
    ) -> Result<Workspace, StoreError> {
        self.writer
            .write(move |writing| {
                check_name(&writing.tx, None, &settings.name)?;
                let id = writing
                    .tx
                    .prepare_cached(
                        "INSERT INTO workspace (settings, created_at)
                         VALUES (?1, ?2)
                         RETURNING id",
                    )?
                    .query_row((to_json(&settings)?, now.0), |row| row.get(0))?;
                let id = WorkspaceId(id);
                sources::add(&writing.tx, id, &uploads(), now)?;
                Ok(Workspace {
                    id,
                    settings: settings.clone(),
                    created_at: now,
                })
            })
            .await
    }

    async fn set_workspace_settings(
        &self,
        id: WorkspaceId,
        settings: WorkspaceSettings,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                check_workspace(&writing.tx, id)?;
                check_name(&writing.tx, Some(id), &settings.name)?;
                let rows = writing
                    .tx
                    .prepare_cached("UPDATE workspace SET settings = ?2 WHERE id = ?1")?
                    .execute((id.0, to_json(&settings)?))?;
                touched(rows, || format!("workspace {}", id.0))
            })
            .await
    }

    async fn custom_fields(&self, workspace: WorkspaceId) -> Result<Vec<FieldDef>, StoreError> {
        self.readers
            .read(move |connection| custom_fields(connection, workspace))
            .await
    }

    async fn add_field(
        &self,
        workspace: WorkspaceId,
        key: &str,
        label: &str,
        kind: FieldKind,
    ) -> Result<FieldDef, StoreError> {
        let (key, label) = (key.to_owned(), label.to_owned());
        self.writer
            .write(move |writing| add_field(&writing.tx, workspace, &key, &label, &kind))
            .await
    }
}

fn all(connection: &Connection) -> Result<Vec<Workspace>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, settings, created_at
         FROM workspace
         ORDER BY id",
    )?;
    let rows = statement.query_map([], |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?))
    })?;
    rows.map(|row| {
        let (id, settings, created_at) = row?;
        Ok(Workspace {
            id: WorkspaceId(id),
            settings: serde_json::from_str(&settings).map_err(|error| {
                StoreError::Damaged(format!("settings of workspace {id}: {error}"))
            })?,
            created_at: Timestamp(created_at),
        })
    })
    .collect()
}

/// Refuses a name that another workspace has: people tell workspaces by their names.
fn check_name(
    connection: &Connection,
    own: Option<WorkspaceId>,
    name: &str,
) -> Result<(), StoreError> {
    let wanted = name.to_lowercase();
    let used = all(connection)?.into_iter().any(|workspace| {
        Some(workspace.id) != own && workspace.settings.name.to_lowercase() == wanted
    });
    if used {
        return Err(StoreError::Exists(format!("workspace `{name}`")));
    }
    Ok(())
}

/// The source of uploaded files, which every workspace has.
fn uploads() -> NewSource {
    NewSource {
        name: "manual".to_owned(),
        label: "Manual import".to_owned(),
        mode: Mode::Manual,
        namespace: "default".to_owned(),
        region: None,
        mapping: None,
    }
}

fn custom_fields(
    connection: &Connection,
    workspace: WorkspaceId,
) -> Result<Vec<FieldDef>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, key, label, kind
         FROM field
         WHERE workspace = ?1
         ORDER BY id",
    )?;
    let rows = statement.query_map([workspace.0], read_field)?;
    rows.map(|row| row?).collect()
}

fn read_field(row: &Row<'_>) -> rusqlite::Result<Result<FieldDef, StoreError>> {
    let id = FieldId(row.get(0)?);
    let (key, label) = (row.get(1)?, row.get(2)?);
    let kind: String = row.get(3)?;
    Ok(field_kind_from_json(&kind).map(|kind| FieldDef {
        id,
        key,
        label,
        kind,
    }))
}

fn add_field(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    key: &str,
    label: &str,
    kind: &FieldKind,
) -> Result<FieldDef, StoreError> {
    check_workspace(tx, workspace)?;
    let schema = Schema::with_custom(custom_fields(tx, workspace)?);
    if schema.by_key(key).is_some() {
        return Err(StoreError::Exists(format!("field `{key}`")));
    }
    let last = schema.fields().iter().map(|field| field.id).max();
    let next = last.map_or(0, |last| last.0).checked_add(1);
    let id = next
        .map(|next| FieldId(next).max(FieldId::FIRST_CUSTOM))
        .ok_or_else(|| StoreError::Conflict("a workspace holds no more fields".to_owned()))?;
    tx.prepare_cached(
        "INSERT INTO field (workspace, id, key, label, kind)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((workspace.0, id.0, key, label, field_kind_to_json(kind)?))?;
    Ok(FieldDef {
        id,
        key: key.to_owned(),
        label: label.to_owned(),
        kind: kind.clone(),
    })
}

fn to_json(settings: &WorkspaceSettings) -> Result<String, StoreError> {
    serde_json::to_string(settings).map_err(|error| StoreError::Damaged(error.to_string()))
}
