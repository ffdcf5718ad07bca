//! What the forms about mails share: rhythms, quiet hours, sizes. Each says what is wrong in a sentence.

use rollbook_store::notifications::{Day, Frequency, QuietHours, TimeOfDay};
use serde::Deserialize;

/// How often.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RhythmForm {
    /// `same`, `off`, `immediately`, `hourly`, `daily`, `weekly`.
    pub(crate) every: String,
    /// A time of day.
    pub(crate) at: String,
    /// A day.
    pub(crate) on: String,
}

/// Something to choose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice {
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
    pub(crate) current: bool,
}

/// The rhythms to choose from.
const RHYTHMS: [(&str, &str); 5] = [
    ("off", "Never"),
    ("immediately", "As they come, 5 minutes apart"),
    ("hourly", "Every hour"),
    ("daily", "Every day"),
    ("weekly", "Every week"),
];

impl RhythmForm {
    /// A frequency as the form shows it; none for the workspace's.
    pub(crate) fn of(frequency: Option<Frequency>) -> RhythmForm {
        let (every, at, on) = match frequency {
            None => ("same", None, None),
            Some(Frequency::Off) => ("off", None, None),
            Some(Frequency::Immediately) => ("immediately", None, None),
            Some(Frequency::Hourly) => ("hourly", None, None),
            Some(Frequency::Daily { at }) => ("daily", Some(at), None),
            Some(Frequency::Weekly { on, at }) => ("weekly", Some(at), Some(on)),
        };
        RhythmForm {
            every: every.to_owned(),
            at: at.map_or_else(|| "08:00".to_owned(), |at| at.to_string()),
            on: on.unwrap_or(Day::Monday).key().to_owned(),
        }
    }

    /// The frequency; none for the workspace's.
    pub(crate) fn read(&self) -> Result<Option<Frequency>, String> {
        let at = || {
            TimeOfDay::parse(&self.at)
                .ok_or_else(|| "Say at which time of day, for example 08:00.".to_owned())
        };
        Ok(Some(match self.every.as_str() {
            "same" => return Ok(None),
            "off" => Frequency::Off,
            "immediately" => Frequency::Immediately,
            "hourly" => Frequency::Hourly,
            "daily" => Frequency::Daily { at: at()? },
            "weekly" => Frequency::Weekly {
                on: Day::ALL
                    .into_iter()
                    .find(|day| day.key() == self.on)
                    .ok_or_else(|| "Choose a day of the week.".to_owned())?,
                at: at()?,
            },
            _ => return Err("Choose how often.".to_owned()),
        }))
    }

    /// The rhythms.
    pub(crate) fn rhythms(&self) -> Vec<Choice> {
        let choice = |(key, label)| Choice {
            key,
            label,
            current: key == self.every,
        };
        RHYTHMS.into_iter().map(choice).collect()
    }

    /// The days.
    pub(crate) fn days(&self) -> Vec<Choice> {
        let choice = |day: Day| Choice {
            key: day.key(),
            label: day_label(day),
            current: day.key() == self.on,
        };
        Day::ALL.into_iter().map(choice).collect()
    }
}

/// Quiet hours of two fields; none if both are blank.
pub(crate) fn quiet(from: &str, to: &str) -> Result<Option<QuietHours>, String> {
    if from.trim().is_empty() && to.trim().is_empty() {
        return Ok(None);
    }
    match (TimeOfDay::parse(from), TimeOfDay::parse(to)) {
        (Some(from), Some(to)) => Ok(Some(QuietHours { from, to })),
        _ => {
            Err("Fill in both times, for example 22:00 and 07:00, or leave both blank.".to_owned())
        }
    }
}

/// A number of MB as bytes.
pub(crate) fn bytes(megabytes: &str, most: u64) -> Result<u64, String> {
    let most_shown = most >> 20;
    let wrong = || format!("Write a number of MB from 0 to {most_shown}.");
    let number: f64 = megabytes
        .trim()
        .replace(',', ".")
        .parse()
        .map_err(|_| wrong())?;
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it was checked to be small and not negative"
    )]
    if (0.0..=most_shown as f64).contains(&number) {
        Ok((number * f64::from(1 << 20)).round() as u64)
    } else {
        Err(wrong())
    }
}

/// Bytes as a number of MB.
#[expect(clippy::cast_precision_loss, reason = "attachments are small")]
pub(crate) fn megabytes(bytes: u64) -> String {
    let text = format!("{:.2}", bytes as f64 / f64::from(1 << 20));
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A frequency in words: `every day at 08:00`.
pub(crate) fn frequency_text(frequency: Frequency) -> String {
    match frequency {
        Frequency::Off => "never".to_owned(),
        Frequency::Immediately => "as they come".to_owned(),
        Frequency::Hourly => "every hour".to_owned(),
        Frequency::Daily { at } => format!("every day at {at}"),
        Frequency::Weekly { on, at } => format!("every {} at {at}", day_label(on)),
    }
}

/// Quiet hours in words: `22:00–07:00`.
pub(crate) fn quiet_text(quiet: Option<QuietHours>) -> String {
    match quiet {
        Some(QuietHours { from, to }) if from != to => format!("{from}–{to}"),
        _ => "none".to_owned(),
    }
}

fn day_label(day: Day) -> &'static str {
    match day {
        Day::Monday => "Monday",
        Day::Tuesday => "Tuesday",
        Day::Wednesday => "Wednesday",
        Day::Thursday => "Thursday",
        Day::Friday => "Friday",
        Day::Saturday => "Saturday",
        Day::Sunday => "Sunday",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rhythm_comes_back_as_it_was_shown() {
        let at = TimeOfDay(510);
        for frequency in [
            None,
            Some(Frequency::Off),
            Some(Frequency::Immediately),
            Some(Frequency::Hourly),
            Some(Frequency::Daily { at }),
            Some(Frequency::Weekly {
                on: Day::Sunday,
                at,
            }),
        ] {
            let form = RhythmForm::of(frequency);
            assert_eq!(form.read(), Ok(frequency), "{form:?}");
        }
        let form = RhythmForm {
            every: "daily".to_owned(),
            at: "soon".to_owned(),
            ..RhythmForm::default()
        };
        assert!(form.read().is_err());
        assert!(RhythmForm::default().read().is_err());
    }

    #[test]
    fn sizes_and_hours_are_read() {
        assert_eq!(bytes("5", 20 << 20), Ok(5 << 20));
        assert_eq!(bytes("0,5", 20 << 20), Ok(1 << 19));
        assert_eq!(megabytes(1 << 19), "0.5");
        assert_eq!(megabytes(10 << 20), "10");
        for wrong in ["", "x", "-1", "21", "NaN", "inf"] {
            assert!(bytes(wrong, 20 << 20).is_err(), "{wrong}");
        }
        assert_eq!(quiet("", " "), Ok(None));
        assert!(quiet("22:00", "").is_err());
        let night = quiet("22:00", "7:00").unwrap();
        assert_eq!(quiet_text(night), "22:00–07:00");
        assert_eq!(quiet_text(quiet("7:00", "7:00").unwrap()), "none");
    }
}
