//! What else there is to know of an import: what it goes back to and what followed it, its file, and how that was read
//! and mapped.

use rollbook_engine::field::date::DateOrder;
use rollbook_engine::mapping::{BlankRule, ColumnMapping, WriteMode};
use rollbook_engine::schema::{FieldKind, Schema};
use rollbook_sources::file::Reading;
use rollbook_store::StoreError;
use rollbook_store::imports::{Import, ImportKind, ImportState};

use crate::app::App;
use crate::http::pages::error::PageError;
use crate::http::pages::imports::StateTag;
use crate::http::pages::show::{count, counted, field_label, sentence};
use crate::http::session::Person;
use crate::imports::options::ImportOptions;
use crate::imports::summary;

/// How many columns are listed; nobody reads more.
const COLUMNS_SHOWN: usize = 200;

/// What is told beside the counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct About {
    /// `File`, `Replay` or `Undo`.
    pub(crate) kind: &'static str,
    /// What people call the source.
    pub(crate) source: String,
    pub(crate) lineage: Vec<Lineage>,
    /// Where the file can be downloaded; none if there was none, or if this person may not.
    pub(crate) file: Option<String>,
    /// Whether there was a file that is not kept any more.
    pub(crate) file_gone: bool,
    /// How the file was read: a name and a value each.
    pub(crate) reading: Vec<(&'static str, String)>,
    pub(crate) columns: Vec<MappedColumn>,
    /// Columns past the shown ones, in words; blank if there are none.
    pub(crate) hidden_columns: String,
}

/// An import that this one goes back to, or that goes back to this one.
#[derive(Debug, Clone)]
pub(crate) struct Lineage {
    /// `Continues`.
    pub(crate) before: &'static str,
    pub(crate) id: String,
    pub(crate) name: String,
    /// `: 11 failed rows`.
    pub(crate) after: String,
}

/// A column and where it went.
#[derive(Debug, Clone)]
pub(crate) struct MappedColumn {
    pub(crate) name: String,
    /// The label of its field; none if it was left out.
    pub(crate) field: Option<String>,
    /// What else was said about it.
    pub(crate) rules: Vec<String>,
}

impl About {
    /// What is known of an import.
    pub(crate) async fn of(
        app: &App,
        person: &Person,
        import: &Import,
    ) -> Result<About, PageError> {
        let sources = app.store.sources(import.workspace).await?;
        let source = sources.iter().find(|source| source.id == import.source);
        let schema = app.schema(import.workspace).await?;
        let has_file = import.kind == ImportKind::File;
        let kept = has_file && app.blobs.is_kept(&import.file_hash).await?;
        let mut about = About {
            kind: summary::kind(import),
            source: source.map_or_else(String::new, |source| source.settings.label.clone()),
            lineage: lineage(app, import).await?,
            file: (kept && person.may_import()).then(|| format!("/imports/{}/file", import.id)),
            file_gone: has_file && !kept,
            ..About::default()
        };
        if let Some(options) = ImportOptions::of(import) {
            about.read_options(&options, &schema);
        }
        Ok(about)
    }

    fn read_options(&mut self, options: &ImportOptions, schema: &Schema) {
        self.reading = reading(options);
        let entries = options.mapping.entries_for(&options.header);
        let columns = options.header.iter().zip(entries);
        self.columns = columns
            .take(COLUMNS_SHOWN)
            .enumerate()
            .map(|(index, (name, entry))| mapped(index, name, entry, schema))
            .collect();
        let hidden = options.header.len().saturating_sub(COLUMNS_SHOWN);
        if hidden > 0 {
            let hidden = u64::try_from(hidden).unwrap_or(0);
            self.hidden_columns = counted(hidden, "column", "columns");
        }
    }
}

/// What an import goes back to, then what followed it, oldest first.
pub(crate) async fn lineage(app: &App, import: &Import) -> Result<Vec<Lineage>, StoreError> {
    let mut lineage = Vec::new();
    if let Some(parent) = import.parent
        && let Some(parent) = app.store.import(import.workspace, parent).await?
    {
        lineage.push(back(import, &parent));
    }
    let children = app
        .store
        .imports_of_parent(import.workspace, import.id)
        .await?;
    // What was discarded before it ran says nothing of this import.
    let ran = |child: &&Import| child.totals.records > 0 || child.state != ImportState::Cancelled;
    let children = children.iter().rev().filter(ran);
    lineage.extend(children.map(|child| forth(import, child)));
    Ok(lineage)
}

