//! The failed rows of an import as CSV: the columns of its file with `_row` and `_reason`, ready to be corrected and
//! uploaded again as they are.

use std::sync::Arc;

use rollbook_engine::attempt::ImportResult;
use rollbook_engine::issue::{Issue, Note};
use rollbook_store::StoreError;
use rollbook_store::commit::Payload;
use rollbook_store::imports::Import;
use rollbook_store::log::{Attempt, LogFilter, Paging};

use crate::app::App;
use crate::imports::edits::{Edits, RowEdit};
use crate::imports::options::ImportOptions;
use crate::spreadsheet;

/// Rows that are read from the log at a time.
const PAGE: u32 = 1_000;

/// The failed rows of one import, some at a time, in the order of the file.
#[derive(Debug)]
pub(crate) struct FailedRows {
    import: Import,
    options: ImportOptions,
    /// The number of the attempt that was last written; 0 before the first.
    after: u64,
    begun: bool,
    /// What people changed in the review: it is theirs, and stays when they correct the rest.
    edits: Arc<Edits>,
}

impl FailedRows {
    /// Before the first row; none if the import never learned how its file is read, so that there are no rows.
    pub(crate) fn of(import: Import) -> Option<FailedRows> {
        let options = ImportOptions::of(&import)?;
        Some(FailedRows::read_with(import, options))
    }

    /// Before the first row of a file that is read like this.
    pub(crate) fn read_with(import: Import, options: ImportOptions) -> FailedRows {
        FailedRows {
            import,
            options,
            after: 0,
            begun: false,
            edits: Arc::default(),
        }
    }

    /// The next piece of CSV, the header first; none at the end.
    pub(crate) async fn next(&mut self, app: &App) -> Result<Option<String>, StoreError> {
        if !self.begun {
            self.begun = true;
            self.edits = Edits::of(app, &self.import).await?;
            return Ok(Some(header(&self.options)));
        }
        let filter = LogFilter {
            import: Some(self.import.id),
            result: Some(ImportResult::Failure),
            ..LogFilter::default()
        };
        let page = app
            .store
            .page_with_payloads(
                self.import.workspace,
                filter,
                Paging::After(self.after),
                PAGE,
            )
            .await?;
        let Some((last, _)) = page.last() else {
            return Ok(None);
        };
        self.after = last.id.number();
        let rows = page
            .iter()
            .filter_map(|(attempt, payload)| line(&self.options, attempt, payload, &self.edits));
        Ok(Some(rows.collect()))
    }
}

/// The line of a failed row; none if somebody left it out on purpose, or what it said is not kept any more, so that
/// there is nothing to correct.
pub(crate) fn line(
    options: &ImportOptions,
    attempt: &Attempt,
    payload: &Payload,
    edits: &Edits,
) -> Option<String> {
    let dropped = |issue: &Issue| issue.code == Issue::DROPPED;
    let gone = |note: &Note| matches!(note.code.as_ref(), Note::ERASED | Note::PAYLOAD_DROPPED);
    if attempt.issues.iter().any(dropped) || attempt.notes.iter().any(gone) {
        return None;
    }
    let edit = attempt.row.and_then(|row| edits.row(row));
    Some(row(
        options,
        attempt.row,
        &payload.bytes,
        edit,
        &attempt.issues,
    ))
}

/// What the file of failed rows of a file is called.
pub(crate) fn file_name(of: &str) -> String {
    let stem = of.rsplit_once('.').map_or(of, |(stem, _)| stem);
    let stem: String = stem
        .chars()
        .map(|character| match character {
            '-' | '_' | '.' | ' ' => character,
            letter if letter.is_alphanumeric() => letter,
            _ => '_',
        })
        .collect();
    format!("{stem}-failed-rows.csv")
}

/// The first line.
pub(crate) fn header(options: &ImportOptions) -> String {
    let names = kept(options).map(|column| options.header[column].as_str());
    spreadsheet::line(names.chain(OURS))
}

/// The line of one failed row. Cells past the last column stand at the end, so that nothing is lost.
pub(crate) fn row(
    options: &ImportOptions,
    number: Option<u64>,
    payload: &[u8],
    edit: Option<&RowEdit>,
    issues: &[Issue],
) -> String {
    let payload = String::from_utf8_lossy(payload);
    let mut raw = options.reading.cells(&payload, &options.header);
    for (column, text) in edit.iter().flat_map(|edit| &edit.cells) {
        if raw.len() <= *column {
            raw.resize(column + 1, String::new());
        }
        raw[*column].clone_from(text);
    }
    let number = number.map(|number| number.to_string()).unwrap_or_default();
    let reasons: Vec<&str> = issues.iter().map(|issue| issue.message.as_str()).collect();
    let reasons = reasons.join(" ");
    let cells = kept(options).map(|column| raw.get(column).map_or("", String::as_str));
    let surplus = raw.iter().skip(options.header.len()).map(String::as_str);
    spreadsheet::line(
        cells
            .chain([number.as_str(), reasons.as_str()])
            .chain(surplus.filter(|cell| !cell.is_empty())),
    )
}

