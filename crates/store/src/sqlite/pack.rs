//! How a contact lies in its row: a byte for the version of the form, the External IDs, then the values in order of
//! field number.
//!
//! Numbers are varints, texts have their length before them. An External ID is `namespace id`, where an empty
//! namespace stands for `default`. A value is `field head`: an even head is twice the length of a single text, an odd
//! one twice the number of texts plus one. Whatever the bytes are, reading them never panics.

use rollbook_engine::contact::{Contact, ContactId, Texts, Value};
use rollbook_engine::schema::FieldId;

use crate::StoreError;

const VERSION: u8 = 1;

/// The namespace that nearly all External IDs are in.
const DEFAULT_NAMESPACE: &str = "default";

/// Appends the packed contact.
pub(super) fn pack(contact: &Contact, out: &mut Vec<u8>) {
    out.push(VERSION);
    put_length(contact.external_ids.len(), out);
    for (namespace, id) in &contact.external_ids {
        // One byte more, so that `default` is 0 and every other namespace, even an empty one, is not.
        if namespace == DEFAULT_NAMESPACE {
            out.push(0);
        } else {
            put_length(namespace.len() + 1, out);
            out.extend_from_slice(namespace.as_bytes());
        }
        put_text(id, out);
    }
    for (field, value) in &contact.values {
        put_number(field.0.into(), out);
        match value {
            Value::One(text) => {
                put_length(text.len() << 1, out);
                out.extend_from_slice(text.as_bytes());
            }
            Value::Many(texts) => {
                put_length(texts.len() << 1 | 1, out);
                for text in texts {
                    put_text(text, out);
                }
            }
        }
    }
}

/// The contact with this number from its packed form.
pub(super) fn unpack(id: ContactId, data: &[u8]) -> Result<Contact, StoreError> {
    read(id, data).ok_or_else(|| damaged(id))
}

/// Calls `found` with every text of a packed contact and its field, until it says `true`; tells whether it did.
pub(super) fn any_text(
    id: ContactId,
    data: &[u8],
    found: impl FnMut(FieldId, &[u8]) -> bool,
) -> Result<bool, StoreError> {
    scan(data, found).ok_or_else(|| damaged(id))
}

fn damaged(id: ContactId) -> StoreError {
    StoreError::Damaged(format!("contact {id} cannot be read"))
}

fn read(id: ContactId, data: &[u8]) -> Option<Contact> {
    let mut reader = Reader::of_texts(data)?;
    let mut contact = Contact::new(id);
    for _ in 0..reader.length()? {
        let namespace = match reader.length()? {
            0 => DEFAULT_NAMESPACE,
            more => reader.text(more - 1)?,
        };
        let length = reader.length()?;
        contact
            .external_ids
            .push((namespace.into(), reader.text(length)?.into()));
    }
    contact.values.reserve(12);
    let mut least = FieldId::EXTERNAL_ID.0 + 1;
    while !reader.rest.is_empty() {
        let field = u16::try_from(reader.number()?).ok()?;
        if field < least {
            return None;
        }
        least = field.checked_add(1)?;
        let head = reader.length()?;
        let value = if head & 1 == 0 {
            Value::One(reader.text(head >> 1)?.into())
        } else {
            let mut texts = Texts::new();
            for _ in 0..head >> 1 {
                let length = reader.length()?;
                texts.push(reader.text(length)?.into());
            }
            Value::Many(texts)
        };
        contact.values.push((FieldId(field), value));
    }
    Some(contact)
}

