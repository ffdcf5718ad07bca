//! What came of an import, in words: the same on pages, in the API and on the command line.

use rollbook_store::imports::{Import, ImportKind, ImportState};

use crate::http::pages::show::{count, counted};

/// `31 created, 2 updated, 11 failed`; of an undo `31 removed, 2 restored, 1 kept`.
pub(crate) fn counts(import: &Import) -> String {
    let totals = &import.totals;
    if import.kind == ImportKind::Undo {
        return format!(
            "{} removed, {} restored, {} kept",
            count(totals.removed),
            count(totals.updated),
            count(totals.failed)
        );
    }
    format!(
        "{} created, {} updated, {} failed",
        count(totals.created),
        count(totals.updated),
        count(totals.failed)
    )
}

/// One or two sentences: `Stopped after 12,000 of 100,000 records: 11,950 created, 20 updated, 30 failed. What was
/// written stays.`
pub(crate) fn summary(import: &Import) -> String {
    let counts = counts(import);
    let far = match import.expected_records {
        Some(expected) => format!(
            "{} of {}",
            count(import.totals.records),
            counted(expected, "record", "records")
        ),
        None => counted(import.totals.records, "record", "records"),
    };
    let stopped = |begin: &str| match import.totals.records {
        0 => format!("{begin} before the first record; nothing was written."),
        _ => format!("{begin} after {far}: {counts}. What was written stays."),
    };
    match import.state {
        ImportState::Uploaded => "Waits until its columns are mapped.".to_owned(),
        ImportState::Queued => "Waits to run.".to_owned(),
        ImportState::Running if import.cancel_requested => format!("Stopping at {far}: {counts}."),
        ImportState::Running => format!("Running, {far} so far: {counts}."),
        ImportState::Done => {
            let records = counted(import.totals.records, "record", "records");
            format!("{records}: {counts}.")
        }
        ImportState::Cancelled => stopped("Stopped"),
        ImportState::Failed => stopped("Stopped by an error"),
    }
}

/// What an import reads, in a word.
pub(crate) fn kind(import: &Import) -> &'static str {
    match import.kind {
        ImportKind::File => "File",
        ImportKind::Replay => "Replay",
        ImportKind::Undo => "Undo",
    }
}

/// The seconds that it took, once it is over; at least one.
pub(crate) fn seconds(import: &Import) -> Option<u64> {
    let (begin, end) = import.started_at.zip(import.finished_at)?;
    Some(
        u64::try_from((end.0 - begin.0 + 500) / 1000)
            .unwrap_or(0)
            .max(1),
    )
}

#[cfg(test)]
mod tests {
    use rollbook_engine::attempt::Totals;
    use rollbook_store::imports::ImportId;
    use rollbook_store::sources::SourceId;
    use rollbook_store::{Timestamp, WorkspaceId};

    use super::*;

    fn import(state: ImportState, records: u64) -> Import {
        Import {
            id: ImportId(uuid::Uuid::nil()),
            workspace: WorkspaceId(1),
            kind: ImportKind::File,
            parent: None,
            source: SourceId(1),
            file_name: "guests.csv".to_owned(),
            file_size: 1,
            file_hash: [0; 32],
            created_by: "ada".to_owned(),
            created_at: Timestamp(0),
            started_at: Some(Timestamp(0)),
            finished_at: Some(Timestamp(100)),
            state,
            error: None,
            options: None,
            expected_records: Some(100_000),
            cursor: records,
            totals: Totals {
                records,
                created: records.saturating_sub(50),
                updated: records.min(20),
                failed: records.min(30),
                ..Totals::default()
            },
            without_identifier: 0,
            cancel_requested: false,
            edits: 0,
            drifted: 0,
            undone_by: None,
        }
    }

    #[test]
    fn a_stopped_import_says_what_was_written() {
        assert_eq!(
            summary(&import(ImportState::Cancelled, 12_000)),
            "Stopped after 12,000 of 100,000 records: 11,950 created, 20 updated, 30 failed. What was written stays."
        );
        assert_eq!(
            summary(&import(ImportState::Failed, 0)),
            "Stopped by an error before the first record; nothing was written."
        );
        assert_eq!(seconds(&import(ImportState::Done, 0)), Some(1));
    }

    #[test]
    fn an_undo_says_what_it_took_back() {
        let undo = Import {
            kind: ImportKind::Undo,
            totals: Totals {
                records: 3,
                removed: 2,
                failed: 1,
                ..Totals::default()
            },
            ..import(ImportState::Done, 3)
        };
        assert_eq!(summary(&undo), "3 records: 2 removed, 0 restored, 1 kept.");
    }
}
