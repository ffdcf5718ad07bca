//! Fields: what a contact can have, and how each kind of value is read, normalised and shown.
//!
//! Every kind has a module with a `parse` that turns text into the kind's canonical text, or says what the
//! [`crate::issue::Problem`] is. Canonical texts are what is stored, compared and sent. `parse` expects text that went
//! through [`text::tidy`] and is not blank ([`blank::BlankWords`]); reading a canonical text gives it back unchanged.

pub mod blank;
pub mod boolean;
pub mod choice;
pub mod country;
pub mod date;
pub mod email;
pub mod external_id;
pub(crate) mod fold;
pub mod language;
pub mod number;
pub mod phone;
pub mod tags;
pub mod text;
pub mod time;
pub mod url;
