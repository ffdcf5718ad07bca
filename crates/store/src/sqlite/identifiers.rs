//! The index of identifiers: which contacts may own one.
//!
//! It knows only hashes. Whoever asks gets every contact that may own the identifier and must look whether it does, so
//! a collision costs a look and is never a wrong match. The index is derived from the contacts and is changed in the
//! same transaction. The rest of the store sees nothing of how it is kept.

use rollbook_engine::contact::{Identifier, IdentifierKind};
use rusqlite::{Connection, Transaction};

use super::contacts::RowId;
use crate::{StoreError, WorkspaceId};

/// The index of one database.
pub(super) struct Identifiers {
    /// Different in every database, so that nobody can prepare values that collide.
    seed: u64,
}

/// Identifiers that contacts won and lost, to be applied together.
#[derive(Default)]
pub(super) struct Moves {
    lost: Vec<Entry>,
    won: Vec<Entry>,
}

/// A hash, and the row of a contact that has an identifier with it. Two contacts can share a hash.
type Entry = (i64, RowId);

impl Identifiers {
    /// The index of the database behind the connection.
    pub(super) fn open(connection: &Connection) -> Result<Identifiers, StoreError> {
        let seed: i64 =
            connection.query_row("SELECT hash_seed FROM installation", [], |row| row.get(0))?;
        Ok(Identifiers {
            seed: seed.cast_unsigned(),
        })
    }

    /// The rows, in their order and each once, of all contacts that may own one of these identifiers.
    pub(super) fn lookup<'a>(
        &self,
        connection: &Connection,
        workspace: WorkspaceId,
        identifiers: impl Iterator<Item = &'a Identifier>,
    ) -> Result<Vec<RowId>, StoreError> {
        let mut hashes: Vec<i64> = identifiers
            .map(|identifier| self.hash(workspace, identifier))
            .collect();
        // In the order of the tree, so that neighbours are on a page that is at hand.
        hashes.sort_unstable();
        hashes.dedup();
        let mut statement =
            connection.prepare_cached("SELECT contact FROM identifier WHERE hash = ?1")?;
        let mut found = Vec::new();
        for hash in hashes {
            let mut rows = statement.query([hash])?;
            while let Some(row) = rows.next()? {
                let row_id: RowId = row.get(0)?;
                // A collision may lead to another workspace.
                if row_id.workspace() == workspace {
                    found.push(row_id);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Notes what a contact had before and has now; a new contact had nothing.
    pub(super) fn note(
        &self,
        moves: &mut Moves,
        contact: RowId,
        before: impl Iterator<Item = Identifier>,
        after: impl Iterator<Item = Identifier>,
    ) {
        let hash = |identifier| self.hash(contact.workspace(), &identifier);
        let before: Vec<i64> = before.map(hash).collect();
        let after: Vec<i64> = after.map(hash).collect();
        let lost = before.iter().filter(|hash| !after.contains(hash));
        moves.lost.extend(lost.map(|hash| (*hash, contact)));
        let won = after.iter().filter(|hash| !before.contains(hash));
        moves.won.extend(won.map(|hash| (*hash, contact)));
    }

    /// Writes the moves down.
    #[expect(
        clippy::unused_self,
        reason = "the index is a table and nothing else, which is nobody else's business"
    )]
    pub(super) fn apply(&self, tx: &Transaction<'_>, mut moves: Moves) -> Result<(), StoreError> {
        moves.lost.sort_unstable();
        let mut delete =
            tx.prepare_cached("DELETE FROM identifier WHERE hash = ?1 AND contact = ?2")?;
        for (hash, contact) in moves.lost {
            delete.execute((hash, contact))?;
        }
        moves.won.sort_unstable();
        // A contact that has two identifiers with one hash needs one entry.
        let mut insert = tx.prepare_cached(
            "INSERT INTO identifier (hash, contact)
             VALUES (?1, ?2)
             ON CONFLICT DO NOTHING",
        )?;
        for (hash, contact) in moves.won {
            insert.execute((hash, contact))?;
        }
        Ok(())
    }

    fn hash(&self, workspace: WorkspaceId, identifier: &Identifier) -> i64 {
        hash(
            self.seed,
            workspace,
            identifier.kind(),
            identifier.key().as_bytes(),
        )
    }
}

fn hash(seed: u64, workspace: WorkspaceId, kind: IdentifierKind, key: &[u8]) -> i64 {
    let kind = match kind {
        IdentifierKind::ExternalId => 1,
        IdentifierKind::Phone => 2,
        IdentifierKind::Email => 3,
    };
    let seed = seed ^ u64::from(workspace.0) << 8 ^ kind;
    xxhash_rust::xxh3::xxh3_64_with_seed(key, seed).cast_signed()
}
