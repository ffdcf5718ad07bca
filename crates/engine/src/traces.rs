//! Traces: what tells a person in texts and attempts, so that they can be erased, or told everything that is kept.
//!
//! A person is told by what finds them: emails, phone numbers and External IDs, those they have and those they had. In
//! free text (payloads, messages, names of files) emails and phone numbers are looked for, a phone number in any of the
//! spellings that people give it; External IDs only where something is known to be one, because short ones are
//! everywhere. A name tells a person only where nothing else does: in records that came to no contact.

use serde::{Deserialize, Serialize};

use crate::attempt::Shown;
use crate::change::Change;
use crate::contact::{Contact, ContactId, Identifier, IdentifierKind, Text, Value};
use crate::field::fold::lower;
use crate::issue::{Issue, Note};

/// What tells a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traces {
    contact: u64,
    /// In lower case.
    emails: Vec<String>,
    /// As digits, with the country code.
    phones: Vec<String>,
    /// Namespace and External ID.
    external_ids: Vec<(String, String)>,
    /// In lower case.
    names: Vec<String>,
}

/// An attempt as far as it can tell a person.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The contact that it was about.
    pub contact: Option<ContactId>,
    /// The namespace of its source.
    pub namespace: &'a str,
    /// Who it was about.
    pub shown: &'a Shown,
    /// Why something could not be used.
    pub issues: &'a [Issue],
    /// What else is worth knowing.
    pub notes: &'a [Note],
    /// What it changed.
    pub changes: &'a [Change],
    /// What was sent.
    pub payload: &'a [u8],
}

/// How much of an attempt is about a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// Nothing.
    None,
    /// It is about somebody else, and names them.
    Mention,
    /// All of it.
    Whole,
}

impl Traces {
    /// What tells the person of a contact.
    pub fn of(contact: &Contact) -> Traces {
        let mut traces = Traces::forgotten(contact.id);
        for identifier in contact.identifiers() {
            traces.add(&identifier);
        }
        if let Some(name) = contact.name() {
            traces.names.push(lower(&name).into_owned());
        }
        traces
    }

    /// What is left when everything else was found: the number of the contact, which tells nobody.
    pub fn forgotten(contact: ContactId) -> Traces {
        Traces {
            contact: contact.0,
            emails: Vec::new(),
            phones: Vec::new(),
            external_ids: Vec::new(),
            names: Vec::new(),
        }
    }

    /// Something else that told them once.
    pub fn add(&mut self, identifier: &Identifier) {
        let place = identifier.in_place();
        let [namespace, _, text] = place.key_parts();
        match identifier.kind() {
            IdentifierKind::ExternalId => add(
                &mut self.external_ids,
                (namespace.to_owned(), text.to_owned()),
            ),
            IdentifierKind::Phone => {
                let e164 = text.split(';').next().unwrap_or_default();
                let digits: String = e164.chars().filter(char::is_ascii_digit).collect();
                if digits.len() >= SHORTEST_PHONE {
                    add(&mut self.phones, digits);
                }
            }
            IdentifierKind::Email => add(&mut self.emails, text.to_owned()),
        }
    }

    /// The contact.
    pub fn contact(&self) -> ContactId {
        ContactId(self.contact)
    }

    /// Whether a text contains an email or a phone number of theirs.
    pub fn are_in(&self, text: &[u8]) -> bool {
        self.emails.iter().any(|email| has_email(text, email)) || self.has_phone(text)
    }

    /// Whether a text contains an email, a phone number or the whole name of theirs.
    pub fn or_name_are_in(&self, text: &str) -> bool {
        let folded = lower(text);
        let named = self.names.iter().any(|name| {
            let mut found = folded.match_indices(name.as_str());
            found.any(|(at, _)| {
                let before = folded[..at].chars().next_back();
                let after = folded[at + name.len()..].chars().next();
                ![before, after]
                    .iter()
                    .flatten()
                    .any(|c| c.is_alphanumeric())
            })
        });
        named || self.are_in(text.as_bytes())
    }

    /// Whether an External ID of a namespace is theirs.
    pub fn is_external_id(&self, namespace: &str, id: &str) -> bool {
        let mut ids = self.external_ids.iter();
        ids.any(|(own, known)| own == namespace && known == id)
    }

    /// How much of an attempt is about them.
    pub fn in_attempt(&self, told: &Told<'_>) -> Trace {
        if told.contact == Some(self.contact()) {
            return Trace::Whole;
        }
        let mentioned = self.are_in(told.payload)
            || self.in_shown(told.shown, told.namespace)
            || told.issues.iter().any(|issue| self.in_issue(issue))
            || told
                .notes
                .iter()
                .any(|note| self.are_in(note.message.as_bytes()))
            || told
                .changes
                .iter()
                .any(|change| self.in_change(change, told.namespace));
        match told.contact {
            Some(_) if mentioned => Trace::Mention,
            None if mentioned || self.is_named(told.shown) => Trace::Whole,
            Some(_) | None => Trace::None,
        }
    }

