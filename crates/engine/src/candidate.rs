//! A candidate: what a record says about a contact, normalised, with the issues of what it could not say.

use crate::contact::{Identifier, IdentifierRef, Text, Texts, Value, whole_name};
use crate::issue::{Issue, Note, Problem};
use crate::policy::Policy;
use crate::schema::FieldId;

/// What a record does to one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// Its value replaces the field's.
    Set(Value),
    /// Its values join the field's.
    Add(Texts),
    /// Its value is the field's where that has none; elsewhere it only helps to find the contact.
    Fill(Value),
    /// It clears the field.
    Clear,
}

impl Given {
    /// The values that it brings.
    pub fn texts(&self) -> &[Text] {
        match self {
            Given::Set(value) | Given::Fill(value) => value.texts(),
            Given::Add(texts) => texts,
            Given::Clear => &[],
        }
    }
}

/// A normalised record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidate {
    /// What the record gives, in order of field number, one entry a field. External IDs are in the source's namespace.
    pub given: Vec<(FieldId, Given)>,
    /// Why values could not be used.
    pub issues: Vec<Issue>,
    /// What else is worth knowing.
    pub notes: Vec<Note>,
}

impl Candidate {
    /// A record that could not be read at all.
    pub fn unreadable(issue: Issue) -> Candidate {
        Candidate {
            issues: vec![issue],
            ..Candidate::default()
        }
    }

    /// The same record, left out by a person: nothing of it is written, and nothing else is wrong with it.
    #[must_use]
    pub fn dropped(mut self, by: &str) -> Candidate {
        self.issues = vec![Issue::of_record(&Problem::RecordDropped {
            by: by.to_owned(),
        })];
        self
    }

    /// What the record gives for a field.
    pub fn field(&self, field: FieldId) -> Option<&Given> {
        self.given
            .iter()
            .find(|(id, _)| *id == field)
            .map(|(_, given)| given)
    }

    /// Whether the record brings a value of any kind; clearing is not a value.
    pub fn has_value(&self) -> bool {
        self.given
            .iter()
            .any(|(_, given)| !given.texts().is_empty())
    }

    /// The identifiers in the order in which they are tried: External ID, phones, emails.
    pub fn identifiers<'a>(
        &'a self,
        policy: &'a Policy,
    ) -> impl Iterator<Item = (Identifier, &'a str)> + 'a {
        self.identifiers_in_place(policy)
            .map(|(identifier, value)| (identifier.to_identifier(), value))
    }

    /// The same where they lie.
    pub fn identifiers_in_place<'a>(
        &'a self,
        policy: &'a Policy,
    ) -> impl Iterator<Item = (IdentifierRef<'a>, &'a str)> + 'a {
        let texts = |field| {
            self.field(field)
                .map_or(&[][..], Given::texts)
                .iter()
                .map(Text::as_str)
        };
        let external = texts(FieldId::EXTERNAL_ID)
            .map(|id| (IdentifierRef::external_id(&policy.namespace, id), id));
        let phones = texts(FieldId::PHONE).map(|phone| (IdentifierRef::phone(phone), phone));
        let emails = texts(FieldId::EMAIL).map(|email| (IdentifierRef::email(email), email));
        external.chain(phones).chain(emails)
    }

    /// The name that the record gives: the whole one, else first and last.
    pub fn name(&self) -> Option<Text> {
        let text = |field| {
            self.field(field)
                .and_then(|given| given.texts().first())
                .map(Text::as_str)
        };
        whole_name(
            text(FieldId::NAME),
            text(FieldId::FIRST_NAME),
            text(FieldId::LAST_NAME),
        )
    }
}
