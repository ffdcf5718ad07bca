//! Contacts as CSV or NDJSON, streamed page by page, for API, command line and pages.
//!
//! The CSV has one column a field, named by the field's key, so that it can be imported again as it is. A cell that a
//! spreadsheet would run as a formula gets a leading `'`, which an import takes off again.

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
                        write_header(&mut bytes, &schema);
                    }
                    None
                }
                At::Before(id) => Some(id),
                At::End => return Ok(None),
            };
            let page = app.store.contacts(workspace, filter, before, PAGE).await?;
            for contact in &page.contacts {
                match format {
                    Format::Csv => write_row(&mut bytes, contact, &schema),
                    Format::Ndjson => write_line(&mut bytes, contact, &schema),
                }
            }
            let next = page.next.map_or(At::End, At::Before);
            Ok(Some((Bytes::from(bytes), next)))
        }
    })
}

fn write_header(bytes: &mut Vec<u8>, schema: &Schema) {
    let keys = schema.fields().iter().map(|field| field.key.as_str());
    let own = ["contact_id"].into_iter();
    write_record(
        bytes,
        own.chain(keys)
            .chain(["created_at", "updated_at"])
            .map(Cow::Borrowed),
    );
}

fn write_row(bytes: &mut Vec<u8>, stored: &StoredContact, schema: &Schema) {
    let contact = &stored.contact;
    let cell = |field: FieldId| -> Cow<'_, str> {
        if field == FieldId::EXTERNAL_ID {
            return match contact.external_ids.as_slice() {
                [] => "".into(),
                [(_, id)] => id.into(),
                // A cell holds one; the default namespace is the one that an import of this file would take it for.
                [(_, first), ..] => contact.external_id("default").unwrap_or(first).into(),
            };
        }
        match contact.value(field) {
            None => "".into(),
            Some(Value::One(text)) => text.into(),
            Some(Value::Many(texts)) => texts.join("; ").into(),
        }
    };
    let cells = schema.fields().iter().map(|field| cell(field.id));
    let id = std::iter::once(Cow::Owned(contact.id.to_string()));
    let times = [stored.created_at, stored.updated_at].map(|time| Cow::Owned(rfc3339(time)));
    write_record(bytes, id.chain(cells).chain(times));
}

fn write_line(bytes: &mut Vec<u8>, stored: &StoredContact, schema: &Schema) {
    serde_json::to_writer(&mut *bytes, &ContactJson::of(stored, schema))
        .expect("a contact is JSON and memory takes it");
    bytes.push(b'\n');
}

fn write_record<'a>(bytes: &mut Vec<u8>, cells: impl Iterator<Item = Cow<'a, str>>) {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(bytes);
    let cells = cells.map(|cell| {
        if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
            format!("'{cell}").into()
        } else {
            cell
        }
    });
    writer
        .write_record(cells.map(|cell: Cow<'a, str>| cell.into_owned()))
        .and_then(|()| Ok(writer.flush()?))
        .expect("memory takes what is written");
}

#[cfg(test)]
mod tests {
    use rollbook_engine::contact::{Contact, ContactId};
    use rollbook_store::Timestamp;

    use super::*;

    #[test]
    fn a_contact_is_a_row_under_the_keys_of_its_fields() {
        let schema = Schema::built_in();
        let mut contact = Contact::new(ContactId(7));
        contact.set_external_id("default", Some("001".to_owned()));
        contact.set(FieldId::NAME, Some(Value::One("=Weber, Anna".to_owned())));
        let phones = ["+4930123456", "+16502530000"].map(str::to_owned);
        contact.set(FieldId::PHONE, Some(Value::Many(phones.to_vec())));
        let stored = StoredContact {
            contact,
            created_at: Timestamp(0),
            updated_at: Timestamp(1),
        };
        let mut bytes = Vec::new();
        write_header(&mut bytes, &schema);
        write_row(&mut bytes, &stored, &schema);
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("contact_id,external_id,name,first_name,"));
        assert!(lines[1].starts_with("7,001,\"'=Weber, Anna\",,,,'+4930123456; +16502530000,"));
        assert!(lines[1].ends_with(",1970-01-01T00:00:00.000Z,1970-01-01T00:00:00.001Z"));
    }
}
