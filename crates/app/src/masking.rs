//! What a person may see: everything, or contacts with phones, emails and payloads masked (SPEC 10).
//!
//! Pages and exports read attempts and contacts through a [`Sight`] right after the store, so that nothing behind it
//! has to think of roles.

use std::sync::Arc;

use rollbook_engine::contact::{Contact, Value};
use rollbook_engine::schema::{FieldId, FieldKind, Schema};
use rollbook_store::commit::Payload;
use rollbook_store::log::{Attempt, Reach, Search};

/// How much a person sees.
#[derive(Debug, Clone)]
pub(crate) enum Sight {
    /// Everything.
    Full,
    /// Phones and emails masked, custom fields of these kinds included; no payloads.
    Masked(Arc<[MaskedField]>),
}

/// A field whose values are masked.
#[derive(Debug, Clone)]
pub(crate) struct MaskedField {
    id: FieldId,
    key: String,
    mask: fn(&str) -> String,
}

impl Sight {
    /// What is seen of a workspace with these fields by who sees them masked.
    pub(crate) fn masked(schema: &Schema) -> Sight {
        let fields = schema.fields().iter().filter_map(|field| {
            let mask: fn(&str) -> String = match field.kind {
                FieldKind::Phone => mask_phone,
                FieldKind::Email => mask_email,
                _ => return None,
            };
            Some(MaskedField {
                id: field.id,
                key: field.key.clone(),
                mask,
            })
        });
        Sight::Masked(fields.collect())
    }

    /// Where this person's searches look.
    pub(crate) fn reach(&self) -> Reach {
        match self {
            Sight::Full => Reach::Everything,
            Sight::Masked(_) => Reach::NamesAndIds,
        }
    }

    /// A search as this person may make it.
    pub(crate) fn search(&self, search: Search) -> Search {
        Search {
            reach: self.reach(),
            ..search
        }
    }

