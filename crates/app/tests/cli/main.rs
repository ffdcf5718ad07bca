//! The command line as people and scripts use it: the built binary, its output and its exit codes.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test stops where its world is not as it should be"
)]

mod backup;
mod contacts;
mod demo;
mod doctor;
mod failed_rows;
mod formats;
mod history;
mod import;
mod log;
mod normalize;
mod observed;
mod people_and_keys;
mod read;
mod replay;
mod serve;
mod settings;
mod support;
mod undo;
