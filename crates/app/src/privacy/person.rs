//! Everything that is kept about one person, as one JSON document.

use std::collections::BTreeSet;

use rollbook_engine::contact::{Contact, ContactId};
use rollbook_engine::traces::Traces;
use rollbook_sources::csv::CsvRecord;
use rollbook_sources::file::RecordSource;
use rollbook_store::imports::{Import, ImportId};
use rollbook_store::log::{LogFilter, Paging};
use rollbook_store::{Timestamp, WorkspaceId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::audit::{Act, Actor};
use crate::blobs::BlobError;
use crate::http::api::logs::AttemptWithPayloadJson;
use crate::http::api::outbox::MailJson;
use crate::imports::intake::{IntakeError, blocking};
use crate::privacy::erase::{EraseError, each_attempt, former, namespaces};
use crate::privacy::files;
use crate::wire::{ContactJson, SourceNames, rfc3339};

/// Mails that are read at a time.
const PAGE: u16 = 200;

/// Everything that is kept about a person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PersonalData)]
pub(crate) struct PersonJson {
    /// When it was put together: RFC 3339, UTC.
    #[schema(format = "date-time")]
    exported_at: String,
    /// The contact, with its fields and identifiers.
    contact: ContactJson,
    /// Every attempt about the person, oldest first, with what was sent and what it changed.
    attempts: Vec<AttemptWithPayloadJson>,
    /// Rows of kept files about the person.
    files: Vec<FileJson>,
    /// Mails that name the person.
    mails: Vec<MailJson>,
}

/// Rows of one file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PersonalFile)]
pub(crate) struct FileJson {
    /// The first import of the file.
    #[schema(format = "uuid")]
    import_id: String,
    /// Its name.
    #[schema(example = "guests.csv")]
    file: String,
    /// When it was uploaded.
    #[schema(format = "date-time")]
    uploaded_at: String,
    /// The rows.
    rows: Vec<RowJson>,
}

/// A row of a file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PersonalRow)]
pub(crate) struct RowJson {
    /// Its number, from 1 after the header.
    row: u64,
    /// As it stands in the file.
    text: String,
}

/// Puts together everything about a contact; none if there is no such contact. It is audited before anything is shown.
pub(crate) async fn export(
    app: &App,
    workspace: WorkspaceId,
    id: ContactId,
    actor: &Actor,
    now: Timestamp,
) -> Result<Option<PersonJson>, EraseError> {
    let Some(stored) = app.store.contact(workspace, id).await? else {
        return Ok(None);
    };
    let about = format!("contact {id}");
    app.audit(workspace, actor, Act::ExportedPerson, &about)
        .await?;
    let traces = traces(app, workspace, &stored.contact).await?;
    let sources = app.store.sources(workspace).await?;
    let names = SourceNames::of(&sources);
    let mut attempts = Vec::new();
    let mut rows = Vec::new();
    let mut next = Some(0);
    while let Some(after) = next {
        let found = app
            .store
            .find_traces(workspace, traces.clone(), after)
            .await?;
        for number in found.numbers {
            let everything = LogFilter::default();
            let paging = Paging::After(number - 1);
            let page = app
                .store
                .page_with_payloads(workspace, everything, paging, 1)
                .await?;
            for (attempt, payload) in page {
                // One about somebody else that only names them holds the other's data.
                if attempt.contact.is_none_or(|contact| contact == id) {
                    attempts.push(AttemptWithPayloadJson::of(attempt, payload, &names));
                }
            }
        }
        rows.extend(found.rows);
        next = found.next;
    }
    let schema = app.schema(workspace).await?;
    Ok(Some(PersonJson {
        exported_at: rfc3339(now),
        contact: ContactJson::of(&stored, &schema),
        attempts,
        files: of_files(app, workspace, &traces, &rows).await?,
        mails: mails(app, workspace, &traces).await?,
    }))
}

/// What tells the person, what told them earlier included, unless it tells somebody else now.
async fn traces(
    app: &App,
    workspace: WorkspaceId,
    contact: &Contact,
) -> Result<Traces, EraseError> {
    let namespaces = namespaces(app, workspace).await?;
    let mut identifiers = Vec::new();
    each_attempt(app, workspace, contact.id, &mut |attempt| {
        identifiers.extend(former(attempt, &namespaces));
    })
    .await?;
    let owners = app.store.owners(workspace, identifiers.clone()).await?;
    let mut traces = Traces::of(contact);
    for identifier in identifiers {
        let others = owners.iter().filter(|owner| owner.id != contact.id);
        let mut theirs = others.flat_map(Contact::identifiers);
        if !theirs.any(|own| own == identifier) {
            traces.add(&identifier);
        }
    }
    Ok(traces)
}

async fn of_files(
    app: &App,
    workspace: WorkspaceId,
    traces: &Traces,
    rows: &[(ImportId, u64)],
) -> Result<Vec<FileJson>, EraseError> {
    let mut files = Vec::new();
    for (hash, imports) in files::kept(app, workspace).await? {
        let file = match app.blobs.fetch(&hash).await {
            Ok(file) => file,
            Err(BlobError::Missing | BlobError::Damaged) => continue,
            Err(error) => return Err(error.into()),
        };
        let Some((source, options)) = files::reading(app, &file, &imports).await? else {
            continue;
        };
        let own = |(import, _): &&(ImportId, u64)| imports.iter().any(|known| known.id == *import);
        let own: BTreeSet<u64> = rows.iter().filter(own).map(|(_, row)| *row).collect();
        let (path, traces) = (file.path().to_owned(), traces.clone());
        let (folder, limits) = (app.config.files.clone(), app.config.file_limits());
        let found = blocking(move || {
            let namespace = &source.settings.namespace;
            let mut wanted = own;
            wanted.extend(files::seek(
                &path, &folder, &options, &limits, &traces, namespace,
            )?);
            if wanted.is_empty() {
                return Ok(Vec::new());
            }
            let (reading, header) = (&options.reading, &options.header);
            let source = RecordSource::open(&path, &folder, reading, header, &limits)?;
            let mut records = source.records()?;
            let mut record = CsvRecord::default();
            let mut rows = Vec::new();
            while records.next(&mut record)? {
                if wanted.contains(&record.row) {
                    rows.push(RowJson {
                        row: record.row,
                        text: record.raw.clone(),
                    });
                }
            }
            Ok(rows)
        });
        let rows = match found.await {
            Ok(rows) => rows,
            // It was never read to its end either.
            Err(IntakeError::Unreadable(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        if let Some(first) = imports.last().filter(|_| !rows.is_empty()) {
            files.push(file_json(first, rows));
        }
    }
    Ok(files)
}

fn file_json(import: &Import, rows: Vec<RowJson>) -> FileJson {
    FileJson {
        import_id: import.id.to_string(),
        file: import.file_name.clone(),
        uploaded_at: rfc3339(import.created_at),
        rows,
    }
}

async fn mails(
    app: &App,
    workspace: WorkspaceId,
    traces: &Traces,
) -> Result<Vec<MailJson>, EraseError> {
    let mut mails = Vec::new();
    let mut before = None;
    loop {
        let page = app.store.mails(workspace, None, before, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(mails);
        };
        before = Some(last.id);
        for mail in &page {
            let content = mail.content.as_deref().unwrap_or_default();
            let texts = [mail.recipient.as_str(), mail.subject.as_str(), content];
            if texts.iter().any(|text| traces.or_name_are_in(text)) {
                mails.push(MailJson::of(mail));
            }
        }
    }
}
