//! Alerts: a source that normally delivers went silent, or fails more than usual.

use rollbook_engine::attempt::ImportResult;
use rollbook_store::log::{LogFilter, Paging, ResultCounts};
use rollbook_store::notifications::NotificationSettings;
use rollbook_store::outbox::{MailKind, NewMail};
use rollbook_store::sources::{Source, SourceId};
use rollbook_store::{StoreError, Timestamp, WorkspaceId};

use crate::app::App;
use crate::http::pages::show::{Zone, count, counted, encode};
use crate::mail::problems::{Groups, Problems};
use crate::mail::watch::{DAY, HOUR};
use crate::mail::{About, ComposeError, Letter, Mail, link, parts};
use crate::wire::rfc3339;

/// Failures that are read to say what is wrong: the latest say it.
const READ: u32 = 1_000;

/// The mail.
#[derive(Debug, Clone)]
pub(crate) struct Alert {
    pub(crate) letter: Letter,
    /// What people call the source.
    pub(crate) source: String,
    /// `has sent nothing for 31 hours`, `fails more than usual: 45 of 60 records in an hour`.
    pub(crate) what: String,
    /// What is known, and what to look at.
    pub(crate) story: String,
    pub(crate) failures: Groups,
    pub(crate) log: Option<String>,
}

parts!(
    Alert,
    "mail/alert/subject.txt",
    "mail/alert/body.txt",
    "mail/alert/body.html"
);

/// The mails that tell that a source is silent.
pub(crate) fn of_silence(
    settings: &NotificationSettings,
    workspace: WorkspaceId,
    source: &Source,
    last: Timestamp,
    now: Timestamp,
) -> Result<Vec<NewMail>, StoreError> {
    let about = About::Silence {
        source: source.id.0,
        last: last.0,
        noticed: now.0,
    };
    mails(settings, workspace, source, &about, silent(last, now), now)
}

/// The mails that tell that a source fails more than usual.
pub(crate) fn of_failures(
    settings: &NotificationSettings,
    workspace: WorkspaceId,
    source: &Source,
    hour: ResultCounts,
    usual: u64,
    now: Timestamp,
) -> Result<Vec<NewMail>, StoreError> {
    let about = About::Failures {
        source: source.id.0,
        noticed: now.0,
        failed: hour.failure,
        records: hour.all(),
        usual,
    };
    let what = failing(hour.failure, hour.all());
    mails(settings, workspace, source, &about, what, now)
}

fn mails(
    settings: &NotificationSettings,
    workspace: WorkspaceId,
    source: &Source,
    about: &About,
    what: String,
    now: Timestamp,
) -> Result<Vec<NewMail>, StoreError> {
    let subject = empty_alert(source, what)
        .subject()
        .map_err(|error| StoreError::Damaged(error.to_string()))?;
    let recipients = settings.recipients_of(source.id);
    let mails = recipients.into_iter().map(|recipient| NewMail {
        workspace,
        kind: MailKind::Alert,
        recipient,
        subject: subject.clone(),
        about: about.to_json(),
        content: None,
        created_at: now,
        due_at: now,
    });
    Ok(mails.collect())
}

