//! What was delivered, untouched: a header and records with cells.

/// The names of a file's columns, or the paths of a JSON record's values, in order. Names may repeat or be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// One name a column.
    pub names: Vec<String>,
}

/// One contact as it arrived: a cell for each column of its header.
///
/// All text is kept in one buffer, because a record is made for every row of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    text: String,
    cells: Vec<(CellKind, usize)>,
}

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CellKind {
    Absent,
    Null,
    Text,
    List,
}

/// A cell as the engine reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell<'a> {
    /// The record says nothing here: a short row, a missing key.
    Absent,
    /// An explicit JSON `null`: clear the field.
    Null,
    /// Text, possibly blank.
    Text(&'a str),
    /// Several texts: a JSON array.
    List(Vec<&'a str>),
}

/// Separates the items of a list in the buffer; a control character, so no usable value contains it.
const ITEM: char = '\u{1f}';

impl Record {
    /// An empty record; push its cells in column order.
    pub fn new() -> Record {
        Record::default()
    }

    /// An empty record with room for so many cells and bytes of text.
    pub fn with_capacity(cells: usize, bytes: usize) -> Record {
        Record {
            text: String::with_capacity(bytes),
            cells: Vec::with_capacity(cells),
        }
    }

    /// Removes all cells and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.cells.clear();
    }

    /// Adds a text cell.
    pub fn push_text(&mut self, text: &str) {
        self.text.push_str(text);
        self.cells.push((CellKind::Text, self.text.len()));
    }

    /// Adds a cell the record says nothing about.
    pub fn push_absent(&mut self) {
        self.cells.push((CellKind::Absent, self.text.len()));
    }

    /// Adds an explicit null.
    pub fn push_null(&mut self) {
        self.cells.push((CellKind::Null, self.text.len()));
    }

    /// Adds a list of texts.
    pub fn push_list<'a>(&mut self, items: impl IntoIterator<Item = &'a str>) {
        for (position, item) in items.into_iter().enumerate() {
            if position > 0 {
                self.text.push(ITEM);
            }
            if item.contains(ITEM) {
                // As much a control character, so it is refused as the one that was sent would be.
                self.text.push_str(&item.replace(ITEM, "\u{1e}"));
            } else {
                self.text.push_str(item);
            }
        }
        self.cells.push((CellKind::List, self.text.len()));
    }

    /// For how many cells there is room.
    pub fn capacity(&self) -> usize {
        self.cells.capacity()
    }

    /// How many cells the record has.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether the record has no cells at all.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The cell of a column; [`Cell::Absent`] past the end of a short record.
    pub fn cell(&self, column: usize) -> Cell<'_> {
        let Some(&(kind, end)) = self.cells.get(column) else {
            return Cell::Absent;
        };
        let start = if column == 0 {
            0
        } else {
            self.cells[column - 1].1
        };
        let text = &self.text[start..end];
        match kind {
            CellKind::Absent => Cell::Absent,
            CellKind::Null => Cell::Null,
            CellKind::Text => Cell::Text(text),
            CellKind::List if text.is_empty() => Cell::List(Vec::new()),
            CellKind::List => Cell::List(text.split(ITEM).collect()),
        }
    }
}

impl<'a> FromIterator<&'a str> for Record {
    fn from_iter<T: IntoIterator<Item = &'a str>>(cells: T) -> Record {
        let mut record = Record::new();
        for cell in cells {
            record.push_text(cell);
        }
        record
    }
}