    /// Whether an issue names them.
    pub fn in_issue(&self, issue: &Issue) -> bool {
        let value = issue.value.as_deref().unwrap_or_default();
        issue.owner() == Some(self.contact)
            || self.are_in(issue.message.as_bytes())
            || self.are_in(value.as_bytes())
    }

    /// Whether a change holds a value that tells them.
    pub fn in_change(&self, change: &Change, namespace: &str) -> bool {
        let values = [&change.before, &change.after];
        let mut texts = values.into_iter().flatten().flat_map(Value::texts);
        let is_id = change.field == IdentifierKind::ExternalId.key();
        texts.any(|text| {
            self.are_in(text.as_bytes()) || is_id && self.is_external_id(namespace, text)
        })
    }

    /// Takes out of what an attempt shows what tells them.
    pub fn blank_shown(&self, shown: &mut Shown, namespace: &str) {
        let of_text = |text: &Option<Text>| {
            let text = text.as_deref().unwrap_or_default();
            self.are_in(text.as_bytes())
        };
        if of_text(&shown.phone) {
            shown.phone = None;
        }
        if of_text(&shown.email) {
            shown.email = None;
        }
        if of_text(&shown.name) {
            shown.name = None;
        }
        if let Some(id) = &shown.external_id
            && self.is_external_id(namespace, id)
        {
            shown.external_id = None;
        }
    }

    fn in_shown(&self, shown: &Shown, namespace: &str) -> bool {
        let texts = [&shown.name, &shown.phone, &shown.email, &shown.external_id];
        let mut texts = texts.into_iter().flatten();
        let id = shown.external_id.as_deref();
        texts.any(|text| self.are_in(text.as_bytes()))
            || id.is_some_and(|id| self.is_external_id(namespace, id))
    }

    fn is_named(&self, shown: &Shown) -> bool {
        let name = shown.name.as_deref().map(lower);
        name.is_some_and(|name| self.names.iter().any(|own| *own == name))
    }

    fn has_phone(&self, text: &[u8]) -> bool {
        if self.phones.is_empty() {
            return false;
        }
        let mut digits = Digits::default();
        for byte in text {
            match byte {
                b'0'..=b'9' => {
                    if digits.push(*byte) && self.ends_with_phone(&digits) {
                        // The number may go on; only a whole one counts.
                        digits.hit = true;
                    } else {
                        digits.hit = false;
                    }
                }
                _ if digits.hit => return true,
                // What people put between the digits of a number, the bytes of a no-break space and dashes among them.
                b' '
                | b'-'
                | b'('
                | b')'
                | b'.'
                | b'/'
                | b'\t'
                | 0xc2
                | 0xa0
                | 0xe2
                | 0x80
                | 0x90..=0x95 => digits.boundary = true,
                _ => digits = Digits::default(),
            }
        }
        digits.hit
    }

    fn ends_with_phone(&self, digits: &Digits) -> bool {
        self.phones.iter().any(|phone| {
            let national = &phone[country_code(phone)..];
            let Some(rest) = digits.bytes.strip_suffix(national.as_bytes()) else {
                return false;
            };
            let country = &phone[..phone.len() - national.len()];
            let begins = |length: usize| {
                let at = digits.bytes.len() - length;
                digits.starts[at]
            };
            let whole = |prefix: &str| {
                rest.ends_with(prefix.as_bytes()) && begins(prefix.len() + national.len())
            };
            // Without anything before it, with a trunk prefix, or with the country code in its spellings.
            let bare = national.len() >= SHORTEST_PHONE && whole("");
            bare || whole("0")
                || whole(country)
                || whole(&format!("{country}0"))
                || whole(&format!("00{country}"))
                || whole(&format!("00{country}0"))
                || whole(&format!("011{country}"))
                || country == "7" && whole("8")
        })
    }
}

/// Fewer digits are no phone number that tells anybody.
const SHORTEST_PHONE: usize = 7;

/// Digits that stand together, and where each group of them starts.
#[derive(Default)]
struct Digits {
    bytes: Vec<u8>,
    starts: Vec<bool>,
    boundary: bool,
    /// Whether they end with a number.
    hit: bool,
}

impl Digits {
    /// Takes in a digit; whether it may end a number.
    fn push(&mut self, digit: u8) -> bool {
        const MOST: usize = 32;
        if self.bytes.len() == MOST {
            self.bytes.remove(0);
            self.starts.remove(0);
        }
        let first = self.boundary || self.bytes.is_empty();
        self.boundary = false;
        self.bytes.push(digit);
        self.starts.push(first);
        self.bytes.len() >= 4
    }
}

fn add<T: PartialEq>(known: &mut Vec<T>, new: T) {
    if !known.contains(&new) {
        known.push(new);
    }
}

