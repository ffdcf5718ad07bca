//! Issues and notes: why a value or record could not be used as it stood, and what else is worth knowing.
//!
//! This is the only table of codes and texts. An issue changes the result of an attempt; a note never does.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::contact::Text;
use crate::plan::{Expected, ExpectedVerdict};

/// Why a value or a record could not be used, with what the message needs to know.
///
/// Every problem has a stable code ([`Problem::code`]) and a message ([`Problem::message`]) that says what was wrong,
/// with the value, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Not a valid number; `region` is the region it was read for, if any (an ISO 3166 alpha-2 code).
    PhoneInvalid {
        /// The region whose national rules were tried.
        region: Option<String>,
    },
    /// A national number, and no region to read it for.
    PhoneNoRegion,
    /// Not an address; `reason` completes "because …".
    EmailInvalid {
        /// What is wrong with it, as a clause: "it has no @".
        reason: String,
    },
    /// Not a date of the calendar, or not in a known form.
    DateInvalid {
        /// The order that was used for day, month and year, as `DMY`, `MDY` or `YMD`.
        order: Option<String>,
    },
    /// A date that could mean two days, and nothing says which.
    DateAmbiguous,
    /// A date of a column whose values cannot all be in one order.
    DateContradicted {
        /// Values that cannot stand in one column.
        witnesses: Vec<String>,
    },
    /// Not a time of day.
    TimeInvalid,
    /// Not a number, or one that could be two.
    NumberInvalid {
        /// Whether it is a number with a comma that may be a decimal sign or group thousands.
        ambiguous: bool,
    },
    /// Neither yes nor no.
    BooleanInvalid,
    /// Not one of the field's choices.
    ChoiceUnknown {
        /// The labels that would have been understood.
        options: Vec<String>,
    },
    /// Not a language of ISO 639.
    LanguageUnknown,
    /// Not a country of ISO 3166.
    CountryUnknown,
    /// Not an http or https address.
    UrlInvalid,
    /// Longer than the field takes. Lengths are in characters.
    TextTooLong {
        /// The field's limit.
        limit: usize,
        /// The value's length.
        length: usize,
    },
    /// A control character inside the text.
    TextControlCharacter {
        /// The first such character.
        character: char,
    },
    /// Digits were lost before the value got here (`4.41E+11`).
    PrecisionLost,
    /// Another contact has this identifier.
    IdentifierTaken {
        /// The other contact's number.
        owner: u64,
        /// The other contact's name as shown; empty if it has none.
        owner_name: String,
    },
    /// A manual record without any value.
    RecordEmpty,
    /// An automatic record without a usable External ID, Phone Number or Email.
    RecordNoIdentifier,
    /// A record that cannot be read; `reason` is a sentence without its full stop.
    RecordUnreadable {
        /// What is wrong, and where.
        reason: String,
    },
    /// More cells than the header has columns.
    RecordTooManyCells {
        /// Columns of the header.
        expected: usize,
        /// Cells of the record.
        found: usize,
    },
    /// Its source takes nothing for now.
    SourcePaused,
    /// Larger than a record may be, in bytes.
    RecordTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// A person left it out when they reviewed the import.
    RecordDropped {
        /// Who.
        by: String,
    },
    /// The person was erased and may not come back.
    ContactErased,
    /// An event that says something else than how a contact is now.
    EventUnsupported {
        /// The event's type.
        kind: String,
    },
    /// An event that only names the contact.
    EventWithoutContact,
    /// An undo leaves a field or a contact as it is.
    UndoKept(Kept),
}

/// Why an undo leaves something as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kept {
    /// Somebody wrote the field after the import.
    FieldChanged,
    /// Somebody wrote the contact after the import had created it.
    ContactChanged,
    /// The contact is gone.
    ContactGone,
    /// The workspace has no such field any more.
    FieldGone,
    /// The log does not say any more what was changed.
    Erased,
}

