//! What is told of one source.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_store::notifications::{
    Jump, NotificationSettings, QuietHours, Silence, SourceNotifications, TimeOfDay,
};
use rollbook_store::sources::Source;
use serde::Deserialize;

use crate::app::App;
use crate::audit::Act;
use crate::clock;
use crate::http::api::notifications::MAX_SILENCE;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page, page_with};
use crate::http::pages::notifications::forms::{self, RhythmForm};
use crate::http::pages::show::sentence;
use crate::http::session::Person;
use crate::mail::recipients;

/// The page.
#[derive(Template)]
#[template(path = "pages/source_notifications.html")]
pub(crate) struct SourceNotificationsPage {
    pub(crate) frame: Frame,
    pub(crate) name: String,
    pub(crate) label: String,
    /// Whether it takes uploads: no system whose rhythm could be known.
    pub(crate) is_manual: bool,
    pub(crate) form: SourceForm,
    pub(crate) problems: SourceProblems,
    /// What the workspace says: recipients, frequency, quiet hours.
    pub(crate) usual_recipients: String,
    pub(crate) usual_digest: String,
    pub(crate) usual_quiet: String,
    pub(crate) zone: String,
}

/// The form.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SourceForm {
    /// `same`, `own` or `nobody`.
    pub(crate) who: String,
    pub(crate) recipients: String,
    #[serde(flatten)]
    pub(crate) rhythm: RhythmForm,
    /// `same`, `none` or `own`.
    pub(crate) quiet: String,
    pub(crate) quiet_from: String,
    pub(crate) quiet_to: String,
    /// `learned`, `hours` or `off`.
    pub(crate) silence: String,
    pub(crate) hours: String,
    pub(crate) jump: Option<String>,
}

/// What is wrong with the form, field by field.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceProblems {
    pub(crate) recipients: Option<String>,
    pub(crate) rhythm: Option<String>,
    pub(crate) quiet: Option<String>,
    pub(crate) silence: Option<String>,
}

/// `GET /settings/notifications/sources/{name}`
pub(crate) async fn get(
    State(app): State<App>,
    person: Person,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let (source, settings) = find(&app, &person, &name).await?;
    let form = SourceForm::of(&settings.source(source.id));
    page(&shown(&person, &source, &settings, form))
}

/// `POST /settings/notifications/sources/{name}`
pub(crate) async fn post(
    State(app): State<App>,
    person: Person,
    Path(name): Path<String>,
    Form(form): Form<SourceForm>,
) -> Result<Response, PageError> {
    person.must_administer()?;
    let (source, mut settings) = find(&app, &person, &name).await?;
    match form.read() {
        Ok(own) => {
            settings.sources.insert(source.id.0, own);
            app.store
                .set_notification_settings(person.workspace.id, settings)
                .await?;
            let about = format!("notifications of {}", source.settings.name);
            app.audit(
                person.workspace.id,
                &person.actor(),
                Act::ChangedSetting,
                &about,
            )
            .await?;
            Ok(Redirect::to("/settings/notifications?saved=1").into_response())
        }
        Err(problems) => {
            let shown = SourceNotificationsPage {
                problems,
                ..shown(&person, &source, &settings, form)
            };
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &shown)
        }
    }
}

async fn find(
    app: &App,
    person: &Person,
    name: &str,
) -> Result<(Source, NotificationSettings), PageError> {
    let workspace = person.workspace.id;
    let source = app.store.source(workspace, name).await?;
    let source = source.ok_or(PageError::NotFound("this source"))?;
    Ok((source, app.store.notification_settings(workspace).await?))
}

fn shown(
    person: &Person,
    source: &Source,
    settings: &NotificationSettings,
    form: SourceForm,
) -> SourceNotificationsPage {
    SourceNotificationsPage {
        frame: Frame::new(person, Section::Notifications),
        name: source.settings.name.clone(),
        label: source.settings.label.clone(),
        is_manual: source.settings.name == "manual",
        form,
        problems: SourceProblems::default(),
        usual_recipients: if settings.recipients.is_empty() {
            "nobody".to_owned()
        } else {
            settings.recipients.join(", ")
        },
        usual_digest: forms::frequency_text(settings.digest),
        usual_quiet: forms::quiet_text(settings.quiet),
        zone: person.zone.name(clock::now()),
    }
}

