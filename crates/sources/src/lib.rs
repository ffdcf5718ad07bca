//! Formats and vendors: turns deliveries into a header and records.
//!
//! This crate knows formats and never our database. It does not wait for anything, reads with bounded memory, and
//! no input makes it panic: what cannot be read becomes a [`Problem`](rollbook_engine::issue::Problem) of one record
//! wherever the rest can go on, and an error only where nothing can.

pub mod blank;
mod container;
pub mod csv;
pub mod event;
pub mod file;
pub mod input;
pub mod json;
pub mod signature;
pub mod vcard;
pub mod workbook;