impl Problem {
    /// The stable code, as in SPEC 3.
    pub fn code(&self) -> &'static str {
        match self {
            Problem::PhoneInvalid { .. } => "phone.invalid",
            Problem::PhoneNoRegion => "phone.no_region",
            Problem::EmailInvalid { .. } => "email.invalid",
            Problem::DateInvalid { .. } => "date.invalid",
            Problem::DateAmbiguous | Problem::DateContradicted { .. } => "date.ambiguous",
            Problem::TimeInvalid => "time.invalid",
            Problem::NumberInvalid { .. } => "number.invalid",
            Problem::BooleanInvalid => "boolean.invalid",
            Problem::ChoiceUnknown { .. } => "choice.unknown",
            Problem::LanguageUnknown => "language.unknown",
            Problem::CountryUnknown => "country.unknown",
            Problem::UrlInvalid => "url.invalid",
            Problem::TextTooLong { .. } => "text.too_long",
            Problem::TextControlCharacter { .. } => "text.control_character",
            Problem::PrecisionLost => "value.precision_lost",
            Problem::IdentifierTaken { .. } => "identifier.taken",
            Problem::RecordEmpty => "record.empty",
            Problem::RecordNoIdentifier => "record.no_identifier",
            Problem::RecordUnreadable { .. } => "record.unreadable",
            Problem::RecordTooManyCells { .. } => "record.too_many_cells",
            Problem::SourcePaused => "source.paused",
            Problem::RecordTooLarge { .. } => "record.too_large",
            Problem::RecordDropped { .. } => Issue::DROPPED,
            Problem::ContactErased => Issue::CONTACT_ERASED,
            Problem::EventUnsupported { .. } => Issue::EVENT_UNSUPPORTED,
            Problem::EventWithoutContact => Issue::EVENT_WITHOUT_CONTACT,
            Problem::UndoKept(Kept::FieldChanged) => "undo.field_changed",
            Problem::UndoKept(Kept::ContactChanged) => "undo.contact_changed",
            Problem::UndoKept(Kept::ContactGone) => "undo.contact_gone",
            Problem::UndoKept(Kept::FieldGone) => "undo.field_gone",
            Problem::UndoKept(Kept::Erased) => "undo.erased",
        }
    }

    /// What was wrong, with the value, and what to do: one or two sentences for the person who fixes the data.
    pub fn message(&self, value: &str) -> String {
        let value = Excerpt(value);
        match self {
            Problem::PhoneInvalid { region: Some(region) } => format!(
                "{value} is not a valid phone number for {region}. Check the digits, or add the country code (+…)."
            ),
            Problem::PhoneInvalid { region: None } => {
                format!("{value} is not a valid phone number. Check the digits and the country code.")
            }
            Problem::PhoneNoRegion => format!(
                "{value} has no country code, and no default region is set. Add the country code (+…) or set a region."
            ),
            Problem::EmailInvalid { reason } => {
                format!("{value} is not an email address: {reason}. Correct it, or leave the cell blank.")
            }
            Problem::DateInvalid { order: Some(order) } => format!(
                "{value} is not a date when read as {order}. Write it as YYYY-MM-DD, or choose another date order."
            ),
            Problem::DateInvalid { order: None } => format!("{value} is not a date. Write it as YYYY-MM-DD."),
            Problem::DateAmbiguous => format!(
                "{value} could be two different days. Choose the column's date order, or write it as YYYY-MM-DD."
            ),
            Problem::DateContradicted { witnesses } => format!(
                "{value} cannot be read: the column has dates of several orders ({}). Choose the column's date order, or write its dates as YYYY-MM-DD.",
                witnesses.iter().map(|witness| Excerpt(witness).to_string()).collect::<Vec<_>>().join(" and ")
            ),
            Problem::TimeInvalid => format!("{value} is not a time of day. Write it as HH:MM, for example 14:30."),
            Problem::NumberInvalid { ambiguous: false } => {
                format!("{value} is not a number. Write digits with one decimal sign at most.")
            }
            Problem::NumberInvalid { ambiguous: true } => format!(
                "{value} could be thousands or decimals. Write it without a thousands sign, and decimals after a point."
            ),
            Problem::BooleanInvalid => format!("{value} is neither yes nor no. Write yes or no."),
            Problem::ChoiceUnknown { options } => format!(
                "{value} is not one of this field's choices. Use one of: {}, or add it to the field.",
                options.join(", ")
            ),
            Problem::LanguageUnknown => {
                format!("{value} is not a language we know. Use a name or a code such as German, de or de-DE.")
            }
            Problem::CountryUnknown => {
                format!("{value} is not a country we know. Use a name or a code such as Germany or DE.")
            }
            Problem::UrlInvalid => format!("{value} is not a web address. Write it as https://example.com."),
            Problem::TextTooLong { limit, length } => format!(
                "{value} has {length} characters; this field takes {limit}. Shorten it: nothing is cut off silently."
            ),
            Problem::TextControlCharacter { character } => format!(
                "{value} contains the control character U+{:04X}. Remove it: it usually comes from a broken export.",
                u32::from(*character)
            ),
            Problem::PrecisionLost => format!(
                "{value} was rounded by a spreadsheet, so its digits are lost. Format the column as text and export again."
            ),
            Problem::IdentifierTaken { owner, owner_name } if owner_name.is_empty() => {
                format!("{value} already belongs to contact {owner}. Correct the value, or change that contact first.")
            }
            Problem::IdentifierTaken { owner, owner_name } => format!(
                "{value} already belongs to {owner_name} (contact {owner}). Correct the value, or change that contact first."
            ),
            Problem::RecordEmpty => {
                "The record has no value in any mapped field. Fill in at least one, or remove the row.".to_owned()
            }
            Problem::RecordNoIdentifier => {
                "The record has no usable External ID, Phone Number or Email. Send at least one of them.".to_owned()
            }
            Problem::RecordUnreadable { reason } => format!("The record cannot be read: {reason}."),
            Problem::RecordTooManyCells { expected, found } => format!(
                "The record has {found} cells, but the header has {expected} columns. Look for a delimiter that is not inside quotes."
            ),
            Problem::SourcePaused => {
                "The source is paused, so nothing was saved. Resume it, then send the record again.".to_owned()
            }
            Problem::RecordTooLarge { limit } => {
                format!("The record is larger than {limit} bytes. Split it, or raise the limit in the settings.")
            }
            Problem::RecordDropped { by } => {
                format!("The record was left out by {by} in the review. Import it again if it should be kept.")
            }
            Problem::ContactErased => {
                "The record is about a person who was erased, so nothing of it was kept. An administrator can lift that under Admin Settings > Privacy; then send it again."
                    .to_owned()
            }
            Problem::EventUnsupported { kind } => format!(
                "Rollbook does not act on the event {}, so nothing was changed. Do by hand what it asks for.",
                Excerpt(kind)
            ),
            Problem::EventWithoutContact => {
                "The event has no contact data, so nothing was changed. Let the system send the contact with the event."
                    .to_owned()
            }
            Problem::UndoKept(kept) => kept.message(&value),
        }
    }
}

