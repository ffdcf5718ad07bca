//! The index of identifiers: which contacts may own one.
//!
//! It knows only hashes. Whoever asks gets every contact that may own the identifier and must look whether it does, so
//! a collision costs a look and is never a wrong match. The rest of the store sees nothing of how it is kept.
//!
//! **In memory** every process that needs the index has all of it: a hash of 64 bits to a contact's row, 16 bytes and
//! a control byte in tables that are at least half full ([`table`]). A tree on disk with random keys would write a
//! page for nearly every identifier of a batch.
//!
//! **On disk** it is a row of `identifier_segment` for each transaction that changed it: what contacts won and lost,
//! appended in the same transaction as the contacts ([`segments`]). Small segments are merged, so that single
//! deliveries do not leave one each. `installation` says where the segments end, with a digest of everything before.
//!
//! **Several processes** write one file, so a transaction first looks at that end: if it moved, the segments behind
//! what is known are read; if it is not a continuation of what is known (an older file was restored), everything is
//! read again. A segment that is missing or damaged does not matter: contacts say the same, and the index is made
//! anew from them, with a message in the program's own log.

pub(super) mod erased;
mod segments;
mod table;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rollbook_engine::contact::{IdentifierKind, IdentifierRef};
use rollbook_engine::known::Move;
use rusqlite::{Connection, Transaction};

use self::erased::Erased;
use self::segments::{End, Unread};
use self::table::Table;
use super::contacts::{self, RowId};
use crate::{StoreError, WorkspaceId};

/// The index of one database.
pub(super) struct Identifiers {
    /// Different in every database, so that nobody can prepare values that collide.
    seed: u64,
    index: RwLock<Index>,
    /// Whether the index was made anew in a transaction that is not committed yet.
    made_anew: AtomicBool,
    /// Those of people who were erased.
    erased: erased::Cache,
}

/// What is known, and up to which end of the segments.
#[derive(Default)]
struct Index {
    end: Option<End>,
    table: Table,
}

/// A hash, and the row of a contact that has an identifier with it. Two contacts can share a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Entry {
    hash: u64,
    row: RowId,
}

/// A bit that no hash has: segments keep something else in it.
const FREE_BIT: u64 = 1 << 50;

/// An entry that came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    entry: Entry,
    won: bool,
}

/// What a transaction did to the index so far; nobody else sees it before [`Identifiers::publish`].
#[derive(Default)]
pub(super) struct Pending {
    steps: Vec<Step>,
    won: Table,
    /// Whether the index was brought up to date in this transaction.
    fresh: bool,
}

/// What a transaction wrote, to be published after its commit.
pub(super) struct Written {
    steps: Vec<Step>,
    end: End,
}

impl Identifiers {
    /// The index of the database behind the connection. Nothing of it is read before it is needed.
    pub(super) fn open(connection: &Connection) -> Result<Identifiers, StoreError> {
        let seed: i64 =
            connection.query_row("SELECT hash_seed FROM installation", [], |row| row.get(0))?;
        Ok(Identifiers {
            seed: seed.cast_unsigned(),
            index: RwLock::default(),
            made_anew: AtomicBool::new(false),
            erased: erased::Cache::default(),
        })
    }

    /// The identifiers of people who were erased; none if nobody was.
    pub(super) fn erased(
        &self,
        connection: &Connection,
        workspace: WorkspaceId,
    ) -> Result<Option<Arc<Erased>>, StoreError> {
        let erased = self.erased.get(connection, workspace)?;
        Ok(erased.filter(|erased| !erased.is_empty()))
    }

    /// The same, also if all of them were lifted: for who writes more of them down.
    pub(super) fn erased_or_none_yet(
        &self,
        connection: &Connection,
        workspace: WorkspaceId,
    ) -> Result<Option<Arc<Erased>>, StoreError> {
        self.erased.get(connection, workspace)
    }