/// `Continues guests.csv: 11 failed rows`.
pub(crate) fn back(import: &Import, parent: &Import) -> Lineage {
    let failed = counted(parent.totals.failed, "failed row", "failed rows");
    let (before, after) = match import.kind {
        ImportKind::File => ("Continues", format!(": {failed}")),
        ImportKind::Replay => ("Replays", String::new()),
        ImportKind::Undo => ("Takes back", String::new()),
    };
    Lineage {
        before,
        id: parent.id.to_string(),
        name: parent.file_name.clone(),
        after,
    }
}

/// `Continued by failed.csv (9 of 11 now in)`.
fn forth(import: &Import, child: &Import) -> Lineage {
    let state = || StateTag::of(child).label.to_lowercase();
    let (before, after) = match child.kind {
        ImportKind::File if child.totals.records > 0 => {
            let written = child.totals.created + child.totals.updated;
            let (written, failed) = (count(written), count(import.totals.failed));
            ("Continued by", format!("({written} of {failed} now in)"))
        }
        ImportKind::File => ("Continued by", format!("({})", state())),
        ImportKind::Replay => ("Replayed by", format!("({})", state())),
        ImportKind::Undo => ("Taken back by", format!("({})", state())),
    };
    Lineage {
        before,
        id: child.id.to_string(),
        name: child.file_name.clone(),
        after: format!(" {after}"),
    }
}

fn reading(options: &ImportOptions) -> Vec<(&'static str, String)> {
    let header = |row: u64| match row {
        0 => "none".to_owned(),
        row => format!("row {}", count(row)),
    };
    let mut facts = vec![("Format", options.reading.label().to_owned())];
    match &options.reading {
        Reading::Csv(dialect) => {
            let delimiter = match dialect.delimiter {
                ',' => "comma".to_owned(),
                ';' => "semicolon".to_owned(),
                '\t' => "tab".to_owned(),
                '|' => "bar".to_owned(),
                other => format!("“{other}”"),
            };
            facts.push(("Encoding", dialect.encoding.clone()));
            facts.push(("Delimiter", delimiter));
            facts.push(("Header", header(dialect.header_row)));
        }
        Reading::Workbook(table) => {
            facts.push(("Sheet", table.sheet.clone()));
            facts.push(("Header", header(table.header_row)));
        }
        Reading::Vcard { encoding } => facts.push(("Encoding", encoding.clone())),
        Reading::Json { .. } => {}
    }
    if let Some(region) = &options.region {
        facts.push(("Phone region", region.clone()));
    }
    if !options.tags.is_empty() {
        facts.push(("Tags", options.tags.join(", ")));
    }
    facts
}

fn mapped(
    index: usize,
    name: &str,
    entry: Option<&ColumnMapping>,
    schema: &Schema,
) -> MappedColumn {
    let field = entry.and_then(|entry| entry.field.as_deref());
    let mut rules = Vec::new();
    if let (Some(entry), Some(key)) = (entry, field) {
        let kind = schema.by_key(key).map(|field| &field.kind);
        let is_list = kind.is_some_and(FieldKind::is_list);
        match entry.write {
            WriteMode::Replace if is_list => rules.push("replaces what was there".to_owned()),
            WriteMode::Add if is_list => rules.push("added to what was there".to_owned()),
            WriteMode::OnlyIfEmpty => rules.push("only where there was none".to_owned()),
            WriteMode::Replace | WriteMode::Add => {}
        }
        if entry.blank == BlankRule::Clear {
            rules.push("blank cells cleared it".to_owned());
        }
        if let Some(order) = entry.date_order {
            rules.push(format!("dates as {}", order_words(order)));
        }
    }
    MappedColumn {
        name: match name.trim() {
            "" => format!("Column {} (no name)", index + 1),
            _ => name.to_owned(),
        },
        field: field.map(|key| field_label(schema, key)),
        rules: rules.iter().map(|rule| sentence(rule)).collect(),
    }
}

fn order_words(order: DateOrder) -> &'static str {
    match order {
        DateOrder::Dmy => "day, month, year",
        DateOrder::Mdy => "month, day, year",
        DateOrder::Ymd => "year, month, day",
    }
}
