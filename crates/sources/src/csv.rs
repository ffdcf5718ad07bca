//! CSV.
use serde::{Deserialize, Serialize};

/// How a file is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialect {
    /// The name of the encoding.
    pub encoding: String,
    /// What separates cells.
    pub delimiter: char,
    /// What cells may be put in, if anything.
    pub quote: Option<char>,
    /// What takes the meaning from a quote inside quotes, besides doubling it.
    pub escape: Option<char>,
    /// Which record is the header, counted from 1; 0 if the file has none.
    pub header_row: u64,
}
