//! The `rollbook` binary: command line → command → exit code.

mod access;
mod app;
mod blobs;
mod cli;
mod clock;
mod config;
mod contact_export;
mod export;
mod http;
mod imports;
mod jobs;
mod mail;
mod masking;
mod search;
mod spreadsheet;
mod wire;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
