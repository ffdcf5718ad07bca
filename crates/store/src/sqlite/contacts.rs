//! Contacts by number and by text.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use async_trait::async_trait;
use memchr::memmem::Finder;
use rollbook_engine::contact::{Contact, ContactId, Identifier};
use rollbook_engine::schema::FieldId;
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, Value as Sql, ValueRef};
use rusqlite::{Connection, OptionalExtension, Transaction};

use super::identifiers::Identifiers;
use super::{Sqlite, counted, pack};
use crate::contacts::{ContactFilter, ContactPage, Contacts, StoredContact};
use crate::log::Reach;
use crate::{Store, StoreError, Timestamp, WorkspaceId};

/// A contact's place in the table, `workspace << 40 | number`: a workspace's contacts lie together in order of their
/// numbers, and new ones are appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RowId(i64);

/// Bits of the number within its workspace: a trillion contacts.
const NUMBER_BITS: u32 = 40;

impl RowId {
    /// The place of a contact; none if there cannot be such a contact.
    pub(super) fn new(workspace: WorkspaceId, contact: ContactId) -> Option<RowId> {
        let row_id = i64::from(workspace.0)
            .checked_mul(1 << NUMBER_BITS)?
            .checked_add(i64::try_from(contact.0).ok()?)?;
        (contact.0 < 1 << NUMBER_BITS).then_some(RowId(row_id))
    }

    /// The workspace.
    pub(super) fn workspace(self) -> WorkspaceId {
        WorkspaceId(u32::try_from(self.0 >> NUMBER_BITS).unwrap_or(u32::MAX))
    }

    /// The place as a number.
    pub(super) fn bits(self) -> u64 {
        self.0.cast_unsigned()
    }

    /// The place that has these [`RowId::bits`].
    pub(super) fn from_bits(bits: u64) -> RowId {
        RowId(bits.cast_signed())
    }

    /// The contact's number.
    pub(super) fn contact(self) -> ContactId {
        ContactId(counted(self.0) & ((1 << NUMBER_BITS) - 1))
    }
}

impl ToSql for RowId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for RowId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<RowId> {
        i64::column_result(value).map(RowId)
    }
}

#[async_trait]
impl Contacts for Sqlite {
    async fn owners(
        &self,
        workspace: WorkspaceId,
        identifiers: Vec<Identifier>,
    ) -> Result<Vec<Contact>, StoreError> {
        let find = {
            let index = Arc::clone(&self.identifiers);
            move |connection: &Connection| owners(connection, &index, workspace, &identifiers)
        };
        match self.readers.read(find.clone()).await {
            Err(StoreError::IndexDamaged) => {
                self.prepare().await?;
                self.readers.read(find).await
            }
            found => found,
        }
    }

    async fn contact(
        &self,
        workspace: WorkspaceId,
        id: ContactId,
    ) -> Result<Option<StoredContact>, StoreError> {
        let Some(row_id) = RowId::new(workspace, id) else {
            return Ok(None);
        };
        self.readers
            .read(move |connection| {
                let row = connection
                    .prepare_cached(
                        "SELECT created_at, updated_at, data
                         FROM contact
                         WHERE id = ?1",
                    )?
                    .query_row([row_id], |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?))
                    })
                    .optional()?;
                row.map(|(created_at, updated_at, data)| {
                    stored_contact(row_id, created_at, updated_at, &data)
                })
                .transpose()
            })
            .await
    }

    async fn contacts(
        &self,
        workspace: WorkspaceId,
        filter: ContactFilter,
        before: Option<ContactId>,
        limit: u16,
    ) -> Result<ContactPage, StoreError> {
        self.readers
            .read(move |connection| page(connection, workspace, &filter, before, limit))
            .await
    }

    async fn contacts_by_number(
        &self,
        workspace: WorkspaceId,
        ids: Vec<ContactId>,
    ) -> Result<Vec<Contact>, StoreError> {
        self.readers
            .read(move |connection| {
                let mut contacts = Vec::with_capacity(ids.len());
                load(connection, rows(workspace, ids), |contact| {
                    contacts.push(contact);
                })?;
                Ok(contacts)
            })
            .await
    }

    async fn last_contact(&self, workspace: WorkspaceId) -> Result<ContactId, StoreError> {
        self.readers
            .read(move |connection| {
                let last = connection
                    .prepare_cached("SELECT last_contact FROM workspace WHERE id = ?1")?
                    .query_row([workspace.0], |row| row.get(0))
                    .optional()?;
                Ok(ContactId(last.map_or(0, counted)))
            })
            .await
    }

    async fn count_contacts(&self, workspace: WorkspaceId) -> Result<u64, StoreError> {
        self.readers
            .read(move |connection| {
                let contacts = connection
                    .prepare_cached("SELECT contacts FROM workspace WHERE id = ?1")?
                    .query_row([workspace.0], |row| row.get(0))
                    .optional()?;
                Ok(contacts.map_or(0, counted))
            })
            .await
    }
}

