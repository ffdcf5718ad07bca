//! Rows of which something else became than the review said, because contacts changed between the two.

use rollbook_engine::attempt::Action;
use rollbook_engine::plan::ExpectedVerdict;
use rollbook_store::imports::Import;

use crate::app::App;
use crate::http::pages::error::PageError;
use crate::http::pages::show::{count, counted};
use crate::http::session::Person;

/// Rows that are listed; the log tells of the others.
const SHOWN: usize = 100;

/// What the page says of them.
#[derive(Debug, Clone)]
pub(crate) struct Drifted {
    /// `3 rows came out`.
    pub(crate) summary: String,
    pub(crate) rows: Vec<DriftedRow>,
    /// How many more there are, in words; blank if all are listed.
    pub(crate) more: String,
}

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct DriftedRow {
    pub(crate) number: String,
    /// Who it is about; blank if nobody knows.
    pub(crate) name: String,
    /// What the review said: `create a contact`.
    pub(crate) expected: &'static str,
    pub(crate) contact: Option<u64>,
    /// What became of it: `updated`; blank if that was dropped from the log.
    pub(crate) became: &'static str,
    pub(crate) became_contact: Option<u64>,
    pub(crate) attempt: String,
}

impl Drifted {
    /// The rows of an import that drifted; none if none did.
    pub(super) async fn of(
        app: &App,
        person: &Person,
        import: &Import,
    ) -> Result<Option<Drifted>, PageError> {
        if import.drifted == 0 {
            return Ok(None);
        }
        let drifted = app.store.drifted_rows(import.workspace, import.id).await?;
        let mut rows = Vec::new();
        for drift in drifted.into_iter().take(SHOWN) {
            let found = app.store.attempt(import.workspace, drift.attempt).await?;
            let attempt = found.map(|(attempt, _)| person.sight().attempt(attempt));
            let shown = attempt.as_ref().map(|attempt| attempt.shown.clone());
            let shown = shown.unwrap_or_default();
            let name = shown.name.or(shown.email).or(shown.external_id);
            rows.push(DriftedRow {
                number: count(drift.row),
                name: name.map_or_else(String::new, String::from),
                expected: match drift.expected.verdict {
                    ExpectedVerdict::Created => "create a contact",
                    ExpectedVerdict::Updated => "update",
                    ExpectedVerdict::Unchanged => "change nothing of",
                    ExpectedVerdict::Failed => "fail",
                },
                contact: drift.expected.contact.map(|contact| contact.0),
                became: match attempt.as_ref().map(|attempt| attempt.action) {
                    None => "",
                    Some(None) => "failed",
                    Some(Some(Action::Created)) => "created",
                    Some(Some(Action::Updated)) => "updated",
                    Some(Some(Action::Removed)) => "removed",
                },
                became_contact: attempt
                    .filter(|attempt| attempt.action.is_some())
                    .and_then(|attempt| attempt.contact)
                    .map(|contact| contact.0),
                attempt: drift.attempt.to_string(),
            });
        }
        Ok(Some(Drifted {
            summary: format!("{} came out", counted(import.drifted, "row", "rows")),
            more: match import.drifted.saturating_sub(rows.len() as u64) {
                0 => String::new(),
                more => format!("{} more", count(more)),
            },
            rows,
        }))
    }
}
