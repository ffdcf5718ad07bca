//! A contact and the identifiers that find it.

use std::borrow::Cow;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::field::fold::lower;
use crate::schema::FieldId;

/// The number of a contact in its workspace, counting up from 1 in the order of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactId(pub u64);

impl std::fmt::Display for ContactId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A text of a contact. Most are short, and a short one needs no memory of its own.
pub type Text = CompactString;

/// Several texts, mostly one.
pub type Texts = SmallVec<[Text; 1]>;

/// A field's value in canonical text: one text, or a list of them for phones, emails, tags and multiple choices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A single value.
    One(Text),
    /// Several values, never none; the first is primary.
    Many(Texts),
}

impl Value {
    /// The value, or the primary one of several.
    pub fn primary(&self) -> &str {
        match self {
            Value::One(text) => text,
            Value::Many(texts) => texts.first().map_or("", Text::as_str),
        }
    }

    /// All values.
    pub fn texts(&self) -> &[Text] {
        match self {
            Value::One(text) => std::slice::from_ref(text),
            Value::Many(texts) => texts,
        }
    }
}

/// A person: an External ID for each namespace, and a value for each field that has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Its number.
    pub id: ContactId,
    /// `(namespace, External ID)`, at most one a namespace, in order of arrival.
    pub external_ids: SmallVec<[(Text, Text); 1]>,
    /// Values in order of field number; never of [`FieldId::EXTERNAL_ID`].
    pub values: Vec<(FieldId, Value)>,
}

impl Contact {
    /// A contact without any value.
    pub fn new(id: ContactId) -> Contact {
        Contact {
            id,
            external_ids: SmallVec::new(),
            values: Vec::new(),
        }
    }

    /// The value of a field.
    pub fn value(&self, field: FieldId) -> Option<&Value> {
        let position = self
            .values
            .binary_search_by_key(&field, |(id, _)| *id)
            .ok()?;
        Some(&self.values[position].1)
    }

    /// Sets or, with `None`, removes the value of a field.
    pub fn set(&mut self, field: FieldId, value: Option<Value>) {
        match (
            self.values.binary_search_by_key(&field, |(id, _)| *id),
            value,
        ) {
            (Ok(position), Some(value)) => self.values[position].1 = value,
            (Ok(position), None) => drop(self.values.remove(position)),
            (Err(position), Some(value)) => self.values.insert(position, (field, value)),
            (Err(_), None) => {}
        }
    }

    /// The External ID in a namespace.
    pub fn external_id(&self, namespace: &str) -> Option<&str> {
        self.external_ids
            .iter()
            .find(|(name, _)| name == namespace)
            .map(|(_, id)| id.as_str())
    }

    /// Sets or, with `None`, removes the External ID of a namespace.
    pub fn set_external_id(&mut self, namespace: &str, external_id: Option<Text>) {
        let position = self
            .external_ids
            .iter()
            .position(|(name, _)| name == namespace);
        match (position, external_id) {
            (Some(position), Some(id)) => self.external_ids[position].1 = id,
            (Some(position), None) => drop(self.external_ids.remove(position)),
            (None, Some(id)) => self.external_ids.push((namespace.into(), id)),
            (None, None) => {}
        }
    }

    /// The name as shown: the whole name, else first and last name.
    pub fn name(&self) -> Option<Text> {
        let text = |field| self.value(field).map(Value::primary);
        whole_name(
            text(FieldId::NAME),
            text(FieldId::FIRST_NAME),
            text(FieldId::LAST_NAME),
        )
    }

    /// Every identifier that finds this contact.
    pub fn identifiers(&self) -> impl Iterator<Item = Identifier> + '_ {
        self.identifiers_in_place()
            .map(|identifier| identifier.to_identifier())
    }

    /// The same where they lie.
    pub fn identifiers_in_place(&self) -> impl Iterator<Item = IdentifierRef<'_>> {
        let external = self
            .external_ids
            .iter()
            .map(|(namespace, id)| IdentifierRef::external_id(namespace, id));
        let texts = |field| self.value(field).map_or(&[][..], Value::texts).iter();
        let phones = texts(FieldId::PHONE).map(|text| IdentifierRef::phone(text));
        let emails = texts(FieldId::EMAIL).map(|text| IdentifierRef::email(text));
        external.chain(phones).chain(emails)
    }

    /// Whether an identifier finds this contact.
    pub fn has(&self, identifier: &IdentifierRef<'_>) -> bool {
        let mut texts = self
            .value(identifier.kind.field())
            .map_or(&[][..], Value::texts)
            .iter();
        match identifier.kind {
            IdentifierKind::ExternalId => self.external_ids.iter().any(|(namespace, id)| {
                namespace == identifier.namespace && *id == *identifier.text
            }),
            IdentifierKind::Phone => texts.any(|text| *text == *identifier.text),
            IdentifierKind::Email => {
                texts.any(|text| *text == *identifier.text || lower(text) == identifier.text)
            }
        }
    }
}

