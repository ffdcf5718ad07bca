//! What programs see: attempts, contacts and imports as JSON (SPEC 8).

use std::collections::HashMap;

use rollbook_engine::attempt::{Action, ImportResult};
use rollbook_engine::change::Change;
use rollbook_engine::issue::{Issue, Note};
use rollbook_store::Timestamp;
use rollbook_store::log::Attempt;
use rollbook_store::sources::{Source, SourceId};
use serde::Serialize;

/// A time as RFC 3339 in UTC with milliseconds.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    let timestamp = jiff::Timestamp::from_millisecond(time.0).unwrap_or_default();
    format!("{timestamp:.3}")
}

/// The names of sources by their numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceNames(HashMap<SourceId, String>);

impl SourceNames {
    /// The names of these sources.
    pub(crate) fn of(sources: &[Source]) -> SourceNames {
        SourceNames(
            sources
                .iter()
                .map(|source| (source.id, source.settings.name.clone()))
                .collect(),
        )
    }

    /// The name of a source, or its number if it is gone.
    pub(crate) fn name(&self, id: SourceId) -> String {
        self.0
            .get(&id)
            .cloned()
            .unwrap_or_else(|| format!("source {}", id.0))
    }
}

/// An attempt in JSON.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AttemptJson {
    /// UUIDv7.
    pub(crate) id: String,
    /// RFC 3339, UTC.
    pub(crate) received_at: String,
    /// `success`, `warning` or `failure`.
    pub(crate) result: ImportResult,
    /// `created`, `updated` or null.
    pub(crate) action: Option<Action>,
    /// `external_id`, `phone`, `email` or null.
    pub(crate) matched_on: Option<&'static str>,
    /// The name, if available.
    pub(crate) name: Option<String>,
    /// The primary phone number.
    pub(crate) phone: Option<String>,
    /// The primary email address.
    pub(crate) email: Option<String>,
    /// The External ID.
    pub(crate) external_id: Option<String>,
    /// The name of the source.
    pub(crate) source: String,
    /// The import, if it belongs to one.
    pub(crate) import_id: Option<String>,
    /// The row in the import.
    pub(crate) row: Option<u64>,
    /// The contact that was created or updated.
    pub(crate) contact_id: Option<String>,
    /// Why something could not be used.
    pub(crate) issues: Vec<Issue>,
    /// What else is worth knowing.
    pub(crate) notes: Vec<Note>,
    /// What changed.
    pub(crate) changes: Vec<Change>,
    /// The attempt that this one repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replay_of: Option<String>,
}

impl AttemptJson {
    /// The JSON of an attempt.
    pub(crate) fn of(attempt: Attempt, sources: &SourceNames) -> AttemptJson {
        AttemptJson {
            id: attempt.id.to_string(),
            received_at: rfc3339(attempt.received_at),
            result: attempt.result,
            action: attempt.action,
            matched_on: attempt.matched_on.map(|kind| kind.key()),
            name: attempt.shown.name,
            phone: attempt.shown.phone,
            email: attempt.shown.email,
            external_id: attempt.shown.external_id,
            source: sources.name(attempt.source),
            import_id: attempt.import.map(|id| id.to_string()),
            row: attempt.row,
            contact_id: attempt.contact.map(|id| id.to_string()),
            issues: attempt.issues,
            notes: attempt.notes,
            changes: attempt.changes,
            replay_of: attempt.replay_of.map(|id| id.to_string()),
        }
    }
}