impl Kept {
    fn message(self, value: &Excerpt<'_>) -> String {
        match self {
            Kept::FieldChanged if value.0.is_empty() => {
                "The value was removed after the import, so it stays blank. Enter it by hand if it is missing.".to_owned()
            }
            Kept::FieldChanged => {
                format!("{value} was written after the import, so it stays. Change it by hand if it is wrong.")
            }
            Kept::ContactChanged => {
                "The contact was changed after the import had created it, so it stays as it is. Remove it by hand if nobody needs it."
                    .to_owned()
            }
            Kept::ContactGone => {
                "The contact was removed after the import, so there is nothing to restore.".to_owned()
            }
            Kept::FieldGone => format!(
                "The field was removed after the import, so {value} cannot be restored. Make the field again to enter it by hand."
            ),
            Kept::Erased => {
                "What this record changed was erased from the log, so it cannot be restored.".to_owned()
            }
        }
    }
}

/// A value as messages quote it: in quotation marks, shortened for the eye when long.
struct Excerpt<'a>(&'a str);

impl std::fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 60;
        match self.0.char_indices().nth(SHOWN) {
            Some((end, _)) => write!(f, "“{}…”", &self.0[..end]),
            None => write!(f, "“{}”", self.0),
        }
    }
}

/// An issue of one attempt, as it is stored, sent and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// The key of the field; none when the issue is about the whole record.
    pub field: Option<Text>,
    /// The stable code.
    pub code: Cow<'static, str>,
    /// The sentence for people.
    pub message: String,
    /// The value as it was delivered, if the issue is about one.
    pub value: Option<String>,
}

