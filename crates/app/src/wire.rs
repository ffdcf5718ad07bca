//! What programs see: attempts, contacts and imports as JSON (SPEC 8).

pub(crate) mod privacy;
pub(crate) mod review;

use std::collections::HashMap;

use rollbook_engine::attempt::{Action, ImportResult, Totals};
use rollbook_engine::change::Change;
use rollbook_engine::contact::Value;
use rollbook_engine::contact::{IdentifierKind, Text};
use rollbook_engine::issue::{Issue, Note};
use rollbook_engine::schema::{FieldId, Schema};
use rollbook_store::Timestamp;
use rollbook_store::contacts::StoredContact;
use rollbook_store::imports::Import;
use rollbook_store::log::Attempt;
use rollbook_store::sources::{Source, SourceId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::imports::summary;

/// A time as RFC 3339 in UTC with milliseconds.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    let timestamp = jiff::Timestamp::from_millisecond(time.0).unwrap_or_default();
    let civil = jiff::tz::Offset::UTC.to_datetime(timestamp);
    let Ok(year @ 0..=9_999) = u16::try_from(civil.year()) else {
        return format!("{timestamp:.3}");
    };
    // An export writes hundreds of thousands of these a second, and the general way takes as long as the rest of a line.
    let two = |number: i8| number.unsigned_abs().into();
    let millis = civil.subsec_nanosecond().unsigned_abs() / 1_000_000;
    let mut text = String::with_capacity("2026-03-01T08:00:00.000Z".len());
    for (number, digits, end) in [
        (u32::from(year), 4, '-'),
        (two(civil.month()), 2, '-'),
        (two(civil.day()), 2, 'T'),
        (two(civil.hour()), 2, ':'),
        (two(civil.minute()), 2, ':'),
        (two(civil.second()), 2, '.'),
        (millis, 3, 'Z'),
    ] {
        for place in (0..digits).rev() {
            let digit = number / 10_u32.pow(place) % 10;
            text.push(char::from_digit(digit, 10).unwrap_or('0'));
        }
        text.push(end);
    }
    text
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

/// One record and what came of it: a row of the Contact Import Log.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct AttemptJson {
    /// UUIDv7.
    #[schema(format = "uuid", example = "019aad5e-5b60-7001-8000-000000000001")]
    pub(crate) id: String,
    /// RFC 3339, UTC.
    #[schema(format = "date-time", example = "2026-03-01T08:00:00.000Z")]
    pub(crate) received_at: String,
    /// `success`, `warning` or `failure`.
    #[schema(value_type = ResultSchema)]
    pub(crate) result: ImportResult,
    /// `created`, `updated`, `removed` or null.
    #[schema(value_type = Option<ActionSchema>)]
    pub(crate) action: Option<Action>,
    /// For updates what found the contact: `external_id`, `phone`, `email`; else null.
    #[schema(value_type = Option<IdentifierKindSchema>)]
    pub(crate) matched_on: Option<&'static str>,
    /// The name, if available.
    #[schema(example = "Anna Weber")]
    pub(crate) name: Option<String>,
    /// The primary phone number.
    #[schema(example = "+4930123456")]
    pub(crate) phone: Option<String>,
    /// The primary email address.
    #[schema(example = "anna.weber@example.com")]
    pub(crate) email: Option<String>,
    /// The External ID.
    #[schema(example = "G-1001")]
    pub(crate) external_id: Option<String>,
    /// The name of the source.
    #[schema(example = "front-desk")]
    pub(crate) source: String,
    /// The import, if it belongs to one.
    #[schema(format = "uuid")]
    pub(crate) import_id: Option<String>,
    /// The row in the import, from 1.
    pub(crate) row: Option<u64>,
    /// The contact that was created, updated or removed, or that an undo left as it is.
    #[schema(example = "1")]
    pub(crate) contact_id: Option<String>,
    /// Why something could not be used.
    #[schema(value_type = Vec<IssueSchema>)]
    pub(crate) issues: Vec<Issue>,
    /// What else is worth knowing.
    #[schema(value_type = Vec<NoteSchema>)]
    pub(crate) notes: Vec<Note>,
    /// What changed.
    #[schema(value_type = Vec<ChangeSchema>)]
    pub(crate) changes: Vec<Change>,
    /// The attempt that this one repeats or takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uuid")]
    pub(crate) replay_of: Option<String>,
}

impl AttemptJson {
    /// The JSON of an attempt.
    pub(crate) fn of(attempt: Attempt, sources: &SourceNames) -> AttemptJson {
        let source = sources.name(attempt.source);
        AttemptJson::from_source(attempt, source)
    }

