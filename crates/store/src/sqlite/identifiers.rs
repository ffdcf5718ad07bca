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

#[cfg(test)]
mod tests {
    use rollbook_engine::contact::ContactId;

    use super::super::{connect, migrations};
    use super::*;

    const HOTEL: WorkspaceId = WorkspaceId(1);
    const CLINIC: WorkspaceId = WorkspaceId(2);

    fn row(workspace: WorkspaceId, number: u64) -> RowId {
        RowId::new(workspace, ContactId(number)).unwrap()
    }

    fn numbers(rows: Vec<RowId>) -> Vec<u64> {
        rows.into_iter().map(|row| row.contact().0).collect()
    }

    fn index(folder: &tempfile::TempDir) -> (Connection, Identifiers) {
        let mut connection = connect(&folder.path().join("rollbook.db")).unwrap();
        migrations::migrate(&mut connection).unwrap();
        let identifiers = Identifiers::open(&connection).unwrap();
        (connection, identifiers)
    }

    /// The contact had `before` and has `after`.
    fn change(
        connection: &mut Connection,
        index: &Identifiers,
        contact: RowId,
        before: &[Identifier],
        after: &[Identifier],
    ) {
        let mut moves = Moves::default();
        index.note(
            &mut moves,
            contact,
            before.iter().cloned(),
            after.iter().cloned(),
        );
        let tx = connection.transaction().unwrap();
        index.apply(&tx, moves).unwrap();
        tx.commit().unwrap();
    }

    #[test]
    fn kinds_namespaces_and_workspaces_are_apart() {
        let folder = tempfile::tempdir().unwrap();
        let (mut connection, index) = index(&folder);
        let same = [
            Identifier::external_id("a", "1"),
            Identifier::external_id("b", "1"),
            Identifier::phone("1"),
            Identifier::email("1"),
        ];
        for (number, identifier) in (1..).zip(&same) {
            let identifier = std::slice::from_ref(identifier);
            change(&mut connection, &index, row(HOTEL, number), &[], identifier);
        }
        for (number, identifier) in (1..).zip(&same) {
            let found = index.lookup(&connection, HOTEL, [identifier].into_iter());
            assert_eq!(numbers(found.unwrap()), [number]);
            let found = index.lookup(&connection, CLINIC, [identifier].into_iter());
            assert_eq!(numbers(found.unwrap()), [0; 0]);
        }
        let found = index.lookup(&connection, HOTEL, same.iter()).unwrap();
        assert_eq!(numbers(found), [1, 2, 3, 4]);
    }

    #[test]
    fn two_contacts_can_share_a_hash() {
        let folder = tempfile::tempdir().unwrap();
        let (mut connection, index) = index(&folder);
        let phone = Identifier::phone("+491");
        let hash = index.hash(HOTEL, &phone);
        let one = std::slice::from_ref(&phone);
        change(&mut connection, &index, row(HOTEL, 1), &[], one);
        // As if these had an identifier with the same hash.
        for contact in [row(HOTEL, 5), row(CLINIC, 1)] {
            connection
                .execute("INSERT INTO identifier VALUES (?1, ?2)", (hash, contact))
                .unwrap();
        }
        let find = |connection: &Connection| {
            let found = index.lookup(connection, HOTEL, [&phone].into_iter());
            numbers(found.unwrap())
        };
        assert_eq!(find(&connection), [1, 5]);
        change(&mut connection, &index, row(HOTEL, 1), one, &[]);
        assert_eq!(find(&connection), [5]);
    }

    #[test]
    fn an_identifier_that_stays_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let (mut connection, index) = index(&folder);
        let [old, kept, new] = ["+491", "+492", "+493"].map(Identifier::phone);
        let before = [old.clone(), kept.clone()];
        let after = [new.clone(), kept.clone(), kept.clone()];
        change(&mut connection, &index, row(HOTEL, 1), &[], &before);
        change(&mut connection, &index, row(HOTEL, 1), &before, &after);
        for (identifier, found) in [(old, vec![]), (kept, vec![1]), (new, vec![1])] {
            let rows = index.lookup(&connection, HOTEL, [&identifier].into_iter());
            assert_eq!(numbers(rows.unwrap()), found);
        }
    }
}
