//! The fields a workspace's contacts can have.

use crate::contact::Text;
use crate::field::choice::ChoiceOption;

/// The number of a field in its workspace: built-in fields have the constants below, custom ones count up from
/// [`FieldId::FIRST_CUSTOM`] and are never reused, because stored contacts refer to fields by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(pub u16);

impl FieldId {
    /// The identifier another system gave the contact.
    pub const EXTERNAL_ID: FieldId = FieldId(0);
    /// The whole name.
    pub const NAME: FieldId = FieldId(1);
    /// Given name.
    pub const FIRST_NAME: FieldId = FieldId(2);
    /// Family name.
    pub const LAST_NAME: FieldId = FieldId(3);
    /// Salutation or academic title.
    pub const TITLE: FieldId = FieldId(4);
    /// Phone numbers, the first is primary.
    pub const PHONE: FieldId = FieldId(5);
    /// Email addresses, the first is primary.
    pub const EMAIL: FieldId = FieldId(6);
    /// Date of birth, possibly partial.
    pub const BIRTHDAY: FieldId = FieldId(7);
    /// Preferred language.
    pub const LANGUAGE: FieldId = FieldId(8);
    /// Company or organisation.
    pub const COMPANY: FieldId = FieldId(9);
    /// Street and house number.
    pub const STREET: FieldId = FieldId(10);
    /// City.
    pub const CITY: FieldId = FieldId(11);
    /// State, province or region.
    pub const REGION: FieldId = FieldId(12);
    /// Postal code.
    pub const POSTAL_CODE: FieldId = FieldId(13);
    /// Country.
    pub const COUNTRY: FieldId = FieldId(14);
    /// Free text.
    pub const NOTES: FieldId = FieldId(15);
    /// Tags.
    pub const TAGS: FieldId = FieldId(16);
    /// Custom fields start here.
    pub const FIRST_CUSTOM: FieldId = FieldId(64);
}

/// What a field's values are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// An External ID in the source's namespace.
    ExternalId,
    /// A name: text in which fewer words count as blank.
    Name,
    /// One line of text.
    Text,
    /// Text of several lines.
    LongText,
    /// One or more phone numbers.
    Phone,
    /// One or more email addresses.
    Email,
    /// A date; `partial` allows a year, a year and month, or a day without a year.
    Date {
        /// Whether a partial date is taken.
        partial: bool,
    },
    /// A time of day.
    Time,
    /// A date with a time.
    DateTime,
    /// A language of ISO 639.
    Language,
    /// A country of ISO 3166.
    Country,
    /// Tags.
    Tags,
    /// A decimal number.
    Number,
    /// Yes or no.
    Boolean,
    /// One of the options.
    Choice(Vec<ChoiceOption>),
    /// Some of the options.
    Choices(Vec<ChoiceOption>),
    /// A web address.
    Url,
}

impl FieldKind {
    /// Whether a contact holds a list of values in such a field.
    pub fn is_list(&self) -> bool {
        matches!(
            self,
            FieldKind::Phone | FieldKind::Email | FieldKind::Tags | FieldKind::Choices(_)
        )
    }

    /// The longest value in characters.
    pub fn max_chars(&self) -> usize {
        match self {
            FieldKind::LongText => 10_000,
            FieldKind::Url => 2_000,
            _ => 255,
        }
    }
}

/// The definition of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDef {
    /// Its number.
    pub id: FieldId,
    /// The stable key of mappings, API and files: `postal_code`.
    pub key: String,
    /// What people read: `Postal code`.
    pub label: String,
    /// What its values are.
    pub kind: FieldKind,
}

/// All fields of a workspace, built-in ones first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    fields: Vec<FieldDef>,
}

impl Schema {
    /// The built-in fields alone.
    pub fn built_in() -> Schema {
        Schema::with_custom(Vec::new())
    }

    /// The built-in fields and the given custom ones.
    pub fn with_custom(custom: Vec<FieldDef>) -> Schema {
        let mut fields: Vec<FieldDef> = BUILT_IN
            .iter()
            .map(|(id, key, label, kind)| FieldDef {
                id: *id,
                key: (*key).to_owned(),
                label: (*label).to_owned(),
                kind: kind.clone(),
            })
            .collect();
        fields.extend(custom);
        Schema { fields }
    }

    /// The fields in their order.
    pub fn fields(&self) -> &[FieldDef] {
        &self.fields
    }

    /// The field with a key.
    pub fn by_key(&self, key: &str) -> Option<&FieldDef> {
        self.fields.iter().find(|field| field.key == key)
    }

    /// The field with a number; none if it was removed since.
    pub fn by_id(&self, id: FieldId) -> Option<&FieldDef> {
        match self.fields.get(usize::from(id.0)) {
            Some(field) if field.id == id => Some(field),
            _ => self.fields.iter().find(|field| field.id == id),
        }
    }

    /// The key of a field, or `field_<number>` for one that was removed since.
    pub fn key_of(&self, id: FieldId) -> Text {
        match self.by_id(id) {
            Some(field) => field.key.as_str().into(),
            None => compact_str::format_compact!("field_{}", id.0),
        }
    }
}

const BUILT_IN: [(FieldId, &str, &str, FieldKind); 17] = [
    (
        FieldId::EXTERNAL_ID,
        "external_id",
        "External ID",
        FieldKind::ExternalId,
    ),
    (FieldId::NAME, "name", "Name", FieldKind::Name),
    (
        FieldId::FIRST_NAME,
        "first_name",
        "First name",
        FieldKind::Name,
    ),
    (
        FieldId::LAST_NAME,
        "last_name",
        "Last name",
        FieldKind::Name,
    ),
    (FieldId::TITLE, "title", "Title", FieldKind::Text),
    (FieldId::PHONE, "phone", "Phone Number", FieldKind::Phone),
    (FieldId::EMAIL, "email", "Email", FieldKind::Email),
    (
        FieldId::BIRTHDAY,
        "birthday",
        "Birthday",
        FieldKind::Date { partial: true },
    ),
    (
        FieldId::LANGUAGE,
        "language",
        "Language",
        FieldKind::Language,
    ),
    (FieldId::COMPANY, "company", "Company", FieldKind::Text),
    (FieldId::STREET, "street", "Street", FieldKind::LongText),
    (FieldId::CITY, "city", "City", FieldKind::Text),
    (FieldId::REGION, "region", "Region", FieldKind::Text),
    (
        FieldId::POSTAL_CODE,
        "postal_code",
        "Postal code",
        FieldKind::Text,
    ),
    (FieldId::COUNTRY, "country", "Country", FieldKind::Country),
    (FieldId::NOTES, "notes", "Notes", FieldKind::LongText),
    (FieldId::TAGS, "tags", "Tags", FieldKind::Tags),
];