/// See [`Contacts::owners`].
fn owners(
    connection: &Connection,
    index: &Identifiers,
    workspace: WorkspaceId,
    identifiers: &[Identifier],
) -> Result<Vec<Contact>, StoreError> {
    let wanted = identifiers.iter().map(Identifier::in_place);
    let rows = index.lookup_for_reading(connection, workspace, wanted)?;
    let mut owners = Vec::new();
    load(connection, rows, |contact| owners.push(contact))?;
    // A hash may have led to somebody else.
    let asked: HashSet<&Identifier> = identifiers.iter().collect();
    owners.retain(|contact| contact.identifiers().any(|own| asked.contains(&own)));
    Ok(owners)
}

/// Calls a function with the contacts in these rows, which are in order. A row that is not there is passed over: the
/// index of identifiers may be ahead of a reader, and an entry of a contact that is gone leads nowhere.
pub(super) fn load(
    connection: &Connection,
    row_ids: Vec<RowId>,
    mut each: impl FnMut(Contact),
) -> Result<(), StoreError> {
    if row_ids.is_empty() {
        return Ok(());
    }
    // One statement for all of them: from a row to the next one is a step, not a search from the root of the tree.
    let row_ids: Vec<_> = row_ids.into_iter().map(|row| Sql::Integer(row.0)).collect();
    let mut statement = connection.prepare_cached(
        "SELECT contact.id, contact.data
         FROM rarray(?1) AS wanted
         CROSS JOIN contact ON contact.id = wanted.value",
    )?;
    let mut rows = statement.query([Rc::new(row_ids)])?;
    while let Some(row) = rows.next()? {
        let row_id: RowId = row.get(0)?;
        each(pack::unpack(row_id.contact(), blob(row, 1)?)?);
    }
    Ok(())
}

/// The rows of contacts, in their order and each once.
pub(super) fn rows(workspace: WorkspaceId, ids: impl IntoIterator<Item = ContactId>) -> Vec<RowId> {
    let rows = ids.into_iter();
    let mut rows: Vec<RowId> = rows.filter_map(|id| RowId::new(workspace, id)).collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}

/// Calls a function with every contact of every workspace, or with why one cannot be read.
pub(super) fn each(
    connection: &Connection,
    mut each: impl FnMut(RowId, Result<Contact, StoreError>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare("SELECT id, data FROM contact ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let row_id: RowId = row.get(0)?;
        each(row_id, pack::unpack(row_id.contact(), blob(row, 1)?))?;
    }
    Ok(())
}

/// Writes new contacts.
pub(super) fn insert(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contacts: &[Contact],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO contact (id, created_at, updated_at, data)
         VALUES (?1, ?2, ?2, ?3)",
    )?;
    let mut data = Vec::new();
    for contact in contacts {
        data.clear();
        pack::pack(contact, &mut data);
        statement.execute((row_of(workspace, contact)?, now.0, &data))?;
    }
    Ok(())
}

/// Writes changed contacts.
pub(super) fn update(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    contacts: &[Contact],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(
        "UPDATE contact
         SET updated_at = ?2, data = ?3
         WHERE id = ?1",
    )?;
    let mut data = Vec::new();
    for contact in contacts {
        data.clear();
        pack::pack(contact, &mut data);
        let rows = statement.execute((row_of(workspace, contact)?, now.0, &data))?;
        super::touched(rows, || format!("contact {}", contact.id))?;
    }
    Ok(())
}

/// Removes contacts.
pub(super) fn remove(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    ids: &[ContactId],
) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached("DELETE FROM contact WHERE id = ?1")?;
    for id in ids {
        let rows = statement.execute([RowId::new(workspace, *id)])?;
        super::touched(rows, || format!("contact {id}"))?;
    }
    Ok(())
}

/// The row of a contact that is about to be written.
pub(super) fn row_of(workspace: WorkspaceId, contact: &Contact) -> Result<RowId, StoreError> {
    RowId::new(workspace, contact.id)
        .ok_or_else(|| StoreError::Conflict("the workspace holds no more contacts".to_owned()))
}

fn page(
    connection: &Connection,
    workspace: WorkspaceId,
    filter: &ContactFilter,
    before: Option<ContactId>,
    limit: u16,
) -> Result<ContactPage, StoreError> {
    let last = ContactId((1 << NUMBER_BITS) - 1);
    let before = before.map_or(last, |before| before.min(last));
    let (Some(first), Some(before)) = (
        RowId::new(workspace, ContactId(0)),
        RowId::new(workspace, before),
    ) else {
        return Ok(ContactPage::default());
    };
    let mut search = Search::new(filter);
    let mut statement = connection.prepare_cached(
        "SELECT id, created_at, updated_at, data
         FROM contact
         WHERE id >= ?1 AND id < ?2
         ORDER BY id DESC",
    )?;
    let mut rows = statement.query([first, before])?;
    let mut page = ContactPage::default();
    while let Some(row) = rows.next()? {
        let row_id: RowId = row.get(0)?;
        let data = blob(row, 3)?;
        if let Some(search) = &mut search
            && !search.matches(row_id.contact(), data)?
        {
            continue;
        }
        if page.contacts.len() == usize::from(limit) {
            page.next = page.contacts.last().map(|stored| stored.contact.id);
            break;
        }
        page.contacts
            .push(stored_contact(row_id, row.get(1)?, row.get(2)?, data)?);
    }
    Ok(page)
}

