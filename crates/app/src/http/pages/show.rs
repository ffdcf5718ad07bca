//! Values ready to print: numbers grouped, times in the workspace's zone, phones as people write them.

use jiff::tz::TimeZone;
use rollbook_engine::contact::{Text, Value};
use rollbook_engine::field::phone::{PhoneNumber, PhoneReader};
use rollbook_engine::schema::{FieldKind, Schema};
use rollbook_store::Timestamp;
use rollbook_store::workspaces::WorkspaceSettings;

/// `1284` → `1,284`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.char_indices() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 row`, `1,284 rows`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// `214 bytes`, `1.5 MB`: powers of 1024, as people's file managers count.
#[expect(
    clippy::cast_precision_loss,
    reason = "one decimal is shown, so what a float loses cannot be seen"
)]
pub(crate) fn bytes(number: u64) -> String {
    const KILO: u64 = 1 << 10;
    const MEGA: u64 = 1 << 20;
    const GIGA: u64 = 1 << 30;
    let (value, unit) = match number {
        0..KILO => return counted(number, "byte", "bytes"),
        KILO..MEGA => (number as f64 / KILO as f64, "kB"),
        MEGA..GIGA => (number as f64 / MEGA as f64, "MB"),
        _ => (number as f64 / GIGA as f64, "GB"),
    };
    let text = format!("{value:.1}");
    format!("{} {unit}", text.trim_end_matches(".0"))
}

/// `8 seconds`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => counted(seconds, "second", "seconds"),
        60..3600 => match seconds % 60 {
            0 => format!("{} min", seconds / 60),
            rest => format!("{} min {rest} s", seconds / 60),
        },
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// `just now`, `37 minutes ago`, `3 days ago`.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = u64::try_from((now.0 - then.0) / 1000).unwrap_or(0);
    match seconds {
        0..10 => "just now".to_owned(),
        10..60 => format!("{seconds} seconds ago"),
        60..3600 => format!("{} ago", counted(seconds / 60, "minute", "minutes")),
        3600..86_400 => format!("{} ago", counted(seconds / 3600, "hour", "hours")),
        _ => format!("{} ago", counted(seconds / 86_400, "day", "days")),
    }
}

/// A phone number in canonical text as people write it internationally; what is no number stays as it is.
pub(crate) fn phone(text: &str) -> String {
    match PhoneNumber::from_canonical(text) {
        Some(number) => PhoneReader::new().display(&number),
        None => text.to_owned(),
    }
}

/// The values of a field as people read them.
pub(crate) fn values(kind: Option<&FieldKind>, value: &Value) -> Vec<String> {
    let show = |text: &Text| match kind {
        Some(FieldKind::Phone) => phone(text),
        Some(FieldKind::Boolean) => match text.as_str() {
            "true" => "Yes".to_owned(),
            "false" => "No".to_owned(),
            other => other.to_owned(),
        },
        Some(FieldKind::Choice(options) | FieldKind::Choices(options)) => options
            .iter()
            .find(|option| option.code == *text)
            .map_or_else(|| text.to_string(), |option| option.label.clone()),
        _ => text.to_string(),
    };
    value.texts().iter().map(show).collect()
}

/// What people call a field.
pub(crate) fn field_label(schema: &Schema, key: &str) -> String {
    schema
        .by_key(key)
        .map_or_else(|| key.to_owned(), |field| field.label.clone())
}

/// A message of the command line's style as a sentence on a page: capital letter, quotation marks, full stop.
pub(crate) fn sentence(message: &str) -> String {
    let mut text = String::with_capacity(message.len() + 1);
    let mut inside = false;
    for character in message.chars() {
        if character == '`' {
            text.push(if inside { '”' } else { '“' });
            inside = !inside;
        } else if text.is_empty() {
            text.extend(character.to_uppercase());
        } else {
            text.push(character);
        }
    }
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

/// A text as part of a query: everything but letters, digits and `-_.~` becomes `%XX`.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for half in [byte >> 4, byte & 15] {
                let digit = char::from_digit(u32::from(half), 16).unwrap_or('0');
                encoded.push(digit.to_ascii_uppercase());
            }
        }
    }
    encoded
}

