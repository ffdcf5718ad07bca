//! Mappings that are kept for the next file: by the columns that they were used for, and under a name.

use rollbook_store::StoreError;
use rollbook_store::WorkspaceId;
use rollbook_store::imports::Import;
use rollbook_store::profiles::{HeaderHash, Profile, Remembered};
use rollbook_store::sources::Source;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::audit::{Act, Actor};
use crate::clock;
use crate::imports::options::ImportOptions;

/// The longest name of a profile, in characters.
const MAX_NAME: usize = 100;

/// Which columns a header has, whatever their order and case.
pub(crate) fn header_hash(header: &[String]) -> HeaderHash {
    let mut names: Vec<String> = header
        .iter()
        .map(|name| name.trim().to_lowercase())
        .collect();
    names.sort_unstable();
    let mut hasher = Sha256::new();
    for name in names {
        hasher.update(name.as_bytes());
        hasher.update([0x1f]);
    }
    hasher.finalize().into()
}

/// Remembers how an import was mapped for the next file of its source with the same columns.
pub(crate) async fn remember(
    app: &App,
    import: &Import,
    options: &ImportOptions,
    json: String,
) -> Result<(), StoreError> {
    let used = Remembered {
        import: import.id,
        options: json,
        file_name: import.file_name.clone(),
        used_by: import.created_by.clone(),
        used_at: clock::now(),
    };
    let header = header_hash(&options.header);
    app.store
        .remember_mapping(import.workspace, import.source, header, used)
        .await
}

/// How the last file of that source with these columns was mapped, if there was one.
pub(crate) async fn remembered(
    app: &App,
    source: &Source,
    header: &[String],
) -> Result<Option<(Remembered, ImportOptions)>, StoreError> {
    let found = app
        .store
        .remembered_mapping(source.workspace, source.id, header_hash(header))
        .await?;
    Ok(found.and_then(|found| {
        let options = serde_json::from_str(&found.options).ok()?;
        Some((found, options))
    }))
}

/// The name of a profile as it is stored; else what is wrong with it.
pub(crate) fn checked_name(name: &str) -> Result<String, String> {
    let name = name.trim();
    let fits =
        (1..=MAX_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    fits.then(|| name.to_owned()).ok_or_else(|| {
        format!(
            "the name of a mapping profile has 1 to {MAX_NAME} characters; choose one such as `Weekly list`"
        )
    })
}

/// Saves a mapping under a name that was checked.
pub(crate) async fn save(
    app: &App,
    workspace: WorkspaceId,
    name: &str,
    options: &ImportOptions,
    by: &str,
    actor: &Actor,
) -> Result<(), StoreError> {
    let profile = Profile {
        name: name.to_owned(),
        header: header_hash(&options.header),
        options: serde_json::to_string(options)
            .map_err(|error| StoreError::Damaged(error.to_string()))?,
        saved_by: by.to_owned(),
        saved_at: clock::now(),
    };
    app.store.save_profile(workspace, profile).await?;
    let about = format!("{name}: saved");
    app.audit(workspace, actor, Act::ChangedProfile, &about)
        .await
}

/// Gives a profile another name, which was checked.
pub(crate) async fn rename(
    app: &App,
    workspace: WorkspaceId,
    name: &str,
    new: &str,
    actor: &Actor,
) -> Result<(), StoreError> {
    app.store.rename_profile(workspace, name, new).await?;
    let about = format!("{name}: renamed to {new}");
    app.audit(workspace, actor, Act::ChangedProfile, &about)
        .await
}

/// Deletes a profile.
pub(crate) async fn delete(
    app: &App,
    workspace: WorkspaceId,
    name: &str,
    actor: &Actor,
) -> Result<(), StoreError> {
    app.store.delete_profile(workspace, name).await?;
    let about = format!("{name}: deleted");
    app.audit(workspace, actor, Act::ChangedProfile, &about)
        .await
}

/// The mapping with a name.
pub(crate) async fn find(
    app: &App,
    workspace: WorkspaceId,
    name: &str,
) -> Result<Option<ImportOptions>, StoreError> {
    let found = app.store.profile(workspace, name.trim()).await?;
    Ok(found.and_then(|profile| serde_json::from_str(&profile.options).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_and_case_of_columns_do_not_matter() {
        let hash = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            header_hash(&names)
        };
        assert_eq!(hash(&["Name", "Telefon "]), hash(&["telefon", "NAME"]));
        assert_ne!(hash(&["Name", "Telefon"]), hash(&["Name"]));
        assert_ne!(hash(&["a", "b"]), hash(&["ab"]));
        assert_ne!(hash(&["a", "a"]), hash(&["a"]));
    }
}
