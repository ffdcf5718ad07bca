//! Identifiers of people who were erased: known only as HMAC-SHA256 under a random key of the workspace.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use rollbook_engine::contact::{IdentifierKind, IdentifierRef};
use rusqlite::{Connection, OptionalExtension, Transaction};
use sha2::Sha256;

use crate::{StoreError, WorkspaceId};

/// A keyed hash of an identifier.
pub(in crate::sqlite) type ErasedHash = [u8; 32];

/// What is known of a workspace.
pub(in crate::sqlite) struct Erased {
    token: Vec<u8>,
    key: Hmac<Sha256>,
    hashes: HashSet<ErasedHash>,
}

/// What is known of all workspaces, as of some state of the database that its token tells.
#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<WorkspaceId, Arc<Erased>>>);

impl Erased {
    /// Whether an identifier is of a person who was erased.
    pub(in crate::sqlite) fn has(&self, identifier: &IdentifierRef<'_>) -> bool {
        self.hashes.contains(&self.hash(identifier))
    }

    /// The hash of an identifier.
    pub(in crate::sqlite) fn hash(&self, identifier: &IdentifierRef<'_>) -> ErasedHash {
        let mut mac = self.key.clone();
        mac.update(&[match identifier.kind() {
            IdentifierKind::ExternalId => 1,
            IdentifierKind::Phone => 2,
            IdentifierKind::Email => 3,
        }]);
        for part in identifier.key_parts() {
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    /// Whether there are any.
    pub(in crate::sqlite) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }
}

impl Cache {
    /// What a transaction sees; none if nobody was ever erased in the workspace.
    pub(super) fn get(
        &self,
        connection: &Connection,
        workspace: WorkspaceId,
    ) -> Result<Option<Arc<Erased>>, StoreError> {
        let token: Option<Vec<u8>> = connection
            .prepare_cached("SELECT token FROM erased_key WHERE workspace = ?1")?
            .query_row([workspace.0], |row| row.get(0))
            .optional()?;
        let Some(token) = token else {
            return Ok(None);
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(erased) = known.get(&workspace)
            && erased.token == token
        {
            return Ok(Some(Arc::clone(erased)));
        }
        let erased = Arc::new(read(connection, workspace, token)?);
        known.insert(workspace, Arc::clone(&erased));
        Ok(Some(erased))
    }
}

fn read(
    connection: &Connection,
    workspace: WorkspaceId,
    token: Vec<u8>,
) -> Result<Erased, StoreError> {
    let key: Vec<u8> = connection
        .prepare_cached("SELECT key FROM erased_key WHERE workspace = ?1")?
        .query_row([workspace.0], |row| row.get(0))?;
    let key = Hmac::<Sha256>::new_from_slice(&key)
        .map_err(|_| StoreError::Damaged("the key of erased identifiers".to_owned()))?;
    let mut statement =
        connection.prepare_cached("SELECT hash FROM erased_identifier WHERE workspace = ?1")?;
    let hashes = statement.query_map([workspace.0], |row| row.get(0))?;
    Ok(Erased {
        token,
        key,
        hashes: hashes.collect::<Result<_, _>>()?,
    })
}

/// Makes the key of a workspace, if it has none; and tells everybody that its identifiers change.
pub(in crate::sqlite) fn change(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO erased_key (workspace, key, token)
         VALUES (?1, randomblob(32), randomblob(16))
         ON CONFLICT (workspace) DO UPDATE SET token = randomblob(16)",
    )?
    .execute([workspace.0])?;
    Ok(())
}
