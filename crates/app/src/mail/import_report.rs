//! The report of an import: what came of it, what was wrong and in which rows, and the failed rows to be corrected.

use rollbook_engine::attempt::ImportResult;
use rollbook_engine::policy::Mode;
use rollbook_engine::schema::Schema;
use rollbook_store::imports::{Import, ImportId, ImportKind, ImportState};
use rollbook_store::log::{LogFilter, Paging};
use rollbook_store::notifications::Frequency;
use rollbook_store::outbox::{MailKind, NewMail};
use rollbook_store::{StoreError, Timestamp, WorkspaceId};

use crate::app::App;
use crate::http::pages::show::{Zone, bytes, count, counted, sentence};
use crate::imports::edits::Edits;
use crate::imports::failed_rows;
use crate::imports::options::ImportOptions;
use crate::imports::run::source_of;
use crate::mail::message::Attachment;
use crate::mail::problems::{Groups, Problems};
use crate::mail::{About, ComposeError, Letter, Mail, link, parts, recipients};

/// Attempts that are read from the log at a time.
const PAGE: u32 = 1_000;

/// The mail.
#[derive(Debug, Clone)]
pub(crate) struct ImportReport {
    pub(crate) letter: Letter,
    pub(crate) file: String,
    pub(crate) outcome: Outcome,
    /// `Uploaded by ada@example.com to Manual import, finished 22 Nov 2025, 11:16:42 CET.`
    pub(crate) lede: String,
    /// What stopped it, as a sentence.
    pub(crate) error: Option<String>,
    /// `Created`, `1,197`.
    pub(crate) counts: Vec<(&'static str, String)>,
    pub(crate) failures: Groups,
    pub(crate) warnings: Groups,
    /// What is said of the failed rows: attached, or where they are; empty if there are none.
    pub(crate) failed_rows: String,
    pub(crate) failed_rows_link: Option<String>,
    /// The log of this import.
    pub(crate) log: Option<String>,
    pub(crate) log_of_failures: Option<String>,
    pub(crate) log_of_warnings: Option<String>,
}

/// How the import came out, in words for the subject.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// `1,200 rows`.
    AllWell(String),
    /// `4 of 1,200 rows`.
    WithWarnings(String),
    /// `3 of 1,200 rows`.
    WithFailures(String),
    /// `800 rows`.
    Stopped(String),
    /// `800 rows`.
    Cancelled(String),
}

parts!(
    ImportReport,
    "mail/import_report/subject.txt",
    "mail/import_report/body.txt",
    "mail/import_report/body.html"
);

