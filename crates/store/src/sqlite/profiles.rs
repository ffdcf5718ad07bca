//! Mappings that are kept for the next file.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row};
use uuid::Uuid;

use super::{Sqlite, check_workspace, touched};
use crate::imports::ImportId;
use crate::profiles::{HeaderHash, Profile, Profiles, Remembered};
use crate::sources::SourceId;
use crate::{StoreError, Timestamp, WorkspaceId};

#[async_trait]
impl Profiles for Sqlite {
    async fn save_profile(
        &self,
        workspace: WorkspaceId,
        profile: Profile,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                check_workspace(&writing.tx, workspace)?;
                writing
                    .tx
                    .prepare_cached(
                        "INSERT INTO mapping_profile (
                             workspace, name, header, options, saved_by, saved_at
                         )
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                         ON CONFLICT (workspace, name) DO UPDATE
                         SET header = excluded.header,
                             options = excluded.options,
                             saved_by = excluded.saved_by,
                             saved_at = excluded.saved_at",
                    )?
                    .execute((
                        workspace.0,
                        &profile.name,
                        profile.header,
                        &profile.options,
                        &profile.saved_by,
                        profile.saved_at.0,
                    ))?;
                Ok(())
            })
            .await
    }

    async fn profiles(&self, workspace: WorkspaceId) -> Result<Vec<Profile>, StoreError> {
        self.readers
            .read(move |connection| {
                let sql = select(
                    "WHERE workspace = ?1
                     ORDER BY name",
                );
                let mut statement = connection.prepare_cached(&sql)?;
                let rows = statement.query_map([workspace.0], read)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn profile(
        &self,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<Option<Profile>, StoreError> {
        let name = name.to_owned();
        self.readers
            .read(move |connection| {
                let sql = select("WHERE workspace = ?1 AND name = ?2");
                let mut statement = connection.prepare_cached(&sql)?;
                Ok(statement.query_row((workspace.0, &name), read).optional()?)
            })
            .await
    }

    async fn rename_profile(
        &self,
        workspace: WorkspaceId,
        name: &str,
        new_name: &str,
    ) -> Result<(), StoreError> {
        let (name, new_name) = (name.to_owned(), new_name.to_owned());
        self.writer
            .write(move |writing| {
                let used = writing
                    .tx
                    .prepare_cached(
                        "SELECT 1 FROM mapping_profile WHERE workspace = ?1 AND name = ?2",
                    )?
                    .exists((workspace.0, &new_name))?;
                if used && name != new_name {
                    return Err(StoreError::Exists(format!("mapping profile `{new_name}`")));
                }
                let rows = writing
                    .tx
                    .prepare_cached(
                        "UPDATE mapping_profile
                         SET name = ?3
                         WHERE workspace = ?1 AND name = ?2",
                    )?
                    .execute((workspace.0, &name, &new_name))?;
                touched(rows, || format!("mapping profile `{name}`"))
            })
            .await
    }

    async fn delete_profile(&self, workspace: WorkspaceId, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.writer
            .write(move |writing| {
                let rows = writing
                    .tx
                    .prepare_cached(
                        "DELETE FROM mapping_profile WHERE workspace = ?1 AND name = ?2",
                    )?
                    .execute((workspace.0, &name))?;
                touched(rows, || format!("mapping profile `{name}`"))
            })
            .await
    }

    async fn remember_mapping(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        header: HeaderHash,
        used: Remembered,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                check_workspace(&writing.tx, workspace)?;
                writing
                    .tx
                    .prepare_cached(
                        "INSERT INTO remembered_mapping (
                             workspace, source, header, import, options, file_name, used_by, used_at
                         )
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                         ON CONFLICT (workspace, source, header) DO UPDATE
                         SET import = excluded.import,
                             options = excluded.options,
                             file_name = excluded.file_name,
                             used_by = excluded.used_by,
                             used_at = excluded.used_at",
                    )?
                    .execute((
                        workspace.0,
                        source.0,
                        header,
                        used.import.0.as_bytes(),
                        &used.options,
                        &used.file_name,
                        &used.used_by,
                        used.used_at.0,
                    ))?;
                Ok(())
            })
            .await
    }

    async fn remembered_mapping(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        header: HeaderHash,
    ) -> Result<Option<Remembered>, StoreError> {
        self.readers
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT import, options, file_name, used_by, used_at
                     FROM remembered_mapping
                     WHERE workspace = ?1 AND source = ?2 AND header = ?3",
                )?;
                let found = statement.query_row((workspace.0, source.0, header), |row| {
                    Ok(Remembered {
                        import: ImportId(Uuid::from_bytes(row.get(0)?)),
                        options: row.get(1)?,
                        file_name: row.get(2)?,
                        used_by: row.get(3)?,
                        used_at: Timestamp(row.get(4)?),
                    })
                });
                Ok(found.optional()?)
            })
            .await
    }
}

fn select(rest: &str) -> String {
    format!(
        "SELECT name, header, options, saved_by, saved_at
         FROM mapping_profile
         {rest}"
    )
}

fn read(row: &Row<'_>) -> rusqlite::Result<Profile> {
    Ok(Profile {
        name: row.get(0)?,
        header: row.get(1)?,
        options: row.get(2)?,
        saved_by: row.get(3)?,
        saved_at: Timestamp(row.get(4)?),
    })
}