    /// What a search field says it finds.
    pub(crate) fn search_in(&self, everything: &'static str) -> &'static str {
        match self {
            Sight::Full => everything,
            Sight::Masked(_) => "Name or External ID",
        }
    }

    /// The attempt as this person sees it.
    pub(crate) fn attempt(&self, mut attempt: Attempt) -> Attempt {
        let Sight::Masked(fields) = self else {
            return attempt;
        };
        attempt.shown.phone = attempt
            .shown
            .phone
            .as_deref()
            .map(|phone| mask_phone(phone).into());
        attempt.shown.email = attempt
            .shown
            .email
            .as_deref()
            .map(|email| mask_email(email).into());
        for change in &mut attempt.changes {
            let Some(mask) = mask_of(fields, &change.field) else {
                continue;
            };
            change.before = change.before.take().map(|value| masked(&value, mask));
            change.after = change.after.take().map(|value| masked(&value, mask));
        }
        for issue in &mut attempt.issues {
            // A value that failed may hold anything, also a phone number in the wrong column, so all of them are masked.
            if let Some(value) = issue.value.take() {
                issue.message = without_quote(&issue.message);
                issue.value = Some(mask_text(&value));
            }
        }
        for note in &mut attempt.notes {
            note.message = without_quote(&note.message).into();
        }
        attempt
    }

    /// The payload, if this person may see it.
    pub(crate) fn payload(&self, payload: Payload) -> Option<Payload> {
        matches!(self, Sight::Full).then_some(payload)
    }

    /// The contact as this person sees it.
    pub(crate) fn contact(&self, mut contact: Contact) -> Contact {
        let Sight::Masked(fields) = self else {
            return contact;
        };
        for field in fields.iter() {
            let value = contact
                .value(field.id)
                .map(|value| masked(value, field.mask));
            contact.set(field.id, value);
        }
        contact
    }
}

fn mask_of(fields: &[MaskedField], key: &str) -> Option<fn(&str) -> String> {
    let field = fields.iter().find(|field| field.key == key);
    field.map(|field| field.mask)
}

fn masked(value: &Value, mask: fn(&str) -> String) -> Value {
    match value {
        Value::One(text) => Value::One(mask(text).into()),
        Value::Many(texts) => Value::Many(texts.iter().map(|text| mask(text).into()).collect()),
    }
}

/// `+16502530000` → `+165•••00`: enough to recognise a number one knows, too little to call it.
fn mask_phone(phone: &str) -> String {
    let characters: Vec<char> = phone.chars().collect();
    if characters.len() < 9 {
        return "•••".to_owned();
    }
    let begin: String = characters[..characters.len().min(4)].iter().collect();
    let end: String = characters[characters.len() - 2..].iter().collect();
    format!("{begin}•••{end}")
}

/// `liesl@weber.example` → `l•••@w•••.example`.
fn mask_email(email: &str) -> String {
    let Some((local, domain)) = email.rsplit_once('@') else {
        return mask_text(email);
    };
    let ending = domain.rsplit_once('.').map_or("", |(_, ending)| ending);
    let dot = if ending.is_empty() { "" } else { "." };
    format!("{}@{}{dot}{ending}", mask_text(local), mask_text(domain))
}

/// The first character, and that there was more.
fn mask_text(text: &str) -> String {
    text.chars()
        .next()
        .map_or_else(String::new, |first| format!("{first}•••"))
}

/// A message without the value that it quotes.
fn without_quote(message: &str) -> String {
    match (message.find('“'), message.rfind('”')) {
        (Some(begin), Some(end)) if begin < end => {
            format!(
                "{}“•••”{}",
                &message[..begin],
                &message[end + '”'.len_utf8()..]
            )
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rollbook_engine::contact::ContactId;
    use rollbook_engine::schema::FieldDef;

    use super::*;

    #[test]
    fn phones_and_emails_are_masked() {
        assert_eq!(mask_phone("+16502530000"), "+165•••00");
        assert_eq!(mask_phone("555-01"), "•••");
        assert_eq!(mask_phone(""), "•••");
        assert_eq!(mask_email("liesl@weber.example"), "l•••@w•••.example");
        assert_eq!(mask_email("ü@localhost"), "ü•••@l•••");
        assert_eq!(mask_email("not-an-email"), "n•••");
    }

    #[test]
    fn custom_fields_of_these_kinds_are_masked_like_the_built_in_ones() {
        let custom = |id: u16, key: &str, kind| FieldDef {
            id: FieldId(FieldId::FIRST_CUSTOM.0 + id),
            key: key.to_owned(),
            label: key.to_owned(),
            kind,
        };
        let fields = vec![
            custom(0, "mobile", FieldKind::Phone),
            custom(1, "work_mail", FieldKind::Email),
            custom(2, "room", FieldKind::Text),
        ];
        let sight = Sight::masked(&Schema::with_custom(fields.clone()));
        let mut contact = Contact::new(ContactId(1));
        let values = ["+16502530000", "liesl@weber.example", "101 Harbour"];
        for (field, value) in fields.iter().zip(values) {
            contact.set(field.id, Some(Value::One(value.into())));
        }
        let seen = sight.contact(contact.clone());
        let of = |contact: &Contact| {
            let value = |field: &FieldDef| contact.value(field.id).unwrap().primary().to_owned();
            fields.iter().map(value).collect::<Vec<_>>()
        };
        assert_eq!(of(&seen), ["+165•••00", "l•••@w•••.example", "101 Harbour"]);
        assert_eq!(of(&Sight::Full.contact(contact)), values);
        assert_eq!(sight.reach(), Reach::NamesAndIds);
    }

    #[test]
    fn a_message_loses_the_value_it_quotes() {
        let message = "“555-01” is not a valid phone number for US.";
        assert_eq!(
            without_quote(message),
            "“•••” is not a valid phone number for US."
        );
        assert_eq!(without_quote("nothing”“quoted"), "nothing”“quoted");
    }
}