/// The columns that we add.
pub(crate) const OURS: [&str; 2] = ["_row", "_reason"];

/// The columns of the file, without those that an earlier file of failed rows brought along.
fn kept(options: &ImportOptions) -> impl Iterator<Item = usize> + '_ {
    let names = options.header.iter().enumerate();
    names
        .filter(|(_, name)| !is_ours(name))
        .map(|(column, _)| column)
}

/// Whether a column is one that we add.
pub(crate) fn is_ours(name: &str) -> bool {
    OURS.contains(&name)
}

#[cfg(test)]
mod tests {
    use rollbook_engine::issue::Problem;
    use rollbook_engine::mapping::Mapping;
    use rollbook_sources::csv::Dialect;
    use rollbook_sources::file::Reading;
    use rollbook_sources::workbook::{Table, WorkbookKind};

    use super::*;
    use crate::imports::said::Said;

    fn options() -> ImportOptions {
        ImportOptions {
            reading: Reading::Csv(Dialect {
                encoding: "UTF-8".to_owned(),
                delimiter: ';',
                quote: Some('"'),
                escape: None,
                bare_cr: false,
                padded: false,
                columns: 2,
                header_row: 1,
            }),
            header: vec!["Name".to_owned(), "Phone".to_owned()],
            mapping: Mapping::default(),
            region: None,
            tags: Vec::new(),
            said: Said::default(),
        }
    }

    #[test]
    fn a_failed_row_keeps_its_cells_and_says_why() {
        let issue = Issue::of_value("phone", &Problem::PhoneInvalid { region: None }, "+1");
        let line = row(
            &options(),
            Some(7),
            "\"Weber; Anna\";+1".as_bytes(),
            None,
            &[issue],
        );
        assert_eq!(
            line,
            "\"Weber; Anna\",'+1,7,“+1” is not a valid phone number. Check the digits and the country code.\r\n"
        );
        let edit = RowEdit {
            cells: [(1, "+2".to_owned())].into(),
            ..RowEdit::default()
        };
        let line = row(&options(), Some(7), b"Anna", Some(&edit), &[]);
        assert_eq!(line, "Anna,'+2,7,\r\n");
    }

    #[test]
    fn short_and_long_rows_keep_their_columns() {
        assert_eq!(row(&options(), Some(1), b"Anna", None, &[]), "Anna,,1,\r\n");
        assert_eq!(
            row(&options(), Some(2), b"a;b;c", None, &[]),
            "a,b,2,,c\r\n"
        );
        assert_eq!(header(&options()), "Name,Phone,_row,_reason\r\n");
    }

    #[test]
    fn rows_of_every_format_become_rows_of_csv() {
        let table = Table {
            kind: WorkbookKind::Xlsx,
            sheet: "Guests".to_owned(),
            header_row: 1,
            columns: 2,
        };
        let vcard = Reading::Vcard {
            encoding: "UTF-8".to_owned(),
        };
        let json = r#"{"layout":"array"}"#;
        let json = Reading::Json {
            layout: serde_json::from_str::<serde_json::Value>(json)
                .and_then(|value| serde_json::from_value(value["layout"].clone()))
                .unwrap(),
        };
        let card = "BEGIN:VCARD\r\nFN:x\r\nTEL:1\r\nTEL:2\r\nEND:VCARD";
        for (reading, payload, expected) in [
            (
                Reading::Workbook(table),
                r#"{"Name":"Anna","Phone":"01","Column 5":"x"}"#,
                "Anna,01,3,,x\r\n",
            ),
            (vcard, card, "x,\"1; 2\",3,\r\n"),
            (
                json,
                r#"{"Phone":["1","2"],"Name":"A"}"#,
                "A,\"1; 2\",3,\r\n",
            ),
        ] {
            let options = ImportOptions {
                reading,
                ..options()
            };
            assert_eq!(
                row(&options, Some(3), payload.as_bytes(), None, &[]),
                expected
            );
        }
    }

    #[test]
    fn rows_that_fail_again_are_numbered_anew() {
        let mut options = options();
        options.header.extend(OURS.map(str::to_owned));
        assert_eq!(header(&options), "Name,Phone,_row,_reason\r\n");
        let line = row(&options, Some(1), b"Anna;12;7;too short", None, &[]);
        assert_eq!(line, "Anna,12,1,\r\n");
    }
}
