//! Workspaces: their settings and custom fields.

use async_trait::async_trait;
use rollbook_engine::field::choice::ChoiceOption;
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

    /// Makes a workspace with the source `manual`, in mode manual, for uploads; [`StoreError::Exists`] if its name is
    /// used, in any case.
    async fn add_workspace(
        &self,
        settings: WorkspaceSettings,
        now: Timestamp,
    ) -> Result<Workspace, StoreError>;

    /// Replaces a workspace's settings; [`StoreError::Exists`] if another one has the name.
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

/// How a field's kind is stored: `{"kind":"date","partial":true}`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum StoredKind {
    ExternalId,
    Name,
    Text,
    LongText,
    Phone,
    Email,
    Date { partial: bool },
    Time,
    DateTime,
    Language,
    Country,
    Tags,
    Number,
    Boolean,
    Choice { options: Vec<ChoiceOption> },
    Choices { options: Vec<ChoiceOption> },
    Url,
}

/// The stored form of a field's kind.
pub(crate) fn field_kind_to_json(kind: &FieldKind) -> Result<String, StoreError> {
    let stored = match kind {
        FieldKind::ExternalId => StoredKind::ExternalId,
        FieldKind::Name => StoredKind::Name,
        FieldKind::Text => StoredKind::Text,
        FieldKind::LongText => StoredKind::LongText,
        FieldKind::Phone => StoredKind::Phone,
        FieldKind::Email => StoredKind::Email,
        FieldKind::Date { partial } => StoredKind::Date { partial: *partial },
        FieldKind::Time => StoredKind::Time,
        FieldKind::DateTime => StoredKind::DateTime,
        FieldKind::Language => StoredKind::Language,
        FieldKind::Country => StoredKind::Country,
        FieldKind::Tags => StoredKind::Tags,
        FieldKind::Number => StoredKind::Number,
        FieldKind::Boolean => StoredKind::Boolean,
        FieldKind::Choice(options) => StoredKind::Choice {
            options: options.clone(),
        },
        FieldKind::Choices(options) => StoredKind::Choices {
            options: options.clone(),
        },
        FieldKind::Url => StoredKind::Url,
    };
    serde_json::to_string(&stored).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// A field's kind from its stored form.
pub(crate) fn field_kind_from_json(json: &str) -> Result<FieldKind, StoreError> {
    let stored = serde_json::from_str(json)
        .map_err(|error| StoreError::Damaged(format!("the kind of a field, `{json}`: {error}")))?;
    Ok(match stored {
        StoredKind::ExternalId => FieldKind::ExternalId,
        StoredKind::Name => FieldKind::Name,
        StoredKind::Text => FieldKind::Text,
        StoredKind::LongText => FieldKind::LongText,
        StoredKind::Phone => FieldKind::Phone,
        StoredKind::Email => FieldKind::Email,
        StoredKind::Date { partial } => FieldKind::Date { partial },
        StoredKind::Time => FieldKind::Time,
        StoredKind::DateTime => FieldKind::DateTime,
        StoredKind::Language => FieldKind::Language,
        StoredKind::Country => FieldKind::Country,
        StoredKind::Tags => FieldKind::Tags,
        StoredKind::Number => FieldKind::Number,
        StoredKind::Boolean => FieldKind::Boolean,
        StoredKind::Choice { options } => FieldKind::Choice(options),
        StoredKind::Choices { options } => FieldKind::Choices(options),
        StoredKind::Url => FieldKind::Url,
    })
}
