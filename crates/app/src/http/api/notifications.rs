//! Who is told by mail: `/notifications`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use rollbook_store::notifications::{
    Day, Frequency, Jump, NotificationSettings, QuietHours, Silence, SourceNotifications, TimeOfDay,
};
use rollbook_store::outbox::MailKind;
use rollbook_store::sources::Source;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::audit::Act;
use crate::clock;
use crate::http::api::Api;
use crate::http::api::body::Settings;
use crate::http::api::outbox::MailJson;
use crate::http::auth::Administrator;
use crate::http::error::{Checked, Guarded, GuardedBody, Kind, Problem, shortened};
use crate::jobs::send_mail;
use crate::mail::{self, recipients, test_mail};

/// The largest attachment that may be asked for.
pub(crate) const MAX_ATTACHMENT: u64 = 20 << 20;

/// The longest silence that may be asked for, in hours.
pub(crate) const MAX_SILENCE: u16 = 24 * 90;

/// Who is told by mail, of what and when.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Notifications)]
pub(crate) struct NotificationsJson {
    /// The addresses that get reports, digests and alerts.
    #[serde(default)]
    #[schema(example = json!(["front-desk@hotel.example"]))]
    recipients: Vec<String>,
    /// Whether who uploaded a file gets its report, too; `true` if left out.
    #[serde(default = "yes")]
    to_uploader: bool,
    /// How often a source's warnings and failures are told; daily at 08:00 if left out.
    #[serde(default)]
    digest: Option<FrequencyJson>,
    /// When nothing is sent, in the workspace's time zone; null for no such hours.
    #[serde(default)]
    quiet: Option<QuietHoursJson>,
    /// The largest attachment in bytes, 0 for none; what is larger is linked. 5 MiB if left out.
    #[serde(default)]
    attachment_bytes: Option<u64>,
    /// What is different for some sources, by their names.
    #[serde(default)]
    sources: BTreeMap<String, SourceNotificationsJson>,
}

/// What is different for one source.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SourceNotifications)]
pub(crate) struct SourceNotificationsJson {
    /// Who is told; null for the workspace's recipients.
    #[serde(default)]
    recipients: Option<Vec<String>>,
    /// How often; null for the workspace's frequency.
    #[serde(default)]
    digest: Option<FrequencyJson>,
    /// When not; null for the workspace's quiet hours, both ends the same for none.
    #[serde(default)]
    quiet: Option<QuietHoursJson>,
    /// Whether its silence is told: `off`, `learned` (if it normally delivers), or `hours`.
    #[serde(default)]
    silence: SilenceJson,
    /// With `hours`: after how many.
    #[serde(default)]
    silence_hours: Option<u16>,
    /// Whether a jump of its failures is told.
    #[serde(default = "yes")]
    failure_jump: bool,
}

/// How often.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Frequency)]
pub(crate) struct FrequencyJson {
    /// The rhythm.
    pub(crate) every: EveryJson,
    /// With `daily` and `weekly`: the time of day in the workspace's time zone.
    #[serde(default)]
    #[schema(example = "08:00")]
    pub(crate) at: Option<String>,
    /// With `weekly`: the day.
    #[serde(default)]
    pub(crate) on: Option<DayJson>,
}

/// A rhythm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Rhythm)]
pub(crate) enum EveryJson {
    /// Never.
    Off,
    /// As problems come, a few minutes apart.
    Immediately,
    /// At every full hour.
    Hourly,
    /// Once a day.
    Daily,
    /// Once a week.
    Weekly,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Weekday)]
pub(crate) enum DayJson {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// Hours in which nothing is sent.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QuietHours)]
pub(crate) struct QuietHoursJson {
    /// From this time of day ...
    #[schema(example = "22:00")]
    from: String,
    /// ... until this one, perhaps on the next day.
    #[schema(example = "07:00")]
    to: String,
}

/// Whether a silence is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Silence)]
pub(crate) enum SilenceJson {
    /// Never.
    Off,
    /// If it normally delivers and has been silent for much longer than usual.
    #[default]
    Learned,
    /// After `silence_hours`.
    Hours,
}

/// Where a test is sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MailTest)]
pub(crate) struct MailTestJson {
    /// An email address.
    #[schema(example = "ada@hotel.example")]
    to: String,
}

fn yes() -> bool {
    true
}

impl NotificationsJson {
    fn of(settings: &NotificationSettings, sources: &[Source]) -> NotificationsJson {
        let own = sources.iter().filter_map(|source| {
            let own = settings.sources.get(&source.id.0)?;
            Some((
                source.settings.name.clone(),
                SourceNotificationsJson::of(own),
            ))
        });
        NotificationsJson {
            recipients: settings.recipients.clone(),
            to_uploader: settings.to_uploader,
            digest: Some(settings.digest.into()),
            quiet: settings.quiet.map(QuietHoursJson::of),
            attachment_bytes: Some(settings.attachment_bytes),
            sources: own.collect(),
        }
    }

