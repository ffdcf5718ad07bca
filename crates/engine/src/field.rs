//! Fields: what a contact can have, and how each kind of value is read, normalised and shown.
//!
//! Every kind has a module with a `parse` that turns text into the kind's canonical text, or says what the
//! [`crate::issue::Problem`] is. Canonical texts are what is stored, compared and sent.

pub mod date;
pub mod time;