impl Issue {
    /// The code of a record that a person left out.
    pub const DROPPED: &'static str = "record.dropped";

    /// The code of a record about a person who was erased.
    pub const CONTACT_ERASED: &'static str = "contact.erased";

    /// The code of an event that says something else than how a contact is now.
    pub const EVENT_UNSUPPORTED: &'static str = "event.unsupported";

    /// The code of an event that only names the contact.
    pub const EVENT_WITHOUT_CONTACT: &'static str = "event.no_contact_data";

    /// Takes the value out, and the sentence that quotes it; the code and the field still say what was wrong.
    pub fn erase(&mut self) {
        self.value = None;
        "The value was erased.".clone_into(&mut self.message);
    }

    /// The number of the contact that has the identifier, as the message says it; none for other issues.
    pub fn owner(&self) -> Option<u64> {
        if self.code != "identifier.taken" {
            return None;
        }
        let (before, _) = self.message.rsplit_once(", or change that contact")?;
        let (_, owner) = before.rsplit_once("contact ")?;
        let digits = owner.find(|character: char| !character.is_ascii_digit());
        owner[..digits.unwrap_or(owner.len())].parse().ok()
    }

    /// An issue about a value of a field.
    pub fn of_value(field: &str, problem: &Problem, value: &str) -> Issue {
        Issue {
            field: Some(field.into()),
            code: problem.code().into(),
            message: problem.message(value),
            value: Some(value.to_owned()),
        }
    }

    /// An issue about the record as a whole.
    pub fn of_record(problem: &Problem) -> Issue {
        Issue {
            field: None,
            code: problem.code().into(),
            message: problem.message(""),
            value: None,
        }
    }
}

/// Something worth knowing that does not change the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The key of the field; none when the note is about the whole record.
    pub field: Option<Text>,
    /// A stable code: `phone.zero_restored`, `value.treated_as_blank`, `record.no_changes` …
    pub code: Cow<'static, str>,
    /// The sentence for people.
    pub message: Cow<'static, str>,
}

impl Note {
    /// The record equals what is stored.
    pub fn no_changes() -> Note {
        Note {
            field: None,
            code: "record.no_changes".into(),
            message: "The contact already stood like this: nothing was changed.".into(),
        }
    }

    /// The event that brought the record.
    pub fn event(kind: &str) -> Note {
        Note {
            field: None,
            code: "record.event".into(),
            message: format!("It came with the event {}.", Excerpt(kind)).into(),
        }
    }

    /// A person was erased, and with them what this attempt said of them.
    pub fn erased() -> Note {
        Note {
            field: None,
            code: Note::ERASED.into(),
            message: "What this record said was erased.".into(),
        }
    }

    /// The record is about a person who was erased.
    pub fn withheld() -> Note {
        Note {
            field: None,
            code: Note::ERASED.into(),
            message: "What this record said was not kept.".into(),
        }
    }

    /// Somebody else was erased whom this attempt named.
    pub fn mention_erased() -> Note {
        Note {
            field: None,
            code: Note::PAYLOAD_DROPPED.into(),
            message: "The payload named a person who was erased, so it is not kept any more."
                .into(),
        }
    }

