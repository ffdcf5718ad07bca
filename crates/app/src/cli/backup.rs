//! `rollbook backup` and `rollbook restore`.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use rollbook_store::StoreError;

use super::Done;
use super::terminal::{print_json, say};
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::backup::{self, Manifest};
use crate::clock;
use crate::config::Config;
use crate::http::pages::show::{bytes, counted};

/// Copy everything into one archive, while Rollbook runs
///
/// The archive is a `tar` file with the database as it is at one moment, the uploaded files and a manifest; it is read
/// again and compared before it gets its name. Uploaded files in a bucket stay there. It needs room for the database
/// twice. Keep it as safe as the database: it holds everything about everybody.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rollbook backup /var/backups/rollbook-monday.tar
  rollbook backup --force latest.tar --json")]
pub(super) struct Backup {
    /// The file that is made
    file: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    /// Print one JSON object about what was made
    #[arg(long)]
    json: bool,
}

/// Put a backup back
///
/// The backup is checked first, and nothing is changed if it is not whole. Stop Rollbook before a database is replaced.
/// One of an older version is brought up to date.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rollbook restore /var/backups/rollbook-monday.tar --check
  rollbook restore /var/backups/rollbook-monday.tar --database sqlite:/var/lib/rollbook/rollbook.db
  rollbook restore latest.tar --force")]
pub(super) struct Restore {
    /// The backup
    file: PathBuf,
    /// Replace the database that is there; what it holds is gone
    #[arg(long, conflicts_with = "check")]
    force: bool,
    /// Only check the backup
    #[arg(long)]
    check: bool,
    /// Print one JSON object about what was restored
    #[arg(long)]
    json: bool,
}

impl Backup {
    /// Makes the backup.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        let manifest = backup::make(&config, &self.file, self.force).await?;
        let size = std::fs::metadata(&self.file)?.len();
        audit(&App::open(config).await?, Act::MadeBackup, &self.file).await?;
        say(&format!(
            "`{}` holds {} in {}, and was checked",
            self.file.display(),
            told(&manifest),
            bytes(size)
        ));
        if let Some(bucket) = &manifest.bucket {
            say(&format!(
                "uploaded files stay in the bucket `{bucket}`; keep copies of that as its service offers"
            ));
        }
        print(self.json, &manifest)?;
        Ok(Done::Fully)
    }
}

impl Restore {
    /// Checks the backup and puts it back.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        if self.check {
            let manifest = backup::check(&self.file).await?;
            say(&format!(
                "`{}` is whole: {}, made at {} by version {}",
                self.file.display(),
                told(&manifest),
                manifest.made_at,
                manifest.rollbook
            ));
            print(self.json, &manifest)?;
            return Ok(Done::Fully);
        }
        let manifest = backup::restore(&config, &self.file, self.force).await?;
        // Takes an older one to this version.
        let app = App::open(config).await?;
        app.store.prepare().await?;
        audit(&app, Act::RestoredBackup, &self.file).await?;
        say(&format!(
            "`{}` holds {} again, as of {}",
            app.config.database,
            told(&manifest),
            manifest.made_at
        ));
        let queues = app.store.queues(clock::now()).await?;
        if queues.mails_waiting > 0 {
            say(&format!(
                "{} mails waited to be sent when the backup was made; `rollbook serve` sends them, perhaps a second time",
                queues.mails_waiting
            ));
        }
        print(self.json, &manifest)?;
        Ok(Done::Fully)
    }
}

/// A backup holds every workspace, so each is told; by the name of the file alone, for its folder is nobody's business.
async fn audit(app: &App, act: Act, file: &Path) -> Result<(), StoreError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let actor = Actor::command_line();
    app.audit_everywhere(&actor, act, &name).await
}

fn told(manifest: &Manifest) -> String {
    format!(
        "{}, {} and {}",
        counted(manifest.counts.contacts, "contact", "contacts"),
        counted(manifest.counts.attempts, "attempt", "attempts"),
        counted(manifest.files() as u64, "uploaded file", "uploaded files")
    )
}

fn print(json: bool, manifest: &Manifest) -> io::Result<()> {
    if json {
        print_json(&mut io::stdout().lock(), manifest)?;
    }
    Ok(())
}
