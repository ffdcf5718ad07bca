//! Uploading a file: it is streamed to disk, looked at, and then its columns are mapped.

use askama::Template;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

use crate::app::App;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page, page_with};
use crate::http::pages::show::{bytes, sentence};
use crate::http::session::Person;
use crate::imports::intake::{self, IntakeError};
use crate::imports::template;

/// The name of a file of pasted cells, which spreadsheets separate by tabs.
const PASTED: &str = "Pasted cells.tsv";

/// How much of a file that is too large is still read, so that the browser gets to see the answer.
const DRAINED: u64 = 256 << 20;

/// The page.
#[derive(Template)]
#[template(path = "pages/upload.html")]
pub(crate) struct UploadPage {
    pub(crate) frame: Frame,
    pub(crate) problem: Option<String>,
    pub(crate) limit: String,
    /// For the script, so that nobody uploads for an hour in vain.
    pub(crate) limit_bytes: u64,
    pub(crate) too_large: String,
}

/// `GET /imports/new`
pub(super) async fn get(State(app): State<App>, person: Person) -> Result<Response, PageError> {
    person.must_import()?;
    page(&upload_page(&app, &person, None))
}

/// `POST /imports/new`
pub(super) async fn post(
    State(app): State<App>,
    person: Person,
    mut form: Multipart,
) -> Result<Response, PageError> {
    person.must_import()?;
    let again =
        |status, problem: String| page_with(status, &upload_page(&app, &person, Some(problem)));
    let received = match receive(&app, &mut form).await {
        Ok(received) => received,
        Err(problem) => return again(problem.status(), problem.text(&app)),
    };
    let source = app
        .store
        .source(person.workspace.id, "manual")
        .await?
        .ok_or(PageError::NotFound("the source `manual`"))?;
    let taken = intake::take_in(
        &app,
        &source,
        received.file,
        &received.name,
        &person.user.email,
    );
    match taken.await {
        Ok(import) => Ok(Redirect::to(&format!("/imports/{}", import.id)).into_response()),
        Err(IntakeError::Store(error)) => Err(error.into()),
        Err(IntakeError::Blob(error)) => Err(error.into()),
        Err(error) => again(
            StatusCode::UNPROCESSABLE_ENTITY,
            sentence(&error.to_string()),
        ),
    }
}

/// `GET /imports/template.csv`
pub(super) async fn template(
    State(app): State<App>,
    person: Person,
) -> Result<Response, PageError> {
    person.must_import()?;
    let schema = app.schema(person.workspace.id).await?;
    let disposition = format!("attachment; filename=\"{}\"", template::FILE_NAME);
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, template::template(&schema)).into_response())
}

fn upload_page(app: &App, person: &Person, problem: Option<String>) -> UploadPage {
    UploadPage {
        frame: Frame::new(person, Section::Imports),
        problem,
        limit: bytes(app.config.max_file_bytes),
        limit_bytes: app.config.max_file_bytes,
        too_large: Problem::TooLarge.text(app),
    }
}

/// A file on our disk.
struct Received {
    file: NamedTempFile,
    name: String,
}

/// Why there is no file.
enum Problem {
    NoFile,
    NoCells,
    TooLarge,
    BrokeOff(MultipartError),
    Disk(std::io::Error),
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Problem::NoFile | Problem::NoCells => StatusCode::UNPROCESSABLE_ENTITY,
            Problem::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Problem::BrokeOff(error) => error.status(),
            Problem::Disk(_) => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    fn text(&self, app: &App) -> String {
        match self {
            Problem::NoFile => "Choose a file first.".to_owned(),
            Problem::NoCells => "Paste some cells first, with their header row.".to_owned(),
            Problem::TooLarge => format!(
                "The file is larger than {}. Split it into smaller files, or ask the operator of Rollbook to raise the limit.",
                bytes(app.config.max_file_bytes)
            ),
            Problem::BrokeOff(error) => {
                tracing::info!("an upload broke off: {error}");
                "The upload broke off before the file was complete. Check your connection and upload it again.".to_owned()
            }
            Problem::Disk(error) => {
                tracing::error!("an upload cannot be stored: {error}");
                "The file could not be stored on the server. Ask the operator of Rollbook to check its disk.".to_owned()
            }
        }
    }
}

impl From<MultipartError> for Problem {
    fn from(error: MultipartError) -> Problem {
        Problem::BrokeOff(error)
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Problem {
        Problem::Disk(error)
    }
}

/// Streams the file of the form to disk, up to the limit.
async fn receive(app: &App, form: &mut Multipart) -> Result<Received, Problem> {
    while let Some(field) = form.next_field().await? {
        let pasted = field.name() == Some("cells");
        if field.name() != Some("file") && !pasted {
            continue;
        }
        let name = if pasted {
            PASTED.to_owned()
        } else {
            field.file_name().unwrap_or_default().trim().to_owned()
        };
        let (file, size) = store(app, field).await?;
        if pasted && size == 0 {
            return Err(Problem::NoCells);
        }
        if name.is_empty() && size == 0 {
            break;
        }
        let name = if name.is_empty() {
            "upload.csv".to_owned()
        } else {
            name
        };
        return Ok(Received { file, name });
    }
    Err(Problem::NoFile)
}

async fn store(app: &App, mut field: Field<'_>) -> Result<(NamedTempFile, u64), Problem> {
    let limit = app.config.max_file_bytes;
    // In the folder where it will stay, so that keeping it is a rename.
    let file = NamedTempFile::new_in(&app.config.files)?;
    let mut writer = tokio::fs::File::from_std(file.as_file().try_clone()?);
    let mut size = 0;
    while let Some(chunk) = field.chunk().await? {
        size += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if size > limit.saturating_add(DRAINED) {
            return Err(Problem::TooLarge);
        }
        if size <= limit {
            writer.write_all(&chunk).await?;
        }
    }
    if size > limit {
        return Err(Problem::TooLarge);
    }
    writer.flush().await?;
    Ok((file, size))
}
