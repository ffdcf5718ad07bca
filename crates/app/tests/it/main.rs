//! The built program, started on an empty database and driven over HTTP: one file a behaviour.

mod acceptance;
mod access;
mod batches;
mod contacts;
mod fields;
mod idempotency;
mod imports;
mod json_bodies;
mod log;
mod records;
mod service;
mod sources;
mod support;