/// A point in time, to print.
#[derive(Debug, Clone, Default)]
pub(crate) struct When {
    /// `22 Nov 2025, 11:16:42`.
    pub(crate) text: String,
    /// The same without the year: `22 Nov, 11:16:42`.
    pub(crate) short: String,
    /// RFC 3339, for programs.
    pub(crate) iso: String,
    /// With milliseconds and zone: `22 Nov 2025, 11:16:42.108 CET`.
    pub(crate) exact: String,
}

/// The time zone of a workspace.
#[derive(Debug, Clone)]
pub(crate) struct Zone(TimeZone);

impl Zone {
    /// The workspace's zone; UTC if its name is unknown.
    pub(crate) fn of(settings: &WorkspaceSettings) -> Zone {
        Zone::named(&settings.time_zone)
    }

    /// The zone with an IANA name; UTC if it is unknown.
    pub(crate) fn named(name: &str) -> Zone {
        Zone(TimeZone::get(name).unwrap_or(TimeZone::UTC))
    }

    /// jiff's zone.
    pub(crate) fn time_zone(&self) -> &TimeZone {
        &self.0
    }

    /// A time in a form of `strftime`.
    pub(crate) fn format(&self, time: Timestamp, form: &str) -> String {
        let timestamp = jiff::Timestamp::from_millisecond(time.0).unwrap_or_default();
        timestamp
            .to_zoned(self.0.clone())
            .strftime(form)
            .to_string()
    }

    /// A point in time, to print.
    pub(crate) fn when(&self, time: Timestamp) -> When {
        When {
            text: self.format(time, "%-d %b %Y, %H:%M:%S"),
            short: self.format(time, "%-d %b, %H:%M:%S"),
            iso: crate::wire::rfc3339(time),
            exact: format!(
                "{} {}",
                self.format(time, "%-d %b %Y, %H:%M:%S%.3f"),
                self.abbreviation(time)
            ),
        }
    }

    /// What people call the zone at a time: `CET`, `UTC`, `UTC-03`.
    pub(crate) fn abbreviation(&self, time: Timestamp) -> String {
        let name = self.format(time, "%Z");
        if name.starts_with(['+', '-']) {
            format!("UTC{name}")
        } else {
            name
        }
    }

    /// The zone's name and what it is called at a time: `Europe/Berlin, CET`.
    pub(crate) fn name(&self, time: Timestamp) -> String {
        let abbreviation = self.abbreviation(time);
        match self.0.iana_name() {
            Some(name) if name != abbreviation => format!("{name}, {abbreviation}"),
            _ => abbreviation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (10_000_000, "10,000,000"),
        ];
        for (number, text) in cases {
            assert_eq!(count(number), text);
        }
        assert_eq!(counted(1, "row", "rows"), "1 row");
    }

    #[test]
    fn sizes_and_durations_are_short() {
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(214), "214 bytes");
        assert_eq!(bytes(3 << 19), "1.5 MB");
        assert_eq!(bytes(2 << 30), "2 GB");
        assert_eq!(duration(8), "8 seconds");
        assert_eq!(duration(200), "3 min 20 s");
        assert_eq!(duration(7_500), "2 h 5 min");
        assert_eq!(ago(Timestamp(0), Timestamp(37 * 60_000)), "37 minutes ago");
    }

    #[test]
    fn phones_are_readable() {
        assert_eq!(phone("+16502530000;ext=123"), "+1 650-253-0000 ext. 123");
        assert_eq!(phone("555-01"), "555-01");
    }

    #[test]
    fn times_are_in_the_workspace_zone() {
        let zone = Zone::named("Europe/Berlin");
        let when = zone.when(Timestamp(1_763_806_602_108));
        assert_eq!(when.exact, "22 Nov 2025, 11:16:42.108 CET");
        assert_eq!(when.iso, "2025-11-22T10:16:42.108Z");
        assert_eq!(zone.name(Timestamp(0)), "Europe/Berlin, CET");
        let zone = Zone::named("America/Sao_Paulo");
        assert_eq!(zone.abbreviation(Timestamp(1_763_806_602_108)), "UTC-03");
    }

    #[test]
    fn messages_become_sentences() {
        assert_eq!(
            sentence("source `x` is paused; resume it"),
            "Source “x” is paused; resume it."
        );
    }

    #[test]
    fn queries_are_encoded() {
        assert_eq!(encode("a b&+49ü/"), "a%20b%26%2B49%C3%BC%2F");
    }
}