    /// The payload is older than the workspace keeps payloads.
    pub fn payload_dropped() -> Note {
        Note {
            field: None,
            code: Note::PAYLOAD_DROPPED.into(),
            message: "The payload is past its retention and is not kept any more.".into(),
        }
    }

    /// The attempt is older than the workspace keeps attempts.
    pub fn past_retention() -> Note {
        Note {
            field: None,
            code: Note::ERASED.into(),
            message:
                "The attempt is past its retention: what the record said is not kept any more."
                    .into(),
        }
    }

    /// The code of an attempt whose payload is not kept any more.
    pub const PAYLOAD_DROPPED: &str = "payload.dropped";

    /// The code of [`Note::undo_of`].
    pub const UNDO_OF: &str = "undo.of";

    /// The code of [`Note::erased`].
    pub const ERASED: &str = "record.erased";

    /// What an undo takes back.
    pub fn undo_of(file_name: &str, row: Option<u64>) -> Note {
        let message = match row {
            Some(row) => format!("Takes back what row {row} of {file_name} did."),
            None => format!("Takes back what a record of {file_name} did."),
        };
        Note {
            field: None,
            code: Note::UNDO_OF.into(),
            message: message.into(),
        }
    }

    /// A word such as `n/a` was read as no information.
    pub fn treated_as_blank(field: &str, word: &str) -> Note {
        Note {
            field: Some(field.into()),
            code: "value.treated_as_blank".into(),
            message: format!("“{word}” was treated as blank.").into(),
        }
    }

    /// A person changed a cell when they reviewed the import; the payload stays as it was sent.
    pub fn edited(column: &str, before: &str, after: &str) -> Note {
        let (column, before, after) = (Excerpt(column), Excerpt(before), Excerpt(after));
        Note {
            field: None,
            code: "record.edited".into(),
            message: format!("In the review {column} was changed from {before} to {after}.").into(),
        }
    }

    /// A person chose the region of the record's phone numbers when they reviewed the import.
    pub fn region_set(region: &str) -> Note {
        Note {
            field: None,
            code: "record.edited".into(),
            message: format!("In the review the region of phone numbers was set to {region}.")
                .into(),
        }
    }

    /// Contacts changed between the review and the run, so that something else was done than the review said.
    pub fn drifted(expected: Expected) -> Note {
        let said = match (expected.verdict, expected.contact) {
            (ExpectedVerdict::Created, _) => "to create a contact".to_owned(),
            (ExpectedVerdict::Updated, Some(contact)) => format!("to update contact {contact}"),
            (ExpectedVerdict::Updated, None) => "to update a contact of this file".to_owned(),
            (ExpectedVerdict::Unchanged, Some(contact)) => {
                format!("to find contact {contact} without a change")
            }
            (ExpectedVerdict::Unchanged, None) => {
                "to find a contact of this file without a change".to_owned()
            }
            (ExpectedVerdict::Failed, _) => "to fail".to_owned(),
        };
        Note {
            field: None,
            code: "verdict.drifted".into(),
            message: format!("In the review this record was {said}; contacts changed since then.")
                .into(),
        }
    }

    /// A trunk zero that a spreadsheet dropped was put back.
    pub fn zero_restored(field: &str, value: &str) -> Note {
        Note {
            field: Some(field.into()),
            code: "phone.zero_restored".into(),
            message: format!("“{value}” had lost its leading zero; it was put back.").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_of_a_taken_identifier_knows_its_owner() {
        for owner_name in [
            "",
            "Ben",
            "contact 3",
            "a contact 4, or change that contact",
        ] {
            let problem = Problem::IdentifierTaken {
                owner: 17,
                owner_name: owner_name.to_owned(),
            };
            let issue = Issue::of_value("phone", &problem, "contact 5. +49");
            assert_eq!(issue.owner(), Some(17), "{}", issue.message);
        }
        let other = Issue::of_value("phone", &Problem::PhoneNoRegion, "contact 17");
        assert_eq!(other.owner(), None);
    }
}