impl SourceForm {
    fn of(own: &SourceNotifications) -> SourceForm {
        let (who, recipients) = match own.recipients.as_deref() {
            None => ("same", String::new()),
            Some([]) => ("nobody", String::new()),
            Some(addresses) => ("own", addresses.join("\n")),
        };
        let (quiet, from, to) = match own.quiet {
            None => ("same", String::new(), String::new()),
            Some(quiet) if quiet.from == quiet.to => ("none", String::new(), String::new()),
            Some(quiet) => ("own", quiet.from.to_string(), quiet.to.to_string()),
        };
        let (silence, hours) = match own.silence {
            Silence::Off => ("off", String::new()),
            Silence::Learned => ("learned", String::new()),
            Silence::Hours(hours) => ("hours", hours.to_string()),
        };
        SourceForm {
            who: who.to_owned(),
            recipients,
            rhythm: RhythmForm::of(own.digest),
            quiet: quiet.to_owned(),
            quiet_from: from,
            quiet_to: to,
            silence: silence.to_owned(),
            hours,
            jump: (own.failure_jump == Jump::Learned).then(|| "on".to_owned()),
        }
    }

    fn read(&self) -> Result<SourceNotifications, SourceProblems> {
        let recipients = match self.who.as_str() {
            "own" => match recipients::parse(&self.recipients) {
                Ok(addresses) if addresses.is_empty() => {
                    Err("Write at least one address, or choose nobody.".to_owned())
                }
                Ok(addresses) => Ok(Some(addresses)),
                Err(problem) => Err(sentence(&problem)),
            },
            "nobody" => Ok(Some(Vec::new())),
            _ => Ok(None),
        };
        let quiet = match self.quiet.as_str() {
            "own" => match forms::quiet(&self.quiet_from, &self.quiet_to) {
                Ok(None) => Err("Fill in both times, for example 22:00 and 07:00.".to_owned()),
                quiet => quiet,
            },
            "none" => Ok(Some(QuietHours {
                from: TimeOfDay(0),
                to: TimeOfDay(0),
            })),
            _ => Ok(None),
        };
        let silence = match self.silence.as_str() {
            "off" => Ok(Silence::Off),
            "hours" => match self.hours.trim().parse::<u16>() {
                Ok(hours @ 1..=MAX_SILENCE) => Ok(Silence::Hours(hours)),
                _ => Err(format!("Write a number of hours from 1 to {MAX_SILENCE}.")),
            },
            _ => Ok(Silence::Learned),
        };
        match (recipients, self.rhythm.read(), quiet, silence) {
            (Ok(recipients), Ok(digest), Ok(quiet), Ok(silence)) => Ok(SourceNotifications {
                recipients,
                digest,
                quiet,
                silence,
                failure_jump: if self.jump.is_some() {
                    Jump::Learned
                } else {
                    Jump::Off
                },
            }),
            (recipients, rhythm, quiet, silence) => Err(SourceProblems {
                recipients: recipients.err(),
                rhythm: rhythm.err(),
                quiet: quiet.err(),
                silence: silence.err(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_source_says_itself_comes_back_as_it_was_shown() {
        for own in [
            SourceNotifications::default(),
            SourceNotifications {
                recipients: Some(Vec::new()),
                silence: Silence::Off,
                failure_jump: Jump::Off,
                quiet: Some(QuietHours {
                    from: TimeOfDay(0),
                    to: TimeOfDay(0),
                }),
                digest: None,
            },
            SourceNotifications {
                recipients: Some(vec!["a@x.example".to_owned()]),
                silence: Silence::Hours(12),
                quiet: Some(QuietHours {
                    from: TimeOfDay(1320),
                    to: TimeOfDay(420),
                }),
                ..SourceNotifications::default()
            },
        ] {
            assert_eq!(SourceForm::of(&own).read().ok(), Some(own));
        }
    }

    #[test]
    fn every_field_says_what_is_wrong_with_it() {
        let form = SourceForm {
            who: "own".to_owned(),
            quiet: "own".to_owned(),
            silence: "hours".to_owned(),
            ..SourceForm::default()
        };
        let problems = form.read().unwrap_err();
        for problem in [
            problems.recipients,
            problems.rhythm,
            problems.quiet,
            problems.silence,
        ] {
            assert!(problem.unwrap().ends_with('.'));
        }
    }
}
