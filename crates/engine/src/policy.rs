//! The policy: which of the article's two sets of rules applies, and how contacts are matched.

use serde::{Deserialize, Serialize};

/// Which of the article's two sets of rules applies; a source fixes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Uploaded files: a failed value fails its row.
    Manual,
    /// Integrations: a failed value is left out and the rest is written, with a warning.
    Automatic,
}

/// The rules by which a record finds its contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matching {
    /// SPEC 4: External ID, then Phone Number, then Email; the first that finds a contact.
    Standard,
}

/// How records of a source are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Manual or automatic rules.
    pub mode: Mode,
    /// The matching rules.
    pub matching: Matching,
    /// The namespace of the source's External IDs.
    pub namespace: String,
}

impl Policy {
    /// The standard matching rules.
    pub fn standard(mode: Mode, namespace: &str) -> Policy {
        Policy {
            mode,
            matching: Matching::Standard,
            namespace: namespace.to_owned(),
        }
    }
}
