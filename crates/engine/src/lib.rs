//! The pure core of Rollbook.
//!
//! One record's way, in the order of the modules below: a [`record::Record`] as it was delivered meets a
//! [`mapping::Binding`] and becomes a [`candidate::Candidate`] (values, identifiers, issues); [`matching`] looks for
//! the contact it speaks of; [`plan`] decides what is to be done; the store commits that.
//!
//! The rule of this crate: no I/O, no clock, no randomness, no async. Bad input becomes [`issue::Issue`]s, never a
//! panic or an opaque error.

pub mod field;
pub mod guess;
pub mod issue;
pub mod record;
