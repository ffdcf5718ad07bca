//! `rollbook migrate`: the database as this version needs it.

use clap::Args;

use super::Done;
use super::terminal::say;
use crate::app::App;
use crate::config::Config;

/// Bring the database up to date and stop
///
/// Every command does this by itself when it opens the database; run it alone to do it at a time of your choice, for
/// example before the new version starts serving. Migrations only go forward: keep a copy of the file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rollbook migrate
  rollbook migrate --database sqlite:/var/lib/rollbook/rollbook.db")]
pub(super) struct Migrate {}

impl Migrate {
    /// Opens the database, which migrates it.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        let database = config.database.clone();
        App::open(config).await?;
        say(&format!("`{database}` is up to date"));
        Ok(Done::Fully)
    }
}