    fn read(self, sources: &[Source]) -> Result<NotificationSettings, Problem> {
        let usual = NotificationSettings::default();
        let attachment_bytes = self.attachment_bytes.unwrap_or(usual.attachment_bytes);
        if attachment_bytes > MAX_ATTACHMENT {
            return Err(wrong(
                "attachment_bytes",
                format!(
                    "an attachment has {MAX_ATTACHMENT} bytes at most; what is larger is linked"
                ),
            ));
        }
        let mut settings = NotificationSettings {
            recipients: addresses(&self.recipients)?,
            to_uploader: self.to_uploader,
            digest: self
                .digest
                .map_or(Ok(usual.digest), |digest| digest.read())?,
            quiet: self.quiet.map(QuietHoursJson::read).transpose()?,
            attachment_bytes,
            sources: BTreeMap::new(),
        };
        for (name, own) in self.sources {
            let source = sources
                .iter()
                .find(|source| source.settings.name == name)
                .ok_or_else(|| {
                    wrong(
                        "sources",
                        format!(
                            "there is no source `{}`; GET /api/v1/sources lists them",
                            shortened(&name)
                        ),
                    )
                })?;
            settings.sources.insert(source.id.0, own.read()?);
        }
        Ok(settings)
    }
}

impl SourceNotificationsJson {
    fn of(own: &SourceNotifications) -> SourceNotificationsJson {
        let (silence, silence_hours) = match own.silence {
            Silence::Off => (SilenceJson::Off, None),
            Silence::Learned => (SilenceJson::Learned, None),
            Silence::Hours(hours) => (SilenceJson::Hours, Some(hours)),
        };
        SourceNotificationsJson {
            recipients: own.recipients.clone(),
            digest: own.digest.map(Into::into),
            quiet: own.quiet.map(QuietHoursJson::of),
            silence,
            silence_hours,
            failure_jump: own.failure_jump == Jump::Learned,
        }
    }

    fn read(self) -> Result<SourceNotifications, Problem> {
        let silence = match (self.silence, self.silence_hours) {
            (SilenceJson::Off, None) => Silence::Off,
            (SilenceJson::Learned, None) => Silence::Learned,
            (SilenceJson::Hours, Some(hours @ 1..=MAX_SILENCE)) => Silence::Hours(hours),
            (SilenceJson::Hours, _) => {
                return Err(wrong(
                    "silence_hours",
                    format!("`hours` needs `silence_hours` from 1 to {MAX_SILENCE}"),
                ));
            }
            (SilenceJson::Off | SilenceJson::Learned, Some(_)) => {
                return Err(wrong(
                    "silence_hours",
                    "`silence_hours` only goes with the silence `hours`; leave it out".to_owned(),
                ));
            }
        };
        Ok(SourceNotifications {
            recipients: self.recipients.as_deref().map(addresses).transpose()?,
            digest: self.digest.map(|digest| digest.read()).transpose()?,
            quiet: self.quiet.map(QuietHoursJson::read).transpose()?,
            silence,
            failure_jump: if self.failure_jump {
                Jump::Learned
            } else {
                Jump::Off
            },
        })
    }
}

impl From<Frequency> for FrequencyJson {
    fn from(frequency: Frequency) -> FrequencyJson {
        let (every, at, on) = match frequency {
            Frequency::Off => (EveryJson::Off, None, None),
            Frequency::Immediately => (EveryJson::Immediately, None, None),
            Frequency::Hourly => (EveryJson::Hourly, None, None),
            Frequency::Daily { at } => (EveryJson::Daily, Some(at), None),
            Frequency::Weekly { on, at } => (EveryJson::Weekly, Some(at), Some(on.into())),
        };
        FrequencyJson {
            every,
            at: at.map(|at| at.to_string()),
            on,
        }
    }
}

impl FrequencyJson {
    fn read(&self) -> Result<Frequency, Problem> {
        let at = || match &self.at {
            Some(at) => time("digest", at),
            None => Err(wrong(
                "digest",
                "this rhythm needs a time of day in `at`, for example `08:00`".to_owned(),
            )),
        };
        Ok(match self.every {
            EveryJson::Off => Frequency::Off,
            EveryJson::Immediately => Frequency::Immediately,
            EveryJson::Hourly => Frequency::Hourly,
            EveryJson::Daily => Frequency::Daily { at: at()? },
            EveryJson::Weekly => Frequency::Weekly {
                on: self.on.map(Into::into).ok_or_else(|| {
                    wrong(
                        "digest",
                        "`weekly` needs a day in `on`, for example `monday`".to_owned(),
                    )
                })?,
                at: at()?,
            },
        })
    }
}

impl QuietHoursJson {
    fn of(quiet: QuietHours) -> QuietHoursJson {
        QuietHoursJson {
            from: quiet.from.to_string(),
            to: quiet.to.to_string(),
        }
    }

