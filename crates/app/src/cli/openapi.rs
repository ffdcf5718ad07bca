//! `rollbook openapi`: the description of the HTTP API.

use std::io::{self, Write};

use clap::Args;

use super::Done;

/// Print the OpenAPI 3.1 description of the HTTP API
///
/// The same document that `rollbook serve` answers at /api/v1/openapi.json.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rollbook openapi > openapi.json
  rollbook openapi | jq '.paths | keys'")]
pub(super) struct Openapi {}

impl Openapi {
    /// Prints the document.
    pub(super) fn run() -> anyhow::Result<Done> {
        let document = crate::http::api::openapi();
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &document)?;
        writeln!(out)?;
        out.flush()?;
        Ok(Done::Fully)
    }
}
