//! Erasures and retention as programs see them.

use rollbook_store::erasures::Erasure;
use rollbook_store::retention::{Retained, Retention};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::privacy::erase::Preview;
use crate::wire::rfc3339;

/// A person who was erased: nothing of it tells who that was.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Erasure)]
pub(crate) struct ErasureJson {
    /// Its number in the workspace.
    #[schema(example = 1)]
    pub(crate) number: u64,
    /// The id of the contact that is no more.
    #[schema(example = "17")]
    contact_id: String,
    /// `running` while everything that tells the person is looked for, then `done`.
    #[schema(example = "done")]
    pub(crate) state: &'static str,
    /// Who asked for it.
    asked_by: String,
    /// When: RFC 3339, UTC.
    #[schema(format = "date-time")]
    asked_at: String,
    /// When everything was erased.
    #[schema(format = "date-time")]
    finished_at: Option<String>,
    /// Identifiers that survive as keyed hashes, so that no record brings the person back.
    identifiers: u64,
    /// Attempts of the log of which values were erased; they still count.
    pub(crate) attempts: u64,
    /// Files whose rows about the person were blanked.
    pub(crate) files_rewritten: u64,
    /// Files that could not be rewritten and were deleted.
    pub(crate) files_deleted: u64,
    /// Mails, edited rows and file names that were erased.
    others: u64,
    /// When somebody let the person come back.
    #[schema(format = "date-time")]
    lifted_at: Option<String>,
    /// Who did.
    lifted_by: Option<String>,
}

impl ErasureJson {
    /// The JSON of an erasure.
    pub(crate) fn of(erasure: &Erasure) -> ErasureJson {
        ErasureJson {
            number: erasure.number,
            contact_id: erasure.contact.to_string(),
            state: if erasure.finished_at.is_some() {
                "done"
            } else {
                "running"
            },
            asked_by: erasure.asked_by.clone(),
            asked_at: rfc3339(erasure.asked_at),
            finished_at: erasure.finished_at.map(rfc3339),
            identifiers: erasure.identifiers,
            attempts: erasure.attempts,
            files_rewritten: erasure.files_rewritten,
            files_deleted: erasure.files_deleted,
            others: erasure.others,
            lifted_at: erasure.lifted_at.map(rfc3339),
            lifted_by: erasure.lifted_by.clone(),
        }
    }
}

/// What erasing a person would touch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ErasurePreview)]
pub(crate) struct ErasurePreviewJson {
    /// The contact.
    #[schema(example = "17")]
    contact_id: String,
    /// Identifiers that could not come back, those that the contact had earlier included.
    identifiers: u64,
    /// Attempts of the log about the contact. Others that name the person are looked for while erasing.
    attempts: u64,
    /// Kept files with rows about the contact.
    files: u64,
}

impl ErasurePreviewJson {
    /// The JSON of a preview.
    pub(crate) fn of(preview: &Preview) -> ErasurePreviewJson {
        ErasurePreviewJson {
            contact_id: preview.contact.contact.id.to_string(),
            identifiers: preview.identifiers,
            attempts: preview.attempts,
            files: preview.files,
        }
    }
}

/// For how many days things are kept; null: for ever.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = RetentionSettings)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetentionSettingsJson {
    /// What was sent, as it was sent.
    #[serde(default, rename = "payload_days")]
    #[schema(minimum = 1, maximum = 36500, example = 90)]
    payloads: Option<u32>,
    /// Attempts of the log.
    #[serde(default, rename = "attempt_days")]
    #[schema(minimum = 1, maximum = 36500, example = 365)]
    attempts: Option<u32>,
    /// Uploaded files.
    #[serde(default, rename = "file_days")]
    #[schema(minimum = 1, maximum = 36500, example = 30)]
    files: Option<u32>,
}

/// The retention of a workspace, and what came of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Retention)]
pub(crate) struct RetentionJson {
    /// Days that payloads are kept; null: for ever.
    payload_days: Option<u32>,
    /// Days that attempts are kept; null: for ever.
    attempt_days: Option<u32>,
    /// Days that uploaded files are kept; null: for ever.
    file_days: Option<u32>,
    /// Payloads of attempts from before are not kept any more.
    #[schema(format = "date-time")]
    payloads_before: Option<String>,
    /// Attempts from before are not kept any more; what imports and sources count stays.
    #[schema(format = "date-time")]
    attempts_before: Option<String>,
    /// Payloads that were dropped.
    payloads_dropped: u64,
    /// Attempts that were dropped.
    attempts_dropped: u64,
    /// Files that were dropped.
    files_dropped: u64,
}

/// The most days that can be set: a hundred years.
pub(crate) const MAX_DAYS: u32 = 36_500;

impl RetentionSettingsJson {
    /// The settings, or which of them is wrong.
    pub(crate) fn read(&self) -> Result<Retention, &'static str> {
        for (name, days) in [
            ("payload_days", self.payloads),
            ("attempt_days", self.attempts),
            ("file_days", self.files),
        ] {
            if days.is_some_and(|days| days == 0 || days > MAX_DAYS) {
                return Err(name);
            }
        }
        Ok(Retention {
            payload_days: self.payloads,
            attempt_days: self.attempts,
            file_days: self.files,
        })
    }
}

impl RetentionJson {
    /// The JSON of a retention.
    pub(crate) fn of(retained: &Retained) -> RetentionJson {
        let settings = retained.settings;
        RetentionJson {
            payload_days: settings.payload_days,
            attempt_days: settings.attempt_days,
            file_days: settings.file_days,
            payloads_before: retained.payloads_before.map(rfc3339),
            attempts_before: retained.attempts_before.map(rfc3339),
            payloads_dropped: retained.payloads_dropped,
            attempts_dropped: retained.attempts_dropped,
            files_dropped: retained.files_dropped,
        }
    }
}