/// The mails that tell how an import ended, to be written down with its end.
pub(crate) async fn mails(
    app: &App,
    import: &Import,
    state: ImportState,
    now: Timestamp,
) -> Result<Vec<NewMail>, StoreError> {
    match import.kind {
        ImportKind::File => {}
        ImportKind::Replay | ImportKind::Undo => return Ok(Vec::new()),
    }
    let settings = app.store.notification_settings(import.workspace).await?;
    let source = source_of(app, import).await?;
    let automatic = source.is_some_and(|source| source.settings.mode == Mode::Automatic);
    // A file that a system sends every night is only worth a mail when something is wrong with it.
    let all_well =
        state == ImportState::Done && import.totals.failed == 0 && import.totals.warnings == 0;
    if automatic && (all_well || settings.digest_of(import.source) == Frequency::Off) {
        return Ok(Vec::new());
    }
    let about = About::Import {
        import: import.id.0,
        source: import.source.0,
    };
    let ended = Import {
        state,
        ..import.clone()
    };
    let subject = empty_report(&ended)
        .subject()
        .map_err(|error| StoreError::Damaged(error.to_string()))?;
    let recipients = recipients::of_import(app, &settings, import).await?;
    let mails = recipients.into_iter().map(|recipient| NewMail {
        workspace: import.workspace,
        kind: MailKind::ImportReport,
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
pub(crate) async fn compose(
    app: &App,
    workspace: WorkspaceId,
    id: ImportId,
) -> Result<Mail, ComposeError> {
    let import = app.store.import(workspace, id).await?;
    let import = import.ok_or(ComposeError::Gone("the import"))?;
    let settings = app.settings(workspace).await?;
    let limit = app
        .store
        .notification_settings(workspace)
        .await?
        .attachment_bytes;
    let schema = app.schema(workspace).await?;
    let zone = Zone::of(&settings);
    let (failures, rows) = failures(app, &import, &schema, limit).await?;
    let warnings = warnings(app, &import, &schema).await?;
    let label = source_of(app, &import)
        .await?
        .map_or_else(String::new, |source| {
            format!(" to {}", source.settings.label)
        });
    let by = match import.created_by.as_str() {
        "command line" => "Imported on the command line".to_owned(),
        by => format!("Uploaded by {by}"),
    };
    let finished = import.finished_at.unwrap_or(import.created_at);
    let url = |result: &str| link(app, &log_path(&import, result));
    let (failed_rows, failed_rows_link, attachment) = match rows {
        Rows::None => (String::new(), None, None),
        Rows::Csv(csv) => {
            let name = failed_rows::file_name(&import.file_name);
            let text = format!(
                "The failed rows are attached as {name}, with the reasons in the column _reason. Correct them there and \
                 upload that file: rows that went in are not in it."
            );
            (text, None, Some(Attachment { name, csv }))
        }
        Rows::TooLarge => {
            let text = if limit == 0 {
                "The failed rows are not attached. Download them from the import's page.".to_owned()
            } else {
                format!(
                    "The failed rows are too large to attach (the limit is {}). Download them from the import's page.",
                    bytes(limit)
                )
            };
            let path = format!("/imports/{}/failed-rows.csv", import.id);
            (text, link(app, &path), None)
        }
    };
    let report = ImportReport {
        letter: Letter {
            workspace: settings.name.clone(),
            why: "You get this because you uploaded the file, or because the reports of this workspace go to you."
                .to_owned(),
            settings: link(app, "/settings/notifications"),
        },
        lede: format!(
            "{by}{label}, finished {} {}.",
            zone.format(finished, "%-d %b %Y, %H:%M"),
            zone.abbreviation(finished)
        ),
        error: import.error.as_deref().map(sentence),
        failures,
        warnings,
        failed_rows,
        failed_rows_link,
        log: link(app, &log_path(&import, "")),
        log_of_failures: url("failure"),
        log_of_warnings: url("warning"),
        ..empty_report(&import)
    };
    let mut mail = report.mail()?;
    mail.attachment = attachment;
    Ok(mail)
}

/// What the import itself says.
fn empty_report(import: &Import) -> ImportReport {
    let totals = &import.totals;
    let rows = counted(totals.records, "row", "rows");
    let outcome = match import.state {
        ImportState::Failed => Outcome::Stopped(rows),
        ImportState::Cancelled => Outcome::Cancelled(rows),
        _ if totals.failed > 0 => {
            Outcome::WithFailures(format!("{} of {rows}", count(totals.failed)))
        }
        _ if totals.warnings > 0 => {
            Outcome::WithWarnings(format!("{} of {rows}", count(totals.warnings)))
        }
        _ => Outcome::AllWell(rows),
    };
    let mut counts = vec![
        ("Rows", count(totals.records)),
        ("Created", count(totals.created)),
        ("Updated", count(totals.updated)),
    ];
    if totals.unchanged > 0 {
        counts.push(("of these without changes", count(totals.unchanged)));
    }
    if totals.warnings > 0 {
        counts.push(("Warnings", count(totals.warnings)));
    }
    counts.push(("Failed", count(totals.failed)));
    ImportReport {
        letter: Letter::default(),
        file: import.file_name.clone(),
        outcome,
        lede: String::new(),
        error: None,
        counts,
        failures: Groups::default(),
        warnings: Groups::default(),
        failed_rows: String::new(),
        failed_rows_link: None,
        log: None,
        log_of_failures: None,
        log_of_warnings: None,
    }
}

/// The failed rows as they go with the mail.
enum Rows {
    /// There are none to be corrected.
    None,
    /// They are over the limit.
    TooLarge,
    /// They are attached.
    Csv(String),
}

/// What failed, grouped, and the failed rows as CSV if they stay under the limit. Reads each once, a page at a time.
async fn failures(
    app: &App,
    import: &Import,
    schema: &Schema,
    limit: u64,
) -> Result<(Groups, Rows), StoreError> {
    let options: Option<ImportOptions> = import
        .options
        .as_deref()
        .and_then(|options| serde_json::from_str(options).ok());
    let edits = Edits::of(app, import).await?;
    let mut rows = Rows::None;
    let mut problems = Problems::default();
    let mut after = 0;
    loop {
        let page = app
            .store
            .page_with_payloads(
                import.workspace,
                filter(import, ImportResult::Failure),
                Paging::After(after),
                PAGE,
            )
            .await?;
        let Some((last, _)) = page.last() else { break };
        after = last.id.number();
        for (attempt, payload) in &page {
            problems.add(attempt);
            let line = options
                .as_ref()
                .filter(|_| !matches!(rows, Rows::TooLarge))
                .and_then(|options| {
                    let line = failed_rows::line(options, attempt, payload, &edits)?;
                    Some((options, line))
                });
            let Some((options, line)) = line else {
                continue;
            };
            let mut csv = match rows {
                Rows::Csv(csv) => csv,
                Rows::None | Rows::TooLarge => {
                    format!("\u{feff}{}", failed_rows::header(options))
                }
            };
            csv.push_str(&line);
            rows = if csv.len() as u64 > limit {
                Rows::TooLarge
            } else {
                Rows::Csv(csv)
            };
        }
    }
    Ok((problems.groups(schema), rows))
}

/// What was left out, grouped.
async fn warnings(app: &App, import: &Import, schema: &Schema) -> Result<Groups, StoreError> {
    let mut problems = Problems::default();
    let mut after = 0;
    loop {
        let page = app
            .store
            .page(
                import.workspace,
                filter(import, ImportResult::Warning),
                Paging::After(after),
                PAGE,
            )
            .await?;
        page.attempts
            .iter()
            .for_each(|attempt| problems.add(attempt));
        match page.attempts.last() {
            Some(last) if page.more => after = last.id.number(),
            _ => break,
        }
    }
    Ok(problems.groups(schema))
}

fn filter(import: &Import, result: ImportResult) -> LogFilter {
    LogFilter {
        import: Some(import.id),
        result: Some(result),
        ..LogFilter::default()
    }
}

/// The log of an import, from its first day on.
fn log_path(import: &Import, result: &str) -> String {
    let from = import.started_at.unwrap_or(import.created_at);
    let day = crate::wire::rfc3339(from);
    let result = match result {
        "" => String::new(),
        result => format!("&result={result}"),
    };
    format!(
        "/settings/logs?from={}&import={}{result}",
        crate::http::pages::show::encode(&day),
        import.id
    )
}