    /// Takes in what other processes wrote, once in a transaction; makes the index anew from the contacts if it is
    /// damaged.
    pub(super) fn refresh(
        &self,
        tx: &Transaction<'_>,
        pending: &mut Pending,
    ) -> Result<(), StoreError> {
        if pending.fresh {
            return Ok(());
        }
        let end = segments::end(tx)?;
        if self.read().end != Some(end) {
            let mut index = self.write();
            match index.catch_up(tx, end) {
                Ok(Caught::Up) => {}
                Ok(Caught::UpOverMuchThatIsGone) => {
                    self.make_anew(tx, &mut index)?;
                }
                Err(Unread::Store(error)) => return Err(error),
                Err(Unread::Missing) => self.make_anew(tx, &mut index)?,
                Err(Unread::Damaged(reason)) => {
                    tracing::warn!(
                        reason,
                        "the index of identifiers is damaged and is made anew from the contacts"
                    );
                    self.make_anew(tx, &mut index)?;
                }
            }
        }
        pending.fresh = true;
        Ok(())
    }

    /// The rows, in their order and each once, of all contacts that may own one of these identifiers, as a writer's
    /// transaction sees it.
    pub(super) fn lookup<'a>(
        &self,
        pending: &Pending,
        workspace: WorkspaceId,
        identifiers: impl Iterator<Item = IdentifierRef<'a>>,
    ) -> Vec<RowId> {
        self.find(&self.read(), pending, workspace, identifiers)
    }

    /// The same as a reader sees it. An error if the index is damaged, which only a writer can mend. The index may be
    /// ahead of the reader's state of the database: it then names contacts that the reader does not see yet, and not
    /// those that have lost an identifier since.
    pub(super) fn lookup_for_reading<'a>(
        &self,
        connection: &Connection,
        workspace: WorkspaceId,
        identifiers: impl Iterator<Item = IdentifierRef<'a>>,
    ) -> Result<Vec<RowId>, StoreError> {
        let end = segments::end(connection)?;
        let nothing = Pending::default();
        let is_known = |index: &Index| {
            let known = index.end;
            known.is_some_and(|known| known.seq > end.seq || known == end)
        };
        let index = self.read();
        if is_known(&index) {
            return Ok(self.find(&index, &nothing, workspace, identifiers));
        }
        drop(index);
        let mut index = self.write();
        if !is_known(&index) {
            index
                .catch_up(connection, end)
                .map_err(|unread| match unread {
                    Unread::Store(error) => error,
                    Unread::Missing | Unread::Damaged(_) => StoreError::IndexDamaged,
                })?;
        }
        Ok(self.find(&index, &nothing, workspace, identifiers))
    }

    fn find<'a>(
        &self,
        index: &Index,
        pending: &Pending,
        workspace: WorkspaceId,
        identifiers: impl Iterator<Item = IdentifierRef<'a>>,
    ) -> Vec<RowId> {
        let mut found = Vec::new();
        for identifier in identifiers {
            let hash = self.hash(workspace, &identifier);
            let rows = index.table.rows(hash).chain(pending.won.rows(hash));
            // A collision may lead to another workspace.
            found.extend(rows.filter(|row| row.workspace() == workspace));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Notes what identifiers contacts won and lost, in order. `others_follow`: the transaction looks up more.
    pub(super) fn note(
        &self,
        pending: &mut Pending,
        workspace: WorkspaceId,
        moves: &[Move],
        others_follow: bool,
    ) {
        pending.steps.reserve(moves.len());
        for one in moves {
            let Some(row) = RowId::new(workspace, one.contact) else {
                continue; // Its contact could not be written either.
            };
            let hash = self.hash(workspace, &one.identifier.in_place());
            let step = Step {
                entry: Entry { hash, row },
                won: one.won,
            };
            pending.steps.push(step);
            if others_follow {
                pending.won.apply(step);
            }
        }
    }

    /// Writes down what the transaction noted.
    pub(super) fn write_down(
        &self,
        tx: &Transaction<'_>,
        mut pending: Pending,
    ) -> Result<Option<Written>, StoreError> {
        if pending.steps.is_empty() {
            return Ok(None);
        }
        self.refresh(tx, &mut pending)?;
        let end = segments::append(tx, &pending.steps)?;
        Ok(Some(Written {
            steps: pending.steps,
            end,
        }))
    }

    /// Takes in what a transaction wrote and committed, if it wrote anything.
    pub(super) fn publish(&self, written: Option<&Written>) {
        self.made_anew.store(false, Ordering::Relaxed);
        let Some(written) = written else { return };
        let mut index = self.write();
        // A reader may have been faster; and then what came after must stay the last word.
        if index
            .end
            .is_some_and(|known| known.seq + 1 == written.end.seq)
        {
            for step in &written.steps {
                index.table.apply(*step);
            }
            index.end = Some(written.end);
        }
    }

    /// A transaction was not committed: nobody else will ever see an index that it made anew.
    pub(super) fn take_back(&self) {
        if self.made_anew.swap(false, Ordering::Relaxed) {
            *self.write() = Index::default();
        }
    }

    /// How many identifiers this process knows, and the bytes of memory that takes.
    pub(super) fn size(&self) -> (usize, usize) {
        let index = self.read();
        (index.table.len(), index.table.bytes())
    }

    /// Makes the index anew from the contacts.
    fn make_anew(&self, tx: &Transaction<'_>, index: &mut Index) -> Result<(), StoreError> {
        self.made_anew.store(true, Ordering::Relaxed);
        *index = Index::default();
        let mut rebuilding = segments::Rebuilding::begin(tx)?;
        let mut unreadable = 0_u64;
        contacts::each(tx, |row, contact| {
            let contact = match contact {
                Ok(contact) => contact,
                // One that is damaged must not keep all others from being found.
                Err(StoreError::Damaged(reason)) => {
                    unreadable += 1;
                    tracing::warn!(
                        workspace = row.workspace().0,
                        reason,
                        "a contact is left out of the index of identifiers"
                    );
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            for identifier in contact.identifiers_in_place() {
                let hash = self.hash(row.workspace(), &identifier);
                let entry = Entry { hash, row };
                index.table.apply(Step { entry, won: true });
                rebuilding.push(entry)?;
            }
            Ok(())
        })?;
        index.end = Some(rebuilding.finish()?);
        if unreadable > 0 {
            tracing::error!(
                contacts = unreadable,
                "contacts cannot be read and are not found by their identifiers; `rollbook doctor` lists them"
            );
        }
        Ok(())
    }

    fn hash(&self, workspace: WorkspaceId, identifier: &IdentifierRef<'_>) -> u64 {
        let hash = |key: &str| {
            let kind = identifier.kind();
            hash(self.seed, workspace, kind, key.as_bytes())
        };
        match identifier.key_parts() {
            ["", "", key] => hash(key),
            _ => hash(identifier.to_identifier().key()),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is wrong with the index on disk, if anything is.
pub(super) fn what_is_wrong(connection: &Connection) -> Result<Option<String>, StoreError> {
    let end = segments::end(connection)?;
    match segments::read(connection, End::default(), end, |_| {}) {
        // One that was never written is made by whoever writes first.
        Ok(()) | Err(Unread::Missing) => Ok(None),
        Err(Unread::Damaged(reason)) => Ok(Some(reason)),
        Err(Unread::Store(error)) => Err(error),
    }
}

/// How an index caught up.
enum Caught {
    Up,
    /// Most of what was read is gone again: the chain is worth being made anew.
    UpOverMuchThatIsGone,
}

/// Steps that are not worth making a chain anew for, however many of them undo each other.
const FEW: usize = if cfg!(test) { 500 } else { 1 << 20 };

impl Index {
    /// Reads the segments behind what is known, up to an end; all of them if they do not continue what is known.
    /// Nothing is known after an error.
    fn catch_up(&mut self, connection: &Connection, end: End) -> Result<Caught, Unread> {
        let known = match self.end.take() {
            Some(known) if segments::continues(connection, known, end)? => known,
            _ => {
                *self = Index::default();
                self.table.reserve(segments::entries(connection)?);
                End::default()
            }
        };
        let mut steps = 0;
        segments::read(connection, known, end, |step| {
            steps += 1;
            self.table.apply(step);
        })?;
        self.end = Some(end);
        Ok(if steps > 4 * self.table.len() + FEW {
            Caught::UpOverMuchThatIsGone
        } else {
            Caught::Up
        })
    }
}

fn hash(seed: u64, workspace: WorkspaceId, kind: IdentifierKind, key: &[u8]) -> u64 {
    let kind = match kind {
        IdentifierKind::ExternalId => 1,
        IdentifierKind::Phone => 2,
        IdentifierKind::Email => 3,
    };
    let seed = seed ^ u64::from(workspace.0) << 8 ^ kind;
    xxhash_rust::xxh3::xxh3_64_with_seed(key, seed) & !FREE_BIT
}

#[cfg(test)]
mod tests;
