//! The digest of a source: what went wrong with what another system delivered, since the digest before.

use rollbook_engine::attempt::ImportResult;
use rollbook_store::log::{Attempt, LogFilter, Paging};
use rollbook_store::notifications::NotificationSettings;
use rollbook_store::outbox::{MailKind, NewMail};
use rollbook_store::sources::{Source, SourceId};
use rollbook_store::{StoreError, Timestamp, WorkspaceId};

use crate::app::App;
use crate::export;
use crate::http::pages::show::{Zone, bytes, count, counted, encode};
use crate::mail::message::Attachment;
use crate::mail::problems::{Groups, Problems};
use crate::mail::{About, ComposeError, Letter, Mail, link, parts};
use crate::wire::{SourceNames, rfc3339};

/// Attempts that are read from the log at a time.
const PAGE: u32 = 1_000;

/// Some attempts of a source: those with higher numbers than `after`, up to `upto`. Rows of files are not among them:
/// their import has a report of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) workspace: WorkspaceId,
    pub(crate) source: SourceId,
    pub(crate) after: u64,
    pub(crate) upto: u64,
}

/// The mail.
#[derive(Debug, Clone)]
pub(crate) struct SourceDigest {
    pub(crate) letter: Letter,
    /// What people call the source.
    pub(crate) source: String,
    /// `12 failures and 3 warnings`.
    pub(crate) outcome: String,
    /// `Between 22 Nov 2025, 08:02 and 09:41 CET.`
    pub(crate) lede: String,
    pub(crate) failures: Part,
    pub(crate) warnings: Part,
    /// What is said of the attached records.
    pub(crate) attached: String,
}

/// Failures, or warnings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    /// `12`; empty if there are none.
    pub(crate) count: String,
    pub(crate) groups: Groups,
    pub(crate) log: Option<String>,
}

parts!(
    SourceDigest,
    "mail/source_digest/subject.txt",
    "mail/source_digest/body.txt",
    "mail/source_digest/body.html"
);

/// The mails that tell of a stretch; none if nothing went wrong in it or nobody is told.
pub(crate) async fn mails(
    app: &App,
    settings: &NotificationSettings,
    source: &Source,
    stretch: Stretch,
    now: Timestamp,
) -> Result<Vec<NewMail>, StoreError> {
    let recipients = settings.recipients_of(source.id);
    if recipients.is_empty() {
        return Ok(Vec::new());
    }
    let mut numbers = [0, 0];
    for (number, result) in numbers
        .iter_mut()
        .zip([ImportResult::Failure, ImportResult::Warning])
    {
        let mut reader = Reader::new(stretch, result);
        while let Some(page) = reader.next(app).await? {
            *number += page.len() as u64;
        }
    }
    let [failures, warnings] = numbers;
    if failures + warnings == 0 {
        return Ok(Vec::new());
    }
    let subject = empty_digest(source, failures, warnings)
        .subject()
        .map_err(|error| StoreError::Damaged(error.to_string()))?;
    let about = About::Digest {
        source: source.id.0,
        after: stretch.after,
        upto: stretch.upto,
    };
    let mails = recipients.into_iter().map(|recipient| NewMail {
        workspace: stretch.workspace,
        kind: MailKind::SourceDigest,
        recipient,
        subject: subject.clone(),
        about: about.to_json(),
        content: None,
        created_at: now,
        due_at: now,
    });
    Ok(mails.collect())
}

