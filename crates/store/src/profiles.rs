//! Mappings that are kept for the next file: those with a name, and the one that was last used for a set of columns.

use async_trait::async_trait;

use crate::imports::ImportId;
use crate::sources::SourceId;
use crate::{StoreError, Timestamp, WorkspaceId};

/// Which columns a file has, whatever their order: a hash that only the app understands.
pub type HeaderHash = [u8; 32];

/// A mapping with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name, one of a kind in the workspace.
    pub name: String,
    /// The columns that it was made for.
    pub header: HeaderHash,
    /// How files are read and mapped by it: JSON that only the app understands.
    pub options: String,
    /// Who saved it last.
    pub saved_by: String,
    /// When.
    pub saved_at: Timestamp,
}

/// The mapping that was last used for a set of columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The import that used it.
    pub import: ImportId,
    /// How its file was read and mapped.
    pub options: String,
    /// The name of its file.
    pub file_name: String,
    /// Who ran it.
    pub used_by: String,
    /// When.
    pub used_at: Timestamp,
}

/// Mappings that are kept.
#[async_trait]
pub trait Profiles {
    /// Saves a mapping under its name; one of that name is replaced.
    async fn save_profile(
        &self,
        workspace: WorkspaceId,
        profile: Profile,
    ) -> Result<(), StoreError>;

    /// All profiles by name.
    async fn profiles(&self, workspace: WorkspaceId) -> Result<Vec<Profile>, StoreError>;

    /// The profile with a name.
    async fn profile(
        &self,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<Option<Profile>, StoreError>;

    /// Gives a profile another name; [`StoreError::Exists`] if that is used.
    async fn rename_profile(
        &self,
        workspace: WorkspaceId,
        name: &str,
        new_name: &str,
    ) -> Result<(), StoreError>;

    /// Forgets a profile.
    async fn delete_profile(&self, workspace: WorkspaceId, name: &str) -> Result<(), StoreError>;

    /// Remembers the mapping of an import for the next file of that source with the same columns.
    async fn remember_mapping(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        header: HeaderHash,
        used: Remembered,
    ) -> Result<(), StoreError>;

    /// The mapping that was last used for files of that source with these columns.
    async fn remembered_mapping(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        header: HeaderHash,
    ) -> Result<Option<Remembered>, StoreError>;
}
