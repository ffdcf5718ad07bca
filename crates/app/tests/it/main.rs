//! The built program, started on an empty database and driven over HTTP: one file a behaviour.

#![expect(
    clippy::unwrap_used,
    clippy::format_collect,
    reason = "tests may panic, and say what they send plainly"
)]

mod acceptance;
mod access;
mod audit;
mod batches;
mod beside;
mod contacts;
mod crossing;
mod door;
mod fields;
mod history;
mod idempotency;
mod imports;
mod json_bodies;
mod log;
mod mail;
mod mapping;
mod masking;
mod metrics;
mod people;
mod privacy;
mod records;
mod replays;
mod review;
mod secrets;
mod service;
mod sources;
mod support;
mod undo;
mod webhooks;
