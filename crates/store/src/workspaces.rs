//! Workspaces: their settings and custom fields.

use async_trait::async_trait;
use rollbook_engine::schema::{FieldDef, FieldKind};
use serde::{Deserialize, Serialize};

use crate::{StoreError, Timestamp, WorkspaceId};

/// The settings of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceSettings {
    /// What people call it.
    pub name: String,
    /// Its IANA time zone, for example `Europe/Berlin`.
    pub time_zone: String,
    /// The region of phone numbers without a country code, as ISO 3166 alpha-2.
    pub region: Option<String>,
    /// The order of day, month and year where a column leaves it open: `dmy`, `mdy` or `ymd`.
    pub date_order: Option<String>,
    /// Words that mean blank; none for the standard ones.
    #[serde(default)]
    pub blank_words: Option<Vec<String>>,
}

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// Its number.
    pub id: WorkspaceId,
    /// Its settings.
    pub settings: WorkspaceSettings,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Workspaces and their custom fields.
#[async_trait]
pub trait Workspaces {
    /// All workspaces.
    async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError>;

    /// Makes a workspace with the source `manual`, in mode manual, for uploads.
    async fn add_workspace(
        &self,
        settings: WorkspaceSettings,
        now: Timestamp,
    ) -> Result<Workspace, StoreError>;

    /// Replaces a workspace's settings.
    async fn set_workspace_settings(
        &self,
        id: WorkspaceId,
        settings: WorkspaceSettings,
    ) -> Result<(), StoreError>;

    /// The custom fields in order of their numbers.
    async fn custom_fields(&self, workspace: WorkspaceId) -> Result<Vec<FieldDef>, StoreError>;

    /// Makes a custom field under the next free number; [`StoreError::Exists`] if the key is used.
    async fn add_field(
        &self,
        workspace: WorkspaceId,
        key: &str,
        label: &str,
        kind: FieldKind,
    ) -> Result<FieldDef, StoreError>;
}
