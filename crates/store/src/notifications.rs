//! Who is told what and when: the settings of a workspace's mails, and what was told of each source already.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::outbox::{MailId, NewMail};
use crate::sources::SourceId;
use crate::{StoreError, WorkspaceId};

/// The largest attachment unless it is said otherwise: mail servers rarely take much more than 10 MB in all.
const ATTACHMENT_BYTES: u64 = 5 << 20;

/// The settings of a workspace's mails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotificationSettings {
    /// The addresses that get reports, digests and alerts.
    pub recipients: Vec<String>,
    /// Whether who uploaded a file gets its report, too.
    pub to_uploader: bool,
    /// How often a source's warnings and failures are told.
    pub digest: Frequency,
    /// When nothing is sent.
    pub quiet: Option<QuietHours>,
    /// The largest attachment in bytes; what is larger is linked.
    pub attachment_bytes: u64,
    /// What is different for some sources, by their numbers.
    pub sources: BTreeMap<u32, SourceNotifications>,
}

impl Default for NotificationSettings {
    fn default() -> NotificationSettings {
        NotificationSettings {
            recipients: Vec::new(),
            to_uploader: true,
            digest: Frequency::Daily {
                at: TimeOfDay(8 * 60),
            },
            quiet: None,
            attachment_bytes: ATTACHMENT_BYTES,
            sources: BTreeMap::new(),
        }
    }
}

impl NotificationSettings {
    /// What is said for a source itself.
    pub fn source(&self, source: SourceId) -> SourceNotifications {
        self.sources.get(&source.0).cloned().unwrap_or_default()
    }

    /// Who is told of a source.
    pub fn recipients_of(&self, source: SourceId) -> Vec<String> {
        self.source(source)
            .recipients
            .unwrap_or_else(|| self.recipients.clone())
    }

    /// How often a source's warnings and failures are told.
    pub fn digest_of(&self, source: SourceId) -> Frequency {
        self.source(source).digest.unwrap_or(self.digest)
    }

    /// When nothing of a source is sent.
    pub fn quiet_of(&self, source: SourceId) -> Option<QuietHours> {
        self.source(source).quiet.or(self.quiet)
    }
}

/// What is different for one source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceNotifications {
    /// Who is told; the workspace's recipients if not given.
    pub recipients: Option<Vec<String>>,
    /// How often; the workspace's frequency if not given.
    pub digest: Option<Frequency>,
    /// When not; the workspace's quiet hours if not given.
    pub quiet: Option<QuietHours>,
    /// Whether and when its silence is told.
    pub silence: Silence,
    /// Whether a jump of its failures is told.
    pub failure_jump: Jump,
}

/// How often warnings and failures are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "every", rename_all = "snake_case", deny_unknown_fields)]
pub enum Frequency {
    /// Never.
    Off,
    /// As they come, a few minutes apart.
    Immediately,
    /// At every full hour.
    Hourly,
    /// Once a day.
    Daily {
        /// At this time in the workspace's zone.
        at: TimeOfDay,
    },
    /// Once a week.
    Weekly {
        /// On this day.
        on: Day,
        /// At this time in the workspace's zone.
        at: TimeOfDay,
    },
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the days say what they are")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Day {
    /// All of them, Monday first.
    pub const ALL: [Day; 7] = [
        Day::Monday,
        Day::Tuesday,
        Day::Wednesday,
        Day::Thursday,
        Day::Friday,
        Day::Saturday,
        Day::Sunday,
    ];

    /// The word of forms, API and database.
    pub fn key(self) -> &'static str {
        match self {
            Day::Monday => "monday",
            Day::Tuesday => "tuesday",
            Day::Wednesday => "wednesday",
            Day::Thursday => "thursday",
            Day::Friday => "friday",
            Day::Saturday => "saturday",
            Day::Sunday => "sunday",
        }
    }
}

/// Hours in which nothing is sent, in the workspace's zone, perhaps over midnight. None if both ends are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// From this time ...
    pub from: TimeOfDay,
    /// ... until this one.
    pub to: TimeOfDay,
}

/// A time of day in minutes after midnight, written `HH:MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(pub u16);

impl TimeOfDay {
    /// The time that `HH:MM` says.
    pub fn parse(text: &str) -> Option<TimeOfDay> {
        let (hours, minutes) = text.trim().split_once(':')?;
        let number = |digits: &str, below: u16| {
            let fits =
                (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            digits
                .parse::<u16>()
                .ok()
                .filter(|number| fits && *number < below)
        };
        Some(TimeOfDay(number(hours, 24)? * 60 + number(minutes, 60)?))
    }
}

impl std::fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> String {
        time.to_string()
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;

    fn try_from(text: String) -> Result<TimeOfDay, String> {
        TimeOfDay::parse(&text)
            .ok_or_else(|| format!("`{text}` is not a time of day; write HH:MM, for example 08:30"))
    }
}

/// Whether and when the silence of a source is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// Never.
    Off,
    /// If it normally delivers and has been silent for much longer than usual.
    #[default]
    Learned,
    /// After so many hours.
    Hours(u16),
}

/// Whether a jump of a source's failures is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jump {
    /// Never.
    Off,
    /// If the last hour failed much more than usual.
    #[default]
    Learned,
}

/// Settings of mails, and what was told.
#[async_trait]
pub trait Notifications {
    /// The settings of a workspace's mails; the default ones if nobody changed them.
    async fn notification_settings(
        &self,
        workspace: WorkspaceId,
    ) -> Result<NotificationSettings, StoreError>;

    /// Replaces the settings of a workspace's mails.
    async fn set_notification_settings(
        &self,
        workspace: WorkspaceId,
        settings: NotificationSettings,
    ) -> Result<(), StoreError>;

    /// What was told of a source already, as [`Notifications::move_watch`] left it.
    async fn watch(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
    ) -> Result<Option<String>, StoreError>;

    /// Writes down what was told of a source together with the mails that tell it. `None`, and nothing is written, if
    /// somebody else moved it on from where it was known to be.
    async fn move_watch(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        known: Option<String>,
        next: String,
        mails: Vec<NewMail>,
    ) -> Result<Option<Vec<MailId>>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read_and_written() {
        for (text, expected) in [
            ("08:30", Some("08:30")),
            ("8:05", Some("08:05")),
            ("23:59", Some("23:59")),
            ("24:00", None),
            ("12:60", None),
            ("12", None),
            ("+1:00", None),
            ("", None),
        ] {
            let read = TimeOfDay::parse(text).map(|time| time.to_string());
            assert_eq!(read.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_source_has_what_it_does_not_say_itself_from_the_workspace() {
        let mut settings = NotificationSettings {
            recipients: vec!["all@example.com".to_owned()],
            ..NotificationSettings::default()
        };
        let own = SourceNotifications {
            recipients: Some(vec!["desk@example.com".to_owned()]),
            digest: Some(Frequency::Hourly),
            ..SourceNotifications::default()
        };
        settings.sources.insert(2, own);
        assert_eq!(settings.recipients_of(SourceId(1)), ["all@example.com"]);
        assert_eq!(settings.recipients_of(SourceId(2)), ["desk@example.com"]);
        assert_eq!(settings.digest_of(SourceId(2)), Frequency::Hourly);
        assert_eq!(settings.digest_of(SourceId(1)), settings.digest);
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(
            serde_json::from_str::<NotificationSettings>(&json).unwrap(),
            settings
        );
        assert_eq!(
            serde_json::from_str::<NotificationSettings>("{}").unwrap(),
            NotificationSettings::default()
        );
    }
}
