//! The `rollbook` binary: command line → command → exit code.

mod access;
mod app;
mod audit;
mod backup;
mod blobs;
mod cli;
mod clock;
mod config;
mod contact_export;
mod disk;
mod doctor;
mod door;
mod export;
mod http;
mod imports;
mod jobs;
mod mail;
mod masking;
mod metrics;
mod oidc;
mod outgoing;
mod passwords;
mod people;
mod privacy;
mod search;
mod secrets;
mod spreadsheet;
mod stopping;
mod totp;
mod traces;
mod webhook;
mod wire;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