/// Makes the mail from the log.
pub(crate) async fn compose(app: &App, stretch: Stretch) -> Result<Mail, ComposeError> {
    let workspace = stretch.workspace;
    let sources = app.store.sources(workspace).await?;
    let source = sources
        .iter()
        .find(|source| source.id == stretch.source)
        .ok_or(ComposeError::Gone("the source"))?;
    let settings = app.settings(workspace).await?;
    let schema = app.schema(workspace).await?;
    let zone = Zone::of(&settings);
    let limit = app
        .store
        .notification_settings(workspace)
        .await?
        .attachment_bytes;
    let names = SourceNames::of(&sources);
    let mut csv = Some(export::csv_head());
    let mut span: Option<(Timestamp, Timestamp)> = None;
    let mut parts = Vec::new();
    for result in [ImportResult::Failure, ImportResult::Warning] {
        let mut problems = Problems::default();
        let mut number = 0;
        let mut reader = Reader::new(stretch, result);
        while let Some(page) = reader.next(app).await? {
            for (attempt, payload) in page {
                number += 1;
                problems.add(&attempt);
                let at = attempt.received_at;
                span = Some(span.map_or((at, at), |(from, to)| (from.min(at), to.max(at))));
                if let Some(bytes) = &mut csv {
                    export::csv_line(bytes, attempt, Some(payload), &names);
                    if bytes.len() as u64 > limit {
                        csv = None;
                    }
                }
            }
        }
        parts.push((number, problems.groups(&schema)));
    }
    let (warnings, warning_groups) = parts.pop().unwrap_or_default();
    let (failures, failure_groups) = parts.pop().unwrap_or_default();
    let Some((from, to)) = span else {
        return Err(ComposeError::Gone("what it tells of"));
    };
    let log = |result: &str| {
        link(
            app,
            &format!(
                "/settings/logs?from={}&to={}&source={}&result={result}",
                encode(&rfc3339(from)),
                // The end of a range is not part of it.
                encode(&rfc3339(Timestamp(to.0 + 1))),
                encode(&source.settings.name)
            ),
        )
    };
    let part = |number: u64, groups: Groups, result: &str| Part {
        count: if number == 0 {
            String::new()
        } else {
            count(number)
        },
        groups,
        log: log(result),
    };
    let attachment = csv.map(|bytes| Attachment {
        name: format!("{}-problems.csv", source.settings.name),
        csv: String::from_utf8_lossy(&bytes).into_owned(),
    });
    let digest = SourceDigest {
        letter: Letter {
            workspace: settings.name.clone(),
            why: "You get this because the digests of this source go to you.".to_owned(),
            settings: link(app, "/settings/notifications"),
        },
        lede: span_text(&zone, from, to),
        failures: part(failures, failure_groups, "failure"),
        warnings: part(warnings, warning_groups, "warning"),
        attached: match &attachment {
            Some(file) => format!(
                "The records are attached as {}, each with its reasons and as it was sent.",
                file.name
            ),
            None if limit == 0 => {
                "The records are not attached. The log has them, and exports them.".to_owned()
            }
            None => format!(
                "The records are too large to attach (the limit is {}). The log has them, and exports them.",
                bytes(limit)
            ),
        },
        ..empty_digest(source, failures, warnings)
    };
    let mut mail = digest.mail()?;
    mail.attachment = attachment;
    Ok(mail)
}

/// `On 22 Nov 2025, 11:16 CET.`, `On 22 Nov 2025, between 08:02 and 09:41 CET.`, or with both days.
fn span_text(zone: &Zone, from: Timestamp, to: Timestamp) -> String {
    let format = |at, form| zone.format(at, form);
    let (day, minute) = ("%-d %b %Y", "%H:%M");
    let (first, last) = (format(from, day), format(to, day));
    let (begun, ended) = (format(from, minute), format(to, minute));
    let name = zone.abbreviation(to);
    if first != last {
        format!("Between {first}, {begun} and {last}, {ended} {name}.")
    } else if begun != ended {
        format!("On {first}, between {begun} and {ended} {name}.")
    } else {
        format!("On {first}, {begun} {name}.")
    }
}

fn empty_digest(source: &Source, failures: u64, warnings: u64) -> SourceDigest {
    let failed = counted(failures, "failure", "failures");
    let warned = counted(warnings, "warning", "warnings");
    SourceDigest {
        letter: Letter::default(),
        source: source.settings.label.clone(),
        outcome: match (failures, warnings) {
            (_, 0) => failed,
            (0, _) => warned,
            _ => format!("{failed} and {warned}"),
        },
        lede: String::new(),
        failures: Part::default(),
        warnings: Part::default(),
        attached: String::new(),
    }
}

/// Reads the attempts of a stretch that have one result, a page at a time.
struct Reader {
    stretch: Stretch,
    result: ImportResult,
    after: Option<u64>,
}

impl Reader {
    fn new(stretch: Stretch, result: ImportResult) -> Reader {
        Reader {
            stretch,
            result,
            after: Some(stretch.after),
        }
    }

    /// The next attempts; none at the end.
    async fn next(
        &mut self,
        app: &App,
    ) -> Result<Option<Vec<(Attempt, rollbook_store::commit::Payload)>>, StoreError> {
        let Some(after) = self.after else {
            return Ok(None);
        };
        let filter = LogFilter {
            source: Some(self.stretch.source),
            result: Some(self.result),
            ..LogFilter::default()
        };
        let mut page = app
            .store
            .page_with_payloads(self.stretch.workspace, filter, Paging::After(after), PAGE)
            .await?;
        self.after = page
            .last()
            .map(|(attempt, _)| attempt.id.number())
            .filter(|last| *last < self.stretch.upto && page.len() == PAGE as usize);
        page.retain(|(attempt, _)| {
            attempt.id.number() <= self.stretch.upto && attempt.import.is_none()
        });
        Ok(Some(page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_as_shortly_as_it_can_be() {
        let zone = Zone::named("Europe/Berlin");
        let at = |minutes: i64| Timestamp(1_763_806_602_108 + minutes * 60_000);
        for (to, expected) in [
            (0, "On 22 Nov 2025, 11:16 CET."),
            (5, "On 22 Nov 2025, between 11:16 and 11:21 CET."),
            (
                1_440,
                "Between 22 Nov 2025, 11:16 and 23 Nov 2025, 11:16 CET.",
            ),
        ] {
            assert_eq!(span_text(&zone, at(0), at(to)), expected);
        }
    }
}