    fn read(self) -> Result<QuietHours, Problem> {
        Ok(QuietHours {
            from: time("quiet", &self.from)?,
            to: time("quiet", &self.to)?,
        })
    }
}

macro_rules! same_days {
    ($($day:ident)+) => {
        impl From<Day> for DayJson {
            fn from(day: Day) -> DayJson {
                match day { $(Day::$day => DayJson::$day),+ }
            }
        }

        impl From<DayJson> for Day {
            fn from(day: DayJson) -> Day {
                match day { $(DayJson::$day => Day::$day),+ }
            }
        }
    };
}
same_days!(Monday Tuesday Wednesday Thursday Friday Saturday Sunday);

fn time(member: &str, text: &str) -> Result<TimeOfDay, Problem> {
    TimeOfDay::try_from(text.to_owned()).map_err(|error| wrong(member, error))
}

fn addresses(addresses: &[String]) -> Result<Vec<String>, Problem> {
    recipients::checked(addresses.iter().map(String::as_str))
        .map_err(|error| wrong("recipients", error))
}

pub(super) fn wrong(member: &str, detail: String) -> Problem {
    Problem::new(Kind::Value, detail).with("member", member)
}

/// Show who is told by mail
///
/// Needs a key without a source.
#[utoipa::path(
    get,
    path = "/notifications",
    operation_id = "getNotifications",
    tag = "Mail",
    responses((status = 200, description = "The settings", body = NotificationsJson), Guarded),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    administrator: Administrator,
) -> Result<Json<NotificationsJson>, Problem> {
    let workspace = administrator.workspace();
    let settings = api.app.store.notification_settings(workspace).await?;
    let sources = api.app.store.sources(workspace).await?;
    Ok(Json(NotificationsJson::of(&settings, &sources)))
}

/// Change who is told by mail
///
/// Replaces all of it; what is left out gets its default. Needs a key without a source.
#[utoipa::path(
    put,
    path = "/notifications",
    operation_id = "setNotifications",
    tag = "Mail",
    request_body(content = NotificationsJson, description = "The settings"),
    responses((status = 200, description = "The settings as they are now", body = NotificationsJson), GuardedBody, Checked),
)]
pub(crate) async fn set(
    State(api): State<Api>,
    administrator: Administrator,
    Settings(new): Settings<NotificationsJson>,
) -> Result<Json<NotificationsJson>, Problem> {
    let workspace = administrator.workspace();
    let sources = api.app.store.sources(workspace).await?;
    let settings = new.read(&sources)?;
    api.app
        .store
        .set_notification_settings(workspace, settings.clone())
        .await?;
    api.app
        .audit(
            workspace,
            &administrator.actor(),
            Act::ChangedSetting,
            "notifications",
        )
        .await?;
    Ok(Json(NotificationsJson::of(&settings, &sources)))
}

/// Send a test mail
///
/// Tries at once and answers with what came of it: the mail's `state` is `sent`, or `last_error` says what is wrong.
/// Needs a key without a source.
#[utoipa::path(
    post,
    path = "/notifications/test",
    operation_id = "testMail",
    tag = "Mail",
    request_body(content = MailTestJson, description = "Where it is sent"),
    responses((status = 200, description = "The mail, as it stands after the try", body = MailJson), GuardedBody, Checked),
)]
pub(crate) async fn test(
    State(api): State<Api>,
    administrator: Administrator,
    Settings(test): Settings<MailTestJson>,
) -> Result<Json<MailJson>, Problem> {
    let app = &api.app;
    let to = recipients::checked_one(&test.to).map_err(|error| wrong("to", error))?;
    if app.config.mail.is_none() {
        return Err(Problem::new(
            Kind::Value,
            "this Rollbook has no mail server; set `mail` and `mail_from` and start it again",
        ));
    }
    let workspaces = app.store.workspaces().await?;
    let workspace = workspaces
        .iter()
        .find(|workspace| workspace.id == administrator.workspace())
        .ok_or_else(|| Problem::not_found("workspace", ""))?;
    let test = test_mail::compose(app, workspace, "an API key")?;
    let id = mail::enqueue(app, workspace.id, MailKind::Test, &to, &test, clock::now()).await?;
    let mail = send_mail::send_now(app, workspace.id, id).await?;
    Ok(Json(MailJson::of(&mail)))
}
