//! What sample values look like.

use crate::field::boolean;
use crate::field::date::{DateOptions, DateOrder, parse};

/// A look that values can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looks {
    Email,
    /// Enough digits, and nothing that a number would not have.
    Phone,
    /// A phone number that says its country, so that it is nothing else.
    InternationalPhone,
    Date,
    /// Two or three capital letters.
    LetterCode,
}

impl Looks {
    pub(super) fn description(self) -> &'static str {
        match self {
            Looks::Email => "email addresses",
            Looks::Phone | Looks::InternationalPhone => "phone numbers",
            Looks::Date => "dates",
            Looks::LetterCode => "codes",
        }
    }

    /// Whether there are values, and at least four in five of them look so.
    pub(super) fn are_most_of(self, samples: &[&str]) -> bool {
        let filled = filled(samples).count();
        let fitting = filled_and(samples, self).count();
        fitting > 0 && fitting * 5 >= filled * 4
    }

    /// Whether there are values, and each of them is something else: yes or no, or what another kind of field holds.
    /// Values that are merely bad do not contradict a header, or a column of them would be left out without a word.
    pub(super) fn is_contradicted(self, samples: &[&str]) -> bool {
        let others = [Looks::Email, Looks::InternationalPhone, Looks::Date];
        let is_other = |value: &str| {
            boolean::parse(value).is_ok()
                || others.iter().any(|other| other.fits(value))
                || (self == Looks::Phone && !value.contains(char::is_numeric))
        };
        filled(samples).next().is_some()
            && filled(samples).all(|value| !self.fits(value) && is_other(value))
    }

    fn fits(self, value: &str) -> bool {
        match self {
            Looks::Email => is_email(value),
            Looks::Phone => is_phone(value),
            Looks::InternationalPhone => {
                (value.starts_with('+') || value.starts_with("00")) && is_phone(value)
            }
            Looks::Date => {
                let orders = [None, Some(DateOrder::Dmy), Some(DateOrder::Mdy)];
                orders
                    .into_iter()
                    .any(|order| parse(value, order, DateOptions::FULL).is_ok())
            }
            Looks::LetterCode => {
                matches!(value.len(), 2 | 3) && value.bytes().all(|byte| byte.is_ascii_uppercase())
            }
        }
    }
}

fn filled<'a>(samples: &[&'a str]) -> impl Iterator<Item = &'a str> {
    samples
        .iter()
        .map(|value| value.trim())
        .filter(|value| !value.is_empty())
}

fn filled_and<'a>(samples: &[&'a str], looks: Looks) -> impl Iterator<Item = &'a str> {
    filled(samples).filter(move |value| looks.fits(value))
}

fn is_email(value: &str) -> bool {
    let mut halves = value.split('@');
    let (Some(local), Some(domain), None) = (halves.next(), halves.next(), halves.next()) else {
        return false;
    };
    let is_plain = !value.contains(char::is_whitespace);
    is_plain
        && !local.is_empty()
        && domain.contains('.')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
}

fn is_phone(value: &str) -> bool {
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let others_fit = value
        .chars()
        .all(|character| character.is_ascii_digit() || " +()-./\u{a0}".contains(character));
    (5..=17).contains(&digits) && others_fit
}