    /// The JSON of an attempt of the source with this name.
    pub(crate) fn from_source(attempt: Attempt, source: String) -> AttemptJson {
        AttemptJson {
            id: attempt.id.to_string(),
            received_at: rfc3339(attempt.received_at),
            result: attempt.result,
            action: attempt.action,
            matched_on: attempt.matched_on.map(IdentifierKind::key),
            name: attempt.shown.name.map(String::from),
            phone: attempt.shown.phone.map(String::from),
            email: attempt.shown.email.map(String::from),
            external_id: attempt.shown.external_id.map(String::from),
            source,
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

/// A contact in JSON.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Contact)]
pub(crate) struct ContactJson {
    /// Its number in the workspace.
    #[schema(example = "1")]
    pub(crate) id: String,
    /// The name as shown: the whole name, else first and last name.
    #[schema(example = "Anna Weber")]
    pub(crate) name: Option<String>,
    /// Its values by the keys of their fields, custom fields included: a text, or a list of texts for phones, emails,
    /// tags and multiple choices. Fields without a value are left out.
    #[schema(value_type = Object, example = json!({"name": "Anna Weber", "phone": ["+4930123456"]}))]
    pub(crate) fields: serde_json::Map<String, serde_json::Value>,
    /// Its External IDs by their namespaces.
    #[schema(value_type = HashMap<String, String>, example = json!({"default": "G-1001"}))]
    pub(crate) external_ids: serde_json::Map<String, serde_json::Value>,
    /// What finds this contact, in the order in which identifiers are tried.
    pub(crate) identifiers: Vec<IdentifierJson>,
    /// When it was created: RFC 3339, UTC.
    #[schema(format = "date-time")]
    pub(crate) created_at: String,
    /// When it last changed: RFC 3339, UTC.
    #[schema(format = "date-time")]
    pub(crate) updated_at: String,
}

/// A value that finds a contact.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Identifier)]
pub(crate) struct IdentifierJson {
    /// What kind of identifier it is.
    #[schema(value_type = IdentifierKindSchema)]
    pub(crate) kind: &'static str,
    /// The namespace of an External ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "default")]
    pub(crate) namespace: Option<String>,
    /// The value as it is stored.
    #[schema(example = "G-1001")]
    pub(crate) value: String,
}

impl ContactJson {
    /// The JSON of a contact.
    pub(crate) fn of(stored: &StoredContact, schema: &Schema) -> ContactJson {
        let contact = &stored.contact;
        let external = contact.external_ids.iter();
        let mut identifiers: Vec<IdentifierJson> = external
            .clone()
            .map(|(namespace, id)| IdentifierJson {
                kind: IdentifierKind::ExternalId.key(),
                namespace: Some(namespace.to_string()),
                value: id.to_string(),
            })
            .collect();
        for (kind, field) in [
            (IdentifierKind::Phone, FieldId::PHONE),
            (IdentifierKind::Email, FieldId::EMAIL),
        ] {
            let texts = contact.value(field).map_or(&[][..], Value::texts);
            identifiers.extend(texts.iter().map(|text| IdentifierJson {
                kind: kind.key(),
                namespace: None,
                value: text.to_string(),
            }));
        }
        let field = |(id, value): &(FieldId, Value)| {
            let value = match value {
                Value::One(text) => text.as_str().into(),
                Value::Many(texts) => texts.iter().map(Text::as_str).collect(),
            };
            (schema.key_of(*id).into_string(), value)
        };
        ContactJson {
            id: contact.id.to_string(),
            name: contact.name().map(String::from),
            fields: contact.values.iter().map(field).collect(),
            external_ids: external
                .map(|(namespace, id)| (namespace.to_string(), id.as_str().into()))
                .collect(),
            identifiers,
            created_at: rfc3339(stored.created_at),
            updated_at: rfc3339(stored.updated_at),
        }
    }
}

/// An import in JSON.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Import)]
pub(crate) struct ImportJson {
    /// UUIDv7.
    #[schema(format = "uuid", example = "019aad5e-5b60-7001-8000-000000000001")]
    pub(crate) id: String,
    /// What it reads.
    #[schema(value_type = ImportKindSchema)]
    pub(crate) kind: &'static str,
    /// The import that it continues, replays or undoes.
    #[schema(format = "uuid")]
    pub(crate) parent: Option<String>,
    /// The undo that takes this import back, or did.
    #[schema(format = "uuid")]
    pub(crate) undone_by: Option<String>,
    /// Where it is on its way.
    #[schema(value_type = ImportStateSchema)]
    pub(crate) state: &'static str,
    /// The name of the source that it belongs to.
    #[schema(example = "manual")]
    pub(crate) source: String,
    /// The file's name as uploaded.
    #[schema(example = "guests.csv")]
    pub(crate) file_name: String,
    /// Its size in bytes.
    pub(crate) file_size: u64,
    /// Who uploaded it: a person's email, a key's name, or `command line`.
    pub(crate) created_by: String,
    /// When: RFC 3339, UTC.
    #[schema(format = "date-time")]
    pub(crate) created_at: String,
    /// When the first worker began.
    #[schema(format = "date-time")]
    pub(crate) started_at: Option<String>,
    /// When it was over.
    #[schema(format = "date-time")]
    pub(crate) finished_at: Option<String>,
    /// The seconds that it took, once it is over.
    pub(crate) duration_seconds: Option<u64>,
    /// What came of it so far, in words.
    #[schema(example = "1,200 records: 1,150 created, 39 updated, 11 failed.")]
    pub(crate) summary: String,
    /// What stopped it, if it failed.
    pub(crate) error: Option<String>,
    /// Records in the file, once counted.
    pub(crate) expected_records: Option<u64>,
    /// Counts so far: `created + updated + removed + failed = records`.
    pub(crate) totals: TotalsJson,
    /// Records without any identifier that created a contact: a re-upload would create them again.
    pub(crate) without_identifier: u64,
    /// Whether a person asked it to stop.
    pub(crate) cancel_requested: bool,
    /// Rows of which something else became than the review said, because contacts changed between the two.
    pub(crate) drifted: u64,
}

/// Counts of an import.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = Totals)]
pub(crate) struct TotalsJson {
    /// Records read.
    pub(crate) records: u64,
    /// Contacts created.
    pub(crate) created: u64,
    /// Contacts found, whether anything changed or not.
    pub(crate) updated: u64,
    /// Contacts found that stood so already; they count within `updated`.
    pub(crate) unchanged: u64,
    /// Contacts removed; only an undo removes any.
    pub(crate) removed: u64,
    /// Records of which something was left out; they count within `created` and `updated`.
    pub(crate) warnings: u64,
    /// Records of which nothing was written.
    pub(crate) failed: u64,
}

impl From<Totals> for TotalsJson {
    fn from(totals: Totals) -> TotalsJson {
        TotalsJson {
            records: totals.records,
            created: totals.created,
            updated: totals.updated,
            unchanged: totals.unchanged,
            removed: totals.removed,
            warnings: totals.warnings,
            failed: totals.failed,
        }
    }
}

impl ImportJson {
    /// The JSON of an import.
    pub(crate) fn of(import: &Import, sources: &SourceNames) -> ImportJson {
        ImportJson {
            id: import.id.to_string(),
            kind: import.kind.key(),
            parent: import.parent.map(|parent| parent.to_string()),
            undone_by: import.undone_by.map(|id| id.to_string()),
            state: import.state.key(),
            source: sources.name(import.source),
            file_name: import.file_name.clone(),
            file_size: import.file_size,
            created_by: import.created_by.clone(),
            created_at: rfc3339(import.created_at),
            started_at: import.started_at.map(rfc3339),
            finished_at: import.finished_at.map(rfc3339),
            duration_seconds: summary::seconds(import),
            summary: summary::summary(import),
            error: import.error.clone(),
            expected_records: import.expected_records,
            totals: import.totals.into(),
            without_identifier: import.without_identifier,
            cancel_requested: import.cancel_requested,
            drifted: import.drifted,
        }
    }
}

/// Descriptions of the engine's types, which know nothing of the API.
mod described {
    #![expect(dead_code, reason = "these types only describe others")]

    use utoipa::ToSchema;

    /// `success`: everything was used; `warning`: something was left out, the rest was written; `failure`: nothing was
    /// written.
    #[derive(ToSchema)]
    #[schema(as = Result, rename_all = "snake_case")]
    pub(crate) enum ResultSchema {
        Success,
        Warning,
        Failure,
    }

    /// What was done to a contact; only an undo removes one. A failure performs nothing.
    #[derive(ToSchema)]
    #[schema(as = Action, rename_all = "snake_case")]
    pub(crate) enum ActionSchema {
        Created,
        Updated,
        Removed,
    }

    /// The kinds of identifier, in the order in which they are tried.
    #[derive(ToSchema)]
    #[schema(as = IdentifierKind, rename_all = "snake_case")]
    pub(crate) enum IdentifierKindSchema {
        ExternalId,
        Phone,
        Email,
    }

    /// Where an import is on its way: `uploaded` waits for a mapping, `queued` for a worker; `done`, `failed` and
    /// `cancelled` are ends.
    #[derive(ToSchema)]
    #[schema(as = ImportState, rename_all = "snake_case")]
    pub(crate) enum ImportStateSchema {
        Uploaded,
        Queued,
        Running,
        Done,
        Failed,
        Cancelled,
    }

    /// What an import reads: an uploaded `file`, attempts of the log once more (`replay`), or the attempts of another
    /// import to take them back (`undo`).
    #[derive(ToSchema)]
    #[schema(as = ImportKind, rename_all = "snake_case")]
    pub(crate) enum ImportKindSchema {
        File,
        Replay,
        Undo,
    }

    /// The rules of a source. `manual`: a failed value fails its record; `automatic`: a failed value is left out and
    /// the rest is written, with a warning.
    #[derive(ToSchema)]
    #[schema(as = Mode, rename_all = "snake_case")]
    pub(crate) enum ModeSchema {
        Manual,
        Automatic,
    }

    /// A value before or after a change: one text, or a list of them.
    #[derive(ToSchema)]
    #[schema(as = Value)]
    #[serde(untagged)]
    pub(crate) enum ValueSchema {
        One(String),
        Many(Vec<String>),
    }

    /// Why a value or the record could not be used as it stood.
    #[derive(ToSchema)]
    #[schema(as = Issue)]
    pub(crate) struct IssueSchema {
        /// The key of the field; null when it is about the whole record.
        #[schema(example = "phone", required = true)]
        field: Option<String>,
        /// The stable code.
        #[schema(example = "phone.invalid")]
        code: String,
        /// What was wrong, with the value, and what to do.
        #[schema(
            example = "“12” is not a valid phone number. Check the digits and the country code."
        )]
        message: String,
        /// The value as it was delivered.
        #[schema(example = "12", required = true)]
        value: Option<String>,
    }

    /// Something worth knowing that does not change the result.
    #[derive(ToSchema)]
    #[schema(as = Note)]
    pub(crate) struct NoteSchema {
        /// The key of the field; null when it is about the whole record.
        #[schema(required = true)]
        field: Option<String>,
        /// The stable code.
        #[schema(example = "record.no_changes")]
        code: String,
        /// The sentence for people.
        #[schema(example = "The contact already stood like this: nothing was changed.")]
        message: String,
    }

    /// A field before and after.
    #[derive(ToSchema)]
    #[schema(as = Change)]
    pub(crate) struct ChangeSchema {
        /// The key of the field.
        #[schema(example = "city")]
        field: String,
        /// The value before; null if there was none.
        #[schema(required = true)]
        before: Option<ValueSchema>,
        /// The value after; null if it was cleared.
        #[schema(required = true)]
        after: Option<ValueSchema>,
    }

    /// Which column of a file, or path of a JSON record, goes to which field.
    #[derive(ToSchema)]
    #[schema(as = Mapping)]
    pub(crate) struct MappingSchema {
        /// One entry a column, in the order of the header; columns that are not mentioned are not mapped.
        columns: Vec<ColumnMappingSchema>,
    }

    /// Where one column goes.
    #[derive(ToSchema)]
    #[schema(as = ColumnMapping)]
    pub(crate) struct ColumnMappingSchema {
        /// The column's name in the header, or the path of a JSON value, for example `address.city`.
        #[schema(example = "Telefon")]
        column: String,
        /// The key of the field; null leaves the column out.
        #[schema(example = "phone")]
        field: Option<String>,
        /// What happens to what the field holds already.
        #[schema(default = "replace")]
        write: Option<WriteModeSchema>,
        /// What a blank cell says.
        #[schema(default = "ignore")]
        blank: Option<BlankRuleSchema>,
        /// The order of day, month and year: `dmy`, `mdy` or `ymd`; without one it is found out from the column.
        date_order: Option<String>,
    }

    /// What happens to what a field holds already: it is replaced; the values of a list are joined; or it stays, and the
    /// record's value is written only where there is none.
    #[derive(ToSchema)]
    #[schema(as = WriteMode, rename_all = "snake_case")]
    pub(crate) enum WriteModeSchema {
        Replace,
        Add,
        OnlyIfEmpty,
    }

    /// What a blank cell says: nothing, or that the field is cleared. It never helps to find a contact.
    #[derive(ToSchema)]
    #[schema(as = BlankRule, rename_all = "snake_case")]
    pub(crate) enum BlankRuleSchema {
        Ignore,
        Clear,
    }
}

pub(crate) use described::{
    ActionSchema, BlankRuleSchema, ChangeSchema, IdentifierKindSchema, ImportKindSchema,
    ImportStateSchema, IssueSchema, MappingSchema, ModeSchema, NoteSchema, ResultSchema,
    WriteModeSchema,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_library_writes_them() {
        let day = 86_400_000;
        for millis in [
            0,
            1,
            -1,
            999,
            day - 1,
            59 * day,
            -719_528 * day,
            -719_528 * day - 1,
            -62_135_596_800_000,
            1_763_806_602_108,
            1_709_164_799_999,
            253_402_207_199_999,
        ] {
            let expected = jiff::Timestamp::from_millisecond(millis).unwrap();
            assert_eq!(rfc3339(Timestamp(millis)), format!("{expected:.3}"));
        }
    }
}