fn stored_contact(
    row_id: RowId,
    created_at: i64,
    updated_at: i64,
    data: &[u8],
) -> Result<StoredContact, StoreError> {
    Ok(StoredContact {
        contact: pack::unpack(row_id.contact(), data)?,
        created_at: Timestamp(created_at),
        updated_at: Timestamp(updated_at),
    })
}

fn blob<'a>(row: &'a rusqlite::Row<'_>, column: usize) -> Result<&'a [u8], StoreError> {
    row.get_ref(column)?
        .as_blob()
        .map_err(|error| StoreError::Damaged(error.to_string()))
}

/// Where [`Reach::NamesAndIds`] looks.
const NAMES_AND_IDS: [FieldId; 4] = [
    FieldId::EXTERNAL_ID,
    FieldId::NAME,
    FieldId::FIRST_NAME,
    FieldId::LAST_NAME,
];

/// What a list of contacts is searched for, made ready for a million of them.
struct Search {
    text: Option<Finder<'static>>,
    phone_digits: Option<Finder<'static>>,
    reach: Reach,
    lower: Vec<u8>,
    digits: Vec<u8>,
}

impl Search {
    /// None if every contact is wanted.
    fn new(filter: &ContactFilter) -> Option<Search> {
        let finder = |text: String| (!text.is_empty()).then(|| Finder::new(&text).into_owned());
        let text = filter.text.as_ref().map(|text| text.to_lowercase());
        let text = text.and_then(finder);
        let phone_digits = filter.phone_digits.clone().and_then(finder);
        (text.is_some() || phone_digits.is_some()).then(|| Search {
            text,
            phone_digits: phone_digits.filter(|_| filter.reach == Reach::Everything),
            reach: filter.reach,
            lower: Vec::new(),
            digits: Vec::new(),
        })
    }

    fn matches(&mut self, id: ContactId, data: &[u8]) -> Result<bool, StoreError> {
        self.text_matches(id, data).and_then(|found| {
            if found {
                Ok(true)
            } else {
                self.phone_matches(id, data)
            }
        })
    }

    fn text_matches(&mut self, id: ContactId, data: &[u8]) -> Result<bool, StoreError> {
        let Search {
            text, lower, reach, ..
        } = self;
        let Some(text) = text else {
            return Ok(false);
        };
        // Most contacts are told by one look at all of their bytes. Beyond ASCII, lower case can have other bytes.
        lower.clear();
        lower.extend_from_slice(data);
        lower.make_ascii_lowercase();
        if data.is_ascii() && text.find(lower).is_none() {
            return Ok(false);
        }
        pack::any_text(id, data, |field, value| {
            if *reach == Reach::NamesAndIds && !NAMES_AND_IDS.contains(&field) {
                return false;
            }
            if value.is_ascii() {
                lower.clear();
                lower.extend_from_slice(value);
                lower.make_ascii_lowercase();
                return text.find(lower).is_some();
            }
            let value = String::from_utf8_lossy(value).to_lowercase();
            text.find(value.as_bytes()).is_some()
        })
    }

    fn phone_matches(&mut self, id: ContactId, data: &[u8]) -> Result<bool, StoreError> {
        let Search {
            phone_digits,
            digits,
            ..
        } = self;
        let Some(wanted) = phone_digits else {
            return Ok(false);
        };
        pack::any_text(id, data, |field, value| {
            if field != FieldId::PHONE {
                return false;
            }
            digits.clear();
            digits.extend(value.iter().filter(|byte| byte.is_ascii_digit()));
            wanted.find(digits).is_some()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_its_workspace_and_number() {
        for (workspace, number) in [(1, 1), (1, 0), (3, (1 << 40) - 1), (8_388_607, 7)] {
            let (workspace, contact) = (WorkspaceId(workspace), ContactId(number));
            let row = RowId::new(workspace, contact).unwrap();
            assert_eq!((row.workspace(), row.contact()), (workspace, contact));
        }
    }

    #[test]
    fn what_does_not_fit_has_no_row() {
        for (workspace, number) in [(1, 1 << 40), (1, u64::MAX), (8_388_608, 1), (u32::MAX, 1)] {
            assert_eq!(RowId::new(WorkspaceId(workspace), ContactId(number)), None);
        }
    }
}