/// How many digits the country code has (ITU E.164).
fn country_code(digits: &str) -> usize {
    const OF_TWO: [&str; 44] = [
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46",
        "47", "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63",
        "64", "65", "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
    ];
    let known = match digits.as_bytes() {
        [b'1' | b'7', ..] => 1,
        _ if OF_TWO.iter().any(|code| digits.starts_with(code)) => 2,
        _ => 3,
    };
    known.min(digits.len())
}

/// Whether a text contains an address as a whole, whatever its case.
fn has_email(text: &[u8], email: &str) -> bool {
    let wanted = email.as_bytes();
    let Some(first) = wanted.first() else {
        return false;
    };
    let same = |a: u8, b: u8| a.eq_ignore_ascii_case(&b);
    let part =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"._+-%".contains(byte) || !byte.is_ascii();
    let ends = text.len().checked_sub(wanted.len());
    let ascii = email.is_ascii();
    if !ascii {
        let text = String::from_utf8_lossy(text);
        return lower(&text).contains(email);
    }
    let Some(last) = ends else { return false };
    for at in 0..=last {
        if !same(text[at], *first) {
            continue;
        }
        let here = &text[at..at + wanted.len()];
        let before = at.checked_sub(1).map(|before| text[before]);
        let after = text.get(at + wanted.len());
        // A full stop may end a sentence, and not go on with the domain.
        let goes_on = after.is_some_and(|byte| {
            let next = text.get(at + wanted.len() + 1);
            match byte {
                b'.' => next.is_some_and(u8::is_ascii_alphanumeric),
                other => part(other),
            }
        });
        if here.eq_ignore_ascii_case(wanted) && !before.is_some_and(|byte| part(&byte)) && !goes_on
        {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::FieldId;

    fn weber() -> Traces {
        let mut contact = Contact::new(ContactId(7));
        contact.set(FieldId::NAME, Some(Value::One("Anna Weber".into())));
        let phone: Text = "+49301234567".into();
        contact.set(
            FieldId::PHONE,
            Some(Value::Many([phone].into_iter().collect())),
        );
        let email: Text = "Anna@Hotel.example".into();
        contact.set(
            FieldId::EMAIL,
            Some(Value::Many([email].into_iter().collect())),
        );
        contact.set_external_id("default", Some("G-1".into()));
        Traces::of(&contact)
    }

    #[test]
    fn emails_and_phones_are_found_in_every_spelling_and_only_as_a_whole() {
        let traces = weber();
        for text in [
            "anna@hotel.example",
            "<ANNA@hotel.EXAMPLE>, x",
            "Write to anna@hotel.example.",
            "+49301234567",
            "0049 30 1234567",
            "+49 (0)30 123 45 67",
            "030/1234567;x",
            "030-123.45.67",
            "2024-05-01 030 1234567",
            "\"phone\":\"301234567\"",
            "tel:+49\u{a0}30\u{a0}1234567",
            "(030) 1234567",
        ] {
            assert!(traces.are_in(text.as_bytes()), "{text}");
        }
        for text in [
            "joanna@hotel.example",
            "anna@hotel.example.org",
            "anna@hotel.examples",
            "+493012345678",
            "+49301234566",
            "9930123456",
            "1234567",
            "5301234567",
            "030,1234567",
            "Anna Weber",
            "G-1",
            "",
        ] {
            assert!(!traces.are_in(text.as_bytes()), "{text}");
        }
        assert!(traces.or_name_are_in("List of anna weber, May.csv"));
        assert!(!traces.or_name_are_in("Joanna Weber.csv"));
        assert!(!traces.or_name_are_in("anna weberin.csv"));
    }

    #[test]
    fn an_attempt_is_about_them_names_them_or_neither() {
        let traces = weber();
        let shown = |name: &str| Shown {
            name: Some(name.into()),
            ..Shown::default()
        };
        let (anna, ben) = (shown("ANNA WEBER"), shown("Ben"));
        let told = |contact: Option<u64>, shown, payload| Told {
            contact: contact.map(ContactId),
            namespace: "default",
            shown,
            issues: &[],
            notes: &[],
            changes: &[],
            payload,
        };
        let mail = b"anna@hotel.example".as_slice();
        for (told, trace) in [
            (told(Some(7), &ben, b"".as_slice()), Trace::Whole),
            (told(Some(8), &ben, mail), Trace::Mention),
            (told(Some(8), &anna, b""), Trace::None),
            (told(None, &ben, mail), Trace::Whole),
            (told(None, &anna, b""), Trace::Whole),
            (told(None, &ben, b"030"), Trace::None),
        ] {
            assert_eq!(traces.in_attempt(&told), trace, "{told:?}");
        }
        let id = Shown {
            external_id: Some("G-1".into()),
            ..Shown::default()
        };
        assert_eq!(traces.in_attempt(&told(None, &id, b"")), Trace::Whole);
        let elsewhere = Told {
            namespace: "other",
            ..told(None, &id, b"")
        };
        assert_eq!(traces.in_attempt(&elsewhere), Trace::None);
    }
}
