//! The command line as people and scripts use it: the built binary, its output and its exit codes.

mod contacts;
mod demo;
mod failed_rows;
mod import;
mod log;
mod normalize;
mod people_and_keys;
mod read;
mod serve;
mod settings;
mod support;
