//! The pure core of Rollbook.
//!
//! One record's way, in the order of the modules below: a [`record::Record`] as it was delivered meets a
//! [`mapping::Binding`] and becomes a [`candidate::Candidate`] (values, identifiers, issues); [`matching`] looks for
//! the contact it speaks of; [`plan`] decides what is to be done; the store commits that.
//!
//! The rule of this crate: no I/O, no clock, no randomness, no async. Bad input becomes [`issue::Issue`]s, never a
//! panic or an opaque error.

pub mod field;
pub mod issue;
pub mod record;

pub mod guess;
pub mod mapping;
pub mod schema;

pub mod candidate;
pub mod contact;
pub mod normalise;

pub mod known;
pub mod matching;
pub mod policy;

pub mod attempt;
pub mod change;
pub mod plan;
pub mod traces;
pub mod undo;
