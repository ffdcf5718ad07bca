//! Contacts as CSV or NDJSON, streamed page by page, for API, command line and pages.
//!
//! The CSV has one column a field, named by the field's key, so that it can be imported again as it is, custom fields
//! included.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Bytes;
use futures_util::stream::{self, Stream};
use rollbook_engine::contact::Value;
use rollbook_engine::schema::{FieldId, Schema};
use rollbook_store::contacts::{ContactFilter, StoredContact};
use rollbook_store::{StoreError, WorkspaceId};

use crate::app::App;
use crate::export::Format;
use crate::spreadsheet;
use crate::wire::{ContactJson, rfc3339};

/// How many contacts are read and sent at a time.
const PAGE: u16 = 500;

/// The contacts of a filter, newest first.
pub(crate) fn contacts(
    app: App,
    workspace: WorkspaceId,
    schema: Arc<Schema>,
    filter: ContactFilter,
    format: Format,
) -> impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static {
    enum At {
        Begin,
        Before(rollbook_engine::contact::ContactId),
        End,
    }
    stream::try_unfold(At::Begin, move |at| {
        let (app, schema, filter) = (app.clone(), Arc::clone(&schema), filter.clone());
        async move {
            let mut bytes = Vec::new();
            let before = match at {
                At::Begin => {
                    if format == Format::Csv {
                        bytes.extend_from_slice(header(&schema).as_bytes());
                    }
                    None
                }
                At::Before(id) => Some(id),
                At::End => return Ok(None),
            };
            let page = app.store.contacts(workspace, filter, before, PAGE).await?;
            for contact in &page.contacts {
                match format {
                    Format::Csv => bytes.extend_from_slice(row(contact, &schema).as_bytes()),
                    Format::Ndjson => write_line(&mut bytes, contact, &schema),
                }
            }
            let next = page.next.map_or(At::End, At::Before);
            Ok(Some((Bytes::from(bytes), next)))
        }
    })
}

/// The first line. Names with `_` in front are no field's, so that the file can be imported again as it is.
fn header(schema: &Schema) -> String {
    let keys = schema.fields().iter().map(|field| field.key.as_str());
    let own = std::iter::once("_contact");
    spreadsheet::line(own.chain(keys).chain(["_created_at", "_updated_at"]))
}

/// The line of one contact.
fn row(stored: &StoredContact, schema: &Schema) -> String {
    let contact = &stored.contact;
    let cell = |field: FieldId| -> Cow<'_, str> {
        if field == FieldId::EXTERNAL_ID {
            // A cell holds one: that of the namespace which an import of this file would take it for, if there is one.
            let first = || contact.external_ids.first().map(|(_, id)| id.as_str());
            let id = contact.external_id("default").or_else(first);
            return id.unwrap_or_default().into();
        }
        match contact.value(field) {
            None => "".into(),
            Some(Value::One(text)) => text.into(),
            Some(Value::Many(texts)) => texts.join("; ").into(),
        }
    };
    let id = contact.id.to_string();
    let cells: Vec<Cow<'_, str>> = schema.fields().iter().map(|field| cell(field.id)).collect();
    let times = [stored.created_at, stored.updated_at].map(rfc3339);
    let cells = cells.iter().map(AsRef::as_ref);
    let own = std::iter::once(id.as_str());
    spreadsheet::line(own.chain(cells).chain(times.iter().map(String::as_str)))
}

fn write_line(bytes: &mut Vec<u8>, stored: &StoredContact, schema: &Schema) {
    serde_json::to_writer(&mut *bytes, &ContactJson::of(stored, schema))
        .expect("a contact is JSON and memory takes it");
    bytes.push(b'\n');
}

#[cfg(test)]
mod tests {
    use rollbook_engine::contact::{Contact, ContactId, Text, Texts};
    use rollbook_store::Timestamp;

    use super::*;

    #[test]
    fn a_contact_is_a_row_under_the_keys_of_its_fields() {
        let schema = Schema::built_in();
        let mut contact = Contact::new(ContactId(7));
        contact.set_external_id("default", Some("001".into()));
        contact.set(FieldId::NAME, Some(Value::One("=Weber, Anna".into())));
        let phones = ["+4930123456", "+16502530000"].map(Text::from);
        contact.set(FieldId::PHONE, Some(Value::Many(Texts::from_iter(phones))));
        let stored = StoredContact {
            contact,
            created_at: Timestamp(0),
            updated_at: Timestamp(1),
        };
        assert!(header(&schema).starts_with("_contact,external_id,name,first_name,"));
        let row = row(&stored, &schema);
        let begins = "7,001,\"'=Weber, Anna\",,,,\"'+4930123456; +16502530000\",";
        assert!(row.starts_with(begins), "{row}");
        assert!(row.ends_with(",1970-01-01T00:00:00.000Z,1970-01-01T00:00:00.001Z\r\n"));
    }
}