fn scan(data: &[u8], mut found: impl FnMut(FieldId, &[u8]) -> bool) -> Option<bool> {
    let mut reader = Reader::new(data)?;
    for _ in 0..reader.length()? {
        let namespace = reader.length()?;
        reader.bytes(namespace.saturating_sub(1))?;
        let length = reader.length()?;
        if found(FieldId::EXTERNAL_ID, reader.bytes(length)?) {
            return Some(true);
        }
    }
    while !reader.rest.is_empty() {
        let field = FieldId(u16::try_from(reader.number()?).ok()?);
        let head = reader.length()?;
        if head & 1 == 0 {
            if found(field, reader.bytes(head >> 1)?) {
                return Some(true);
            }
            continue;
        }
        for _ in 0..head >> 1 {
            let length = reader.length()?;
            if found(field, reader.bytes(length)?) {
                return Some(true);
            }
        }
    }
    Some(false)
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put_length(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn put_length(length: usize, out: &mut Vec<u8>) {
    put_number(length as u64, out);
}

/// Seven bits a byte, lowest first; the high bit says that more follow.
fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// What is left of the bytes. Every step says `None` where they do not hold what they should.
struct Reader<'a> {
    rest: &'a [u8],
    /// All of the bytes, if they are UTF-8 as a whole: mostly so, for numbers are below 0x80 unless a text is long. Each
    /// text is then known to be UTF-8, too, if it begins and ends between characters.
    whole: Option<&'a str>,
}

impl<'a> Reader<'a> {
    fn new(data: &'a [u8]) -> Option<Reader<'a>> {
        let (version, rest) = data.split_first()?;
        let reader = Reader { rest, whole: None };
        (*version == VERSION).then_some(reader)
    }

    /// The same for who wants texts.
    fn of_texts(data: &'a [u8]) -> Option<Reader<'a>> {
        let whole = std::str::from_utf8(data).ok();
        Reader::new(data).map(|reader| Reader { whole, ..reader })
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// A number that cannot be more than what is left; so nothing is ever allocated for a damaged length.
    fn length(&mut self) -> Option<usize> {
        let length = usize::try_from(self.number()?).ok()?;
        (length >> 1 <= self.rest.len()).then_some(length)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    fn text(&mut self, length: usize) -> Option<&'a str> {
        let Some(whole) = self.whole else {
            return std::str::from_utf8(self.bytes(length)?).ok();
        };
        let start = whole.len() - self.rest.len();
        self.bytes(length)?;
        whole.get(start..start + length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use rollbook_engine::contact::Text;

    fn text() -> impl Strategy<Value = Text> {
        any::<String>().prop_map(Text::from)
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            text().prop_map(Value::One),
            ".{100,300}".prop_map(|text| Value::One(text.into())),
            vec(text(), 1..4).prop_map(|texts| Value::Many(texts.into())),
        ]
    }

    fn contact() -> impl Strategy<Value = Contact> {
        let namespace = prop_oneof![Just(Text::from("default")), text()];
        (
            vec((namespace, text()), 0..3),
            btree_map(1..=u16::MAX, value(), 0..6),
        )
            .prop_map(|(external_ids, values)| Contact {
                id: ContactId(7),
                external_ids: external_ids.into(),
                values: values
                    .into_iter()
                    .map(|(field, value)| (FieldId(field), value))
                    .collect(),
            })
    }

    fn packed(contact: &Contact) -> Vec<u8> {
        let mut data = Vec::new();
        pack(contact, &mut data);
        data
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(contact in contact()) {
            let data = packed(&contact);
            prop_assert_eq!(unpack(contact.id, &data).unwrap(), contact);
        }

        #[test]
        fn every_text_is_visited_in_order(contact in contact()) {
            let mut seen = Vec::new();
            let stopped = any_text(contact.id, &packed(&contact), |field, text| {
                seen.push((field, text.to_vec()));
                false
            });
            prop_assert!(!stopped.unwrap());
            let external = contact.external_ids.iter().map(|(_, id)| (FieldId::EXTERNAL_ID, id));
            let values = contact
                .values
                .iter()
                .flat_map(|(field, value)| value.texts().iter().map(move |text| (*field, text)));
            let expected: Vec<_> = external
                .chain(values)
                .map(|(field, text)| (field, text.as_bytes().to_vec()))
                .collect();
            prop_assert_eq!(seen, expected);
        }

        #[test]
        fn damaged_bytes_are_an_error_or_another_contact_but_no_panic(
            contact in contact(),
            changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut data = packed(&contact);
            for (place, byte) in changes {
                let place = place.index(data.len());
                data[place] = byte;
            }
            let _ = unpack(contact.id, &data);
            let _ = any_text(contact.id, &data, |_, _| false);
            data.truncate(cut.index(data.len()));
            let _ = unpack(contact.id, &data);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(data in vec(any::<u8>(), 0..200)) {
            let _ = unpack(ContactId(1), &data);
            let _ = any_text(ContactId(1), &data, |_, _| false);
        }
    }

    #[test]
    fn a_contact_is_damaged_when_its_bytes_end_early() {
        let contact = Contact {
            external_ids: [("default".into(), "A1".into())].into(),
            values: vec![(FieldId::NAME, Value::One("Ada".into()))],
            ..Contact::new(ContactId(3))
        };
        let data = packed(&contact);
        assert_eq!(data.len(), 11);
        assert!(matches!(
            unpack(contact.id, &data[..10]),
            Err(StoreError::Damaged(text)) if text == "contact 3 cannot be read"
        ));
        assert!(unpack(contact.id, &[]).is_err());
        assert!(unpack(contact.id, &[9, 0]).is_err());
    }
}
