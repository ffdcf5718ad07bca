//! What a person may see: everything, or contacts with phones, emails and payloads masked (SPEC 10).
//!
//! Pages and exports read attempts and contacts through a [`Sight`] right after the store, so that nothing behind it
//! has to think of roles.

use rollbook_engine::contact::{Contact, Value};
use rollbook_engine::schema::FieldId;
use rollbook_store::accounts::Role;
use rollbook_store::commit::Payload;
use rollbook_store::log::Attempt;

/// How much a person sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Everything.
    Full,
    /// Phones and emails masked, no payloads.
    Masked,
}

impl Sight {
    /// What a role sees.
    pub(crate) fn of(role: Role) -> Sight {
        match role {
            Role::Viewer => Sight::Masked,
            Role::Importer | Role::Admin => Sight::Full,
        }
    }

    /// The attempt as this person sees it.
    pub(crate) fn attempt(self, mut attempt: Attempt) -> Attempt {
        if self == Sight::Full {
            return attempt;
        }
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
            let Some(mask) = mask_of(&change.field) else {
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
    pub(crate) fn payload(self, payload: Payload) -> Option<Payload> {
        (self == Sight::Full).then_some(payload)
    }

    /// The contact as this person sees it.
    pub(crate) fn contact(self, mut contact: Contact) -> Contact {
        if self == Sight::Full {
            return contact;
        }
        for (field, mask) in [
            (FieldId::PHONE, mask_phone as fn(&str) -> String),
            (FieldId::EMAIL, mask_email),
        ] {
            let value = contact.value(field).map(|value| masked(value, mask));
            contact.set(field, value);
        }
        contact
    }
}

fn mask_of(field: &str) -> Option<fn(&str) -> String> {
    match field {
        "phone" => Some(mask_phone),
        "email" => Some(mask_email),
        _ => None,
    }
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
    fn a_message_loses_the_value_it_quotes() {
        let message = "“555-01” is not a valid phone number for US.";
        assert_eq!(
            without_quote(message),
            "“•••” is not a valid phone number for US."
        );
        assert_eq!(without_quote("nothing”“quoted"), "nothing”“quoted");
    }
}
