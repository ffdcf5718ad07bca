//! Rows of the log: attempts ready to print in the article's ten columns.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use rollbook_engine::attempt::{Action, ImportResult};
use rollbook_engine::contact::Text;
use rollbook_engine::schema::Schema;
use rollbook_store::imports::ImportId;
use rollbook_store::log::Attempt;
use rollbook_store::sources::{Source, SourceId};
use rollbook_store::{StoreError, Timestamp};

use crate::app::App;
use crate::clock;
use crate::http::pages::log::query::result_key;
use crate::http::pages::show::{When, field_label, phone};
use crate::http::session::Person;

/// How many issues the Info of a row tells; the rest is in its details.
const ISSUES_SHOWN: usize = 4;

/// A result as a coloured word with its sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResultTag {
    /// `ok`, `warn` or `bad`.
    pub(crate) class: &'static str,
    /// The article's word.
    pub(crate) label: &'static str,
    /// The word of addresses.
    pub(crate) key: &'static str,
}

impl ResultTag {
    /// The tag of a result.
    pub(crate) fn of(result: ImportResult) -> ResultTag {
        let (class, label) = match result {
            ImportResult::Success => ("ok", "Success"),
            ImportResult::Warning => ("warn", "Warning"),
            ImportResult::Failure => ("bad", "Failure"),
        };
        ResultTag {
            class,
            label,
            key: result_key(result),
        }
    }
}

/// One attempt.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) number: u64,
    pub(crate) result: ResultTag,
    pub(crate) info: Vec<Info>,
    pub(crate) more_info: usize,
    pub(crate) action: &'static str,
    pub(crate) name: String,
    pub(crate) contact: Option<u64>,
    pub(crate) phone: String,
    pub(crate) email: String,
    pub(crate) source: String,
    pub(crate) file: Option<String>,
    pub(crate) received: When,
    /// With the year only where it is not this one.
    pub(crate) received_text: String,
    pub(crate) matched_on: &'static str,
    /// Who or what the row is about, for people who hear the link to its details.
    pub(crate) about: String,
}

/// A line of the Info column.
#[derive(Debug, Clone)]
pub(crate) struct Info {
    /// The field's label; none for the whole record.
    pub(crate) label: Option<String>,
    /// The sentence.
    pub(crate) message: String,
}

/// The rows of a table body, as pages and live streams send them.
#[derive(Template)]
#[template(path = "partials/log_rows.html")]
pub(crate) struct Rows<'a> {
    pub(crate) rows: &'a [Row],
}

/// What rows need besides the attempts.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    sources: HashMap<SourceId, String>,
    files: HashMap<ImportId, String>,
    schema: Arc<Schema>,
    now: Timestamp,
}

impl Names {
    /// The names that these attempts refer to.
    pub(crate) async fn load(
        app: &App,
        person: &Person,
        sources: &[Source],
        attempts: &[Attempt],
    ) -> Result<Names, StoreError> {
        let mut files = HashMap::new();
        for import in attempts.iter().filter_map(|attempt| attempt.import) {
            if !files.contains_key(&import)
                && let Some(found) = app.store.import(person.workspace.id, import).await?
            {
                files.insert(import, found.file_name);
            }
        }
        Ok(Names {
            sources: sources
                .iter()
                .map(|source| (source.id, source.settings.label.clone()))
                .collect(),
            files,
            schema: app.schema(person.workspace.id).await?,
            now: clock::now(),
        })
    }

    /// What people call a source.
    pub(crate) fn source(&self, id: SourceId) -> String {
        self.sources
            .get(&id)
            .cloned()
            .unwrap_or_else(|| format!("source {}", id.0))
    }

    /// The file of an import.
    pub(crate) fn file(&self, id: ImportId) -> Option<&str> {
        self.files.get(&id).map(String::as_str)
    }

    /// The fields.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }
}

impl Row {
    /// An attempt, which the person's sight has been applied to, ready to print.
    pub(crate) fn of(attempt: &Attempt, names: &Names, person: &Person) -> Row {
        let shown = &attempt.shown;
        let text = |text: &Option<Text>| text.clone().unwrap_or_default().into_string();
        let about = [&shown.name, &shown.email, &shown.phone, &shown.external_id]
            .into_iter()
            .find_map(Clone::clone)
            .map_or_else(|| "record without a name".to_owned(), String::from);
        let zone = &person.zone;
        let received = zone.when(attempt.received_at);
        let this_year = zone.format(attempt.received_at, "%Y") == zone.format(names.now, "%Y");
        let info = attempt.issues.iter().take(ISSUES_SHOWN).map(|issue| Info {
            label: issue
                .field
                .as_deref()
                .map(|key| field_label(names.schema(), key)),
            message: issue.message.clone(),
        });
        Row {
            id: attempt.id.to_string(),
            number: attempt.id.number(),
            result: ResultTag::of(attempt.result),
            info: info.collect(),
            more_info: attempt.issues.len().saturating_sub(ISSUES_SHOWN),
            action: action_label(attempt.action),
            name: text(&shown.name),
            contact: attempt.contact.map(|contact| contact.0),
            phone: shown.phone.as_deref().map(phone).unwrap_or_default(),
            email: text(&shown.email),
            source: names.source(attempt.source),
            file: attempt
                .import
                .and_then(|import| names.file(import))
                .map(str::to_owned),
            received_text: if this_year {
                received.short.clone()
            } else {
                received.text.clone()
            },
            received,
            matched_on: attempt.matched_on.map_or("", |kind| kind.label()),
            about,
        }
    }
}

/// The article's word for an action; blank for a failure, which performs nothing.
pub(crate) fn action_label(action: Option<Action>) -> &'static str {
    match action {
        Some(Action::Created) => "Created",
        Some(Action::Removed) => "Removed",
        Some(Action::Updated) => "Updated",
        None => "",
    }
}
