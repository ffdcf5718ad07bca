//! How the file is read: what can be chosen about it, and how it looks then.

use rollbook_sources::file::Reading;

use crate::http::pages::show::{count, counted};
use crate::imports::intake::Inspection;
use crate::imports::said::{Quote, Said};

/// What can be chosen about reading a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadingView {
    /// Choices of one of several.
    pub(crate) menus: Vec<Menu>,
    /// The row of the header, where there can be one.
    pub(crate) header_row: Option<HeaderRow>,
}

/// A choice of one of several.
#[derive(Debug, Clone)]
pub(crate) struct Menu {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) options: Vec<MenuOption>,
}

/// One of several.
#[derive(Debug, Clone)]
pub(crate) struct MenuOption {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) selected: bool,
}

/// The row of the header.
#[derive(Debug, Clone)]
pub(crate) struct HeaderRow {
    /// What was said; blank finds it out.
    pub(crate) said: String,
    /// Where it is.
    pub(crate) found: String,
}

impl ReadingView {
    pub(crate) fn of(inspection: &Inspection) -> ReadingView {
        let said = &inspection.options.said;
        let header_row = |found: u64| {
            Some(HeaderRow {
                said: said
                    .header_row
                    .map(|row| row.to_string())
                    .unwrap_or_default(),
                found: match found {
                    0 => "found: none".to_owned(),
                    row => format!("found: row {row}"),
                },
            })
        };
        match &inspection.options.reading {
            Reading::Csv(dialect) => ReadingView {
                menus: vec![
                    encodings(said, &dialect.encoding),
                    delimiters(said, dialect.delimiter),
                    quotes(said, dialect.quote),
                ],
                header_row: header_row(dialect.header_row),
            },
            Reading::Workbook(table) => ReadingView {
                menus: vec![sheets(said, &inspection.sheets, &table.sheet)],
                header_row: header_row(table.header_row),
            },
            Reading::Vcard { encoding } => ReadingView {
                menus: vec![encodings(said, encoding)],
                header_row: None,
            },
            Reading::Json { .. } => ReadingView::default(),
        }
    }
}

/// A menu whose first choice is to find it out.
fn menu(
    name: &'static str,
    label: &'static str,
    found: &str,
    said: Option<String>,
    known: &[(&str, &str)],
) -> Menu {
    let find_out = if said.is_some() {
        "Find out".to_owned()
    } else {
        format!("Found out: {found}")
    };
    let mut options = vec![MenuOption {
        value: String::new(),
        label: find_out,
        selected: said.is_none(),
    }];
    options.extend(known.iter().map(|(value, label)| MenuOption {
        value: (*value).to_owned(),
        label: (*label).to_owned(),
        selected: said.as_deref() == Some(value),
    }));
    if let Some(said) = said
        && !options.iter().any(|option| option.selected)
    {
        options.push(MenuOption {
            value: said.clone(),
            label: said,
            selected: true,
        });
    }
    Menu {
        name,
        label,
        options,
    }
}

fn encodings(said: &Said, found: &str) -> Menu {
    const KNOWN: [(&str, &str); 14] = [
        ("UTF-8", "UTF-8"),
        ("windows-1252", "windows-1252 (Western)"),
        ("ISO-8859-15", "ISO-8859-15 (Western)"),
        ("macintosh", "macintosh (Western)"),
        ("windows-1250", "windows-1250 (Central European)"),
        ("windows-1251", "windows-1251 (Cyrillic)"),
        ("windows-1253", "windows-1253 (Greek)"),
        ("windows-1254", "windows-1254 (Turkish)"),
        ("UTF-16LE", "UTF-16LE"),
        ("UTF-16BE", "UTF-16BE"),
        ("Shift_JIS", "Shift_JIS (Japanese)"),
        ("GBK", "GBK (Chinese)"),
        ("Big5", "Big5 (Chinese)"),
        ("EUC-KR", "EUC-KR (Korean)"),
    ];
    menu("encoding", "Encoding", found, said.encoding.clone(), &KNOWN)
}

fn delimiters(said: &Said, found: char) -> Menu {
    const KNOWN: [(&str, &str); 6] = [
        ("comma", "Comma ,"),
        ("semicolon", "Semicolon ;"),
        ("tab", "Tab"),
        ("pipe", "Bar |"),
        ("colon", "Colon :"),
        ("space", "Space"),
    ];
    let word = |delimiter: char| match delimiter {
        ',' => "comma".to_owned(),
        ';' => "semicolon".to_owned(),
        '\t' => "tab".to_owned(),
        '|' => "pipe".to_owned(),
        ':' => "colon".to_owned(),
        ' ' => "space".to_owned(),
        other => other.to_string(),
    };
    let said = said.delimiter.map(word);
    menu("delimiter", "Separator", &word(found), said, &KNOWN)
}

fn quotes(said: &Said, found: Option<char>) -> Menu {
    const KNOWN: [(&str, &str); 3] = [
        ("\"", "Double quotes \""),
        ("'", "Single quotes '"),
        ("none", "None"),
    ];
    let word = |quote: Option<char>| quote.map_or("none".to_owned(), String::from);
    let said = said.quote.map(|Quote(quote)| word(quote));
    menu("quote", "Quotes", &word(found), said, &KNOWN)
}

fn sheets(said: &Said, names: &[String], chosen: &str) -> Menu {
    // The sheet that is read by itself is not said, so that a profile fits files without one of its name.
    let is_found = said.sheet.is_none();
    Menu {
        name: "sheet",
        label: "Sheet",
        options: names
            .iter()
            .map(|name| MenuOption {
                value: if is_found && name == chosen {
                    String::new()
                } else {
                    name.clone()
                },
                label: name.clone(),
                selected: name == chosen,
            })
            .collect(),
    }
}

/// `6 columns, windows-1252, separated by semicolons, header in row 2`, or `XLSX, sheet “Guests”, header in row 3`.
pub(crate) fn read_as(inspection: &Inspection) -> String {
    let columns = u64::try_from(inspection.columns.len()).unwrap_or(0);
    let columns = counted(columns, "column", "columns");
    let header = |row: u64| match row {
        0 => "no header".to_owned(),
        row => format!("header in row {}", count(row)),
    };
    match &inspection.options.reading {
        Reading::Csv(dialect) => {
            let separator = match dialect.delimiter {
                ',' => "commas".to_owned(),
                ';' => "semicolons".to_owned(),
                '\t' => "tabs".to_owned(),
                '|' => "bars".to_owned(),
                ' ' => "spaces".to_owned(),
                other => format!("“{other}”"),
            };
            let encoding = &dialect.encoding;
            let header = header(dialect.header_row);
            format!("{columns}, {encoding}, separated by {separator}, {header}")
        }
        Reading::Workbook(table) => {
            let kind = table.kind.label();
            let header = header(table.header_row);
            format!("{columns}, {kind}, sheet “{}”, {header}", table.sheet)
        }
        reading @ (Reading::Vcard { .. } | Reading::Json { .. }) => {
            format!("{columns}, {}", reading.label())
        }
    }
}