/// Makes the mail.
pub(crate) async fn compose(
    app: &App,
    workspace: WorkspaceId,
    about: &About,
) -> Result<Mail, ComposeError> {
    let settings = app.settings(workspace).await?;
    let sources = app.store.sources(workspace).await?;
    let source_id = about.source().unwrap_or(SourceId(0));
    let source = sources
        .iter()
        .find(|source| source.id == source_id)
        .ok_or(ComposeError::Gone("the source"))?;
    let schema = app.schema(workspace).await?;
    let zone = Zone::of(&settings);
    let time = |at: Timestamp| {
        format!(
            "{} {}",
            zone.format(at, "%-d %b %Y, %H:%M"),
            zone.abbreviation(at)
        )
    };
    let log = |from: Timestamp, more: &str| {
        link(
            app,
            &format!(
                "/settings/logs?from={}&source={}{more}",
                encode(&rfc3339(from)),
                encode(&source.settings.name)
            ),
        )
    };
    let alert = match *about {
        About::Silence { last, noticed, .. } => {
            let (last, noticed) = (Timestamp(last), Timestamp(noticed));
            Alert {
                story: format!(
                    "It normally delivers. The last record came {}. Look whether the other system still sends, whether \
                     its key is valid, and whether it can reach this address. You are told once; the next alert comes \
                     when it has delivered again and stopped again.",
                    time(last)
                ),
                log: log(Timestamp(last.0 - DAY), ""),
                ..empty_alert(source, silent(last, noticed))
            }
        }
        About::Failures {
            noticed,
            failed,
            records,
            usual,
            ..
        } => {
            let from = Timestamp(noticed - HOUR);
            let failures = failures(app, workspace, source_id, from, Timestamp(noticed)).await?;
            Alert {
                story: format!(
                    "In the hour before {} {} of {} failed; usually it is {}. You are told once while this lasts.",
                    time(Timestamp(noticed)),
                    count(failed),
                    counted(records, "record", "records"),
                    per_cent(usual)
                ),
                failures: failures.groups(&schema),
                log: log(from, "&result=failure"),
                ..empty_alert(source, failing(failed, records))
            }
        }
        About::Import { .. } | About::Digest { .. } | About::Itself => {
            return Err(ComposeError::Damaged("it is no alert".to_owned()));
        }
    };
    let alert = Alert {
        letter: Letter {
            workspace: settings.name.clone(),
            why: "You get this because the alerts of this source go to you.".to_owned(),
            settings: link(app, "/settings/notifications"),
        },
        ..alert
    };
    Ok(alert.mail()?)
}

async fn failures(
    app: &App,
    workspace: WorkspaceId,
    source: SourceId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Problems, StoreError> {
    let filter = LogFilter {
        from: Some(from),
        to: Some(to),
        source: Some(source),
        result: Some(ImportResult::Failure),
        ..LogFilter::default()
    };
    let page = app
        .store
        .page(workspace, filter, Paging::Newest, READ)
        .await?;
    let mut problems = Problems::default();
    page.attempts
        .iter()
        .for_each(|attempt| problems.add(attempt));
    Ok(problems)
}

fn empty_alert(source: &Source, what: String) -> Alert {
    Alert {
        letter: Letter::default(),
        source: source.settings.label.clone(),
        what,
        story: String::new(),
        failures: Groups::default(),
        log: None,
    }
}

fn silent(last: Timestamp, now: Timestamp) -> String {
    let hours = u64::try_from((now.0 - last.0) / HOUR).unwrap_or(0);
    let time = if hours < 72 {
        counted(hours, "hour", "hours")
    } else {
        counted(hours / 24, "day", "days")
    };
    format!("has sent nothing for {time}")
}

fn failing(failed: u64, records: u64) -> String {
    format!(
        "fails more than usual: {} of {} in an hour",
        count(failed),
        counted(records, "record", "records")
    )
}

/// `4.5 %` of a thousandth part.
fn per_cent(share: u64) -> String {
    match (share / 10, share % 10) {
        (0, 0) => "none".to_owned(),
        (whole, 0) => format!("{whole} %"),
        (whole, tenth) => format!("{whole}.{tenth} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_says_how_long_and_how_many() {
        let silent = |hours: i64| silent(Timestamp(0), Timestamp(hours * HOUR + 1));
        assert_eq!(silent(31), "has sent nothing for 31 hours");
        assert_eq!(silent(80), "has sent nothing for 3 days");
        assert_eq!(
            failing(45, 60),
            "fails more than usual: 45 of 60 records in an hour"
        );
        assert_eq!(
            crate::mail::watch::failed_share(ResultCounts {
                success: 191,
                warning: 0,
                failure: 9
            }),
            45
        );
        assert_eq!(per_cent(45), "4.5 %");
        assert_eq!(per_cent(0), "none");
        assert_eq!(per_cent(250), "25 %");
    }
}
