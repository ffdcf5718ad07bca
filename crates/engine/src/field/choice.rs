//! Choices.

/// One option of a choice field.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ChoiceOption {
    /// What is stored.
    pub code: String,
    /// What people read.
    pub label: String,
}
