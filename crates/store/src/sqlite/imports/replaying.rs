//! Imports that replay records of the log: one a source at a time.

use rusqlite::{OptionalExtension, Transaction};
use uuid::Uuid;

use super::create as create_import;
use crate::StoreError;
use crate::imports::{ImportId, NewImport, Replaying};

/// See [`crate::imports::Imports::create_replays`].
pub(super) fn create(tx: &Transaction<'_>, replays: &[NewImport]) -> Result<Replaying, StoreError> {
    for replay in replays {
        let busy: Option<[u8; 16]> = tx
            .prepare_cached(
                "SELECT id
                 FROM import
                 WHERE workspace = ?1 AND source = ?2 AND kind = 'replay'
                   AND state IN ('queued', 'running')
                 ORDER BY no
                 LIMIT 1",
            )?
            .query_row((replay.workspace.0, replay.source.0), |row| row.get(0))
            .optional()?;
        if let Some(id) = busy {
            return Ok(Replaying::Busy(ImportId(Uuid::from_bytes(id))));
        }
    }
    let created = replays.iter().map(|replay| create_import(tx, replay));
    Ok(Replaying::Created(created.collect::<Result<_, _>>()?))
}
