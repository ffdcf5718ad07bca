//! Formats.
pub mod csv;