/// A name as shown: the whole one, else what there is of first and last.
pub(crate) fn whole_name(
    whole: Option<&str>,
    first: Option<&str>,
    last: Option<&str>,
) -> Option<Text> {
    match (whole, first, last) {
        (Some(whole), _, _) => Some(whole.into()),
        (None, Some(first), Some(last)) => {
            let mut name = Text::with_capacity(first.len() + 1 + last.len());
            name.push_str(first);
            name.push(' ');
            name.push_str(last);
            Some(name)
        }
        (None, Some(part), None) | (None, None, Some(part)) => Some(part.into()),
        (None, None, None) => None,
    }
}

/// The kinds of identifier, in the order in which they are tried (SPEC 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentifierKind {
    /// An External ID in a namespace.
    ExternalId,
    /// A phone number.
    Phone,
    /// An email address.
    Email,
}

impl IdentifierKind {
    /// All kinds, in that order.
    pub const ALL: [IdentifierKind; 3] = [
        IdentifierKind::ExternalId,
        IdentifierKind::Phone,
        IdentifierKind::Email,
    ];

    /// The field that holds such identifiers.
    pub fn field(self) -> FieldId {
        match self {
            IdentifierKind::ExternalId => FieldId::EXTERNAL_ID,
            IdentifierKind::Phone => FieldId::PHONE,
            IdentifierKind::Email => FieldId::EMAIL,
        }
    }

    /// The word of API and files: `external_id`, `phone`, `email`.
    pub fn key(self) -> &'static str {
        match self {
            IdentifierKind::ExternalId => "external_id",
            IdentifierKind::Phone => "phone",
            IdentifierKind::Email => "email",
        }
    }

    /// The kind for such a word.
    pub fn from_key(key: &str) -> Option<IdentifierKind> {
        IdentifierKind::ALL
            .into_iter()
            .find(|kind| kind.key() == key)
    }

    /// The article's words of the column Matched On.
    pub fn label(self) -> &'static str {
        match self {
            IdentifierKind::ExternalId => "External ID",
            IdentifierKind::Phone => "Phone Number",
            IdentifierKind::Email => "Email",
        }
    }
}

/// A value that can find a contact, in the form in which such values are compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identifier {
    kind: IdentifierKind,
    key: Text,
}

/// Stands between the parts of an External ID's key: a control character, so neither part can contain it.
const SEPARATOR: char = '\u{1f}';

/// An identifier where its texts lie, for those who look for many: nothing is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifierRef<'a> {
    kind: IdentifierKind,
    /// Of an External ID; else nothing.
    namespace: &'a str,
    text: Cow<'a, str>,
}

impl<'a> IdentifierRef<'a> {
    /// An External ID of a namespace; exact.
    pub fn external_id(namespace: &'a str, id: &'a str) -> IdentifierRef<'a> {
        IdentifierRef {
            kind: IdentifierKind::ExternalId,
            namespace,
            text: Cow::Borrowed(id),
        }
    }

    /// A phone number in canonical text.
    pub fn phone(canonical: &'a str) -> IdentifierRef<'a> {
        IdentifierRef {
            kind: IdentifierKind::Phone,
            namespace: "",
            text: Cow::Borrowed(canonical),
        }
    }

    /// An email address in canonical text; compared in lower case as a whole.
    pub fn email(canonical: &'a str) -> IdentifierRef<'a> {
        IdentifierRef {
            kind: IdentifierKind::Email,
            namespace: "",
            text: lower(canonical),
        }
    }

    /// What kind of identifier it is.
    pub fn kind(&self) -> IdentifierKind {
        self.kind
    }

    /// The parts of the text that is compared, one after the other: all of them together are [`Identifier::key`].
    pub fn key_parts(&self) -> [&str; 3] {
        match self.kind {
            IdentifierKind::ExternalId => [self.namespace, "\u{1f}", &self.text],
            IdentifierKind::Phone | IdentifierKind::Email => ["", "", &self.text],
        }
    }

    /// The same with texts of its own.
    pub fn to_identifier(&self) -> Identifier {
        let parts = self.key_parts();
        let mut key = Text::with_capacity(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            key.push_str(part);
        }
        Identifier {
            kind: self.kind,
            key,
        }
    }
}

impl Identifier {
    /// An External ID of a namespace; exact.
    pub fn external_id(namespace: &str, id: &str) -> Identifier {
        IdentifierRef::external_id(namespace, id).to_identifier()
    }

    /// A phone number in canonical text.
    pub fn phone(canonical: &str) -> Identifier {
        IdentifierRef::phone(canonical).to_identifier()
    }

    /// An email address in canonical text; compared in lower case as a whole.
    pub fn email(canonical: &str) -> Identifier {
        IdentifierRef::email(canonical).to_identifier()
    }

    /// The identifier where its texts lie.
    pub fn in_place(&self) -> IdentifierRef<'_> {
        let (namespace, text) = match self.kind {
            IdentifierKind::ExternalId => self.key.split_once(SEPARATOR).unwrap_or_default(),
            IdentifierKind::Phone | IdentifierKind::Email => ("", self.key.as_str()),
        };
        IdentifierRef {
            kind: self.kind,
            namespace,
            text: Cow::Borrowed(text),
        }
    }

    /// What kind of identifier it is.
    pub fn kind(&self) -> IdentifierKind {
        self.kind
    }

    /// The text that is compared.
    pub fn key(&self) -> &str {
        &self.key
    }
}
