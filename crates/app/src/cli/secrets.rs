//! `rollbook secrets`: how stored secrets are sealed.

use std::io::{self, Write};

use anyhow::bail;
use clap::Subcommand;

use super::Done;
use super::terminal::say;
use crate::app::App;
use crate::config::Config;
use crate::secrets::{self, SecretKey};

/// Make a key for stored secrets, see how they are sealed, and change the key
///
/// What second factors are made of, what webhooks are signed with, and the links in mails that wait, are sealed in the
/// database with `ROLLBOOK_SECRET_KEY`. To change the key: make a new one, set `ROLLBOOK_SECRET_KEY` to it and
/// `ROLLBOOK_OLD_SECRET_KEYS` to the one before, and start `serve` again or run `rollbook secrets seal`. Take the old
/// key out three days later, when every mail that waited is sent.
#[derive(Debug, Subcommand)]
pub(super) enum Secrets {
    /// Print a new key, alone on standard output; it is stored nowhere
    #[command(after_help = "\
Examples:
  rollbook secrets new-key")]
    NewKey,

    /// Say how many secrets are sealed
    #[command(after_help = "\
Examples:
  rollbook secrets status")]
    Status,

    /// Seal what is stored as it is or with an old key, also while `serve` runs
    #[command(after_help = "\
Examples:
  rollbook secrets seal")]
    Seal,
}

impl Secrets {
    /// Runs the command.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        match self {
            Secrets::NewKey => writeln!(io::stdout(), "{}", SecretKey::random().text())?,
            Secrets::Status => {
                let app = App::open(config).await?;
                let counts = secrets::count(&app).await?;
                let mut out = io::stdout().lock();
                for (count, how) in [
                    (counts.current, "sealed with `secret_key`"),
                    (counts.old, "sealed with an old key"),
                    (
                        counts.unreadable,
                        "sealed with a key that is not in the settings",
                    ),
                    (counts.plain, "stored as they are"),
                ] {
                    writeln!(out, "{count:>6}  {how}")?;
                }
            }
            Secrets::Seal => {
                let app = App::open(config).await?;
                if !app.vault.seals() {
                    bail!(
                        "there is no `secret_key`; set ROLLBOOK_SECRET_KEY to a key from: rollbook secrets new-key"
                    );
                }
                let sealed = secrets::seal_all(&app).await?;
                say(&format!("{sealed} secrets were sealed with `secret_key`"));
            }
        }
        Ok(Done::Fully)
    }
}
