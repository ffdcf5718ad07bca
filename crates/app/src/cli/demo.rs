//! `rollbook demo`: a workspace to look around in, filled through the real import path.

use std::io::Write;

use anyhow::Context;
use clap::Args;
use rollbook_engine::policy::Mode;
use rollbook_store::sources::Source;
use rollbook_store::{StoreError, WorkspaceId};
use serde_json::value::RawValue;
use tempfile::NamedTempFile;

use super::import::{Progress, finish};
use super::serve::{FirstAdmin, listen, serve};
use super::terminal::say;
use super::{Done, source};
use crate::access;
use crate::app::App;
use crate::config::Config;
use crate::imports::intake::{inspect, start, take_in};
use crate::imports::receive::{Incoming, receive};
use crate::imports::said::Said;

/// Uploads, in the order in which they arrive.
const FILES: [(&str, &[u8]); 2] = [
    (
        "harbour-hotels-guests.csv",
        include_bytes!("../../samples/harbour-hotels-guests.csv"),
    ),
    (
        "Anreisen KW 47.csv",
        include_bytes!("../../samples/anreisen-kw-47.csv"),
    ),
];

/// Systems that deliver by themselves: label, records.
const SYSTEMS: [(&str, &str); 2] = [
    (
        "Booking desk API",
        include_str!("../../samples/booking-desk-api.json"),
    ),
    (
        "Mews – Harbour Hotel",
        include_str!("../../samples/mews-harbour-hotel.json"),
    ),
];

/// Records that a system delivers at once.
const DELIVERY: usize = 5;

/// Fill the workspace with sample data and tell how to sign in
///
/// Invented guests of a hotel group arrive as real ones would: two CSV files and two systems that post records, some of
/// them with mistakes, through the same code. Run again, it adds nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rollbook demo --serve
  rollbook demo --database sqlite:/tmp/demo.db && rollbook log --database sqlite:/tmp/demo.db")]
pub(super) struct Demo {
    /// Go on and serve the pages and the API
    #[arg(long)]
    serve: bool,

    #[command(flatten)]
    admin: FirstAdmin,
}

impl Demo {
    /// Whether it goes on serving.
    pub(super) fn serves(&self) -> bool {
        self.serve
    }

    /// Loads the sample data, and serves it if asked.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        if self.serve {
            let (entrance, config) = listen(config).await?;
            let app = App::open(config).await?;
            self.prepare(&app).await?;
            return serve(entrance, app).await;
        }
        let app = App::open(config).await?;
        self.prepare(&app).await?;
        say("start it with: rollbook serve");
        Ok(Done::Fully)
    }

    async fn prepare(&self, app: &App) -> anyhow::Result<()> {
        load(app).await?;
        self.admin.ensure(app).await?;
        let address = &app.config.public_url;
        let listen = app.config.listen;
        let address = address
            .clone()
            .unwrap_or_else(|| format!("http://{listen}"));
        say(&format!("address: {address}"));
        Ok(())
    }
}

/// Loads the sample data, unless it is there.
async fn load(app: &App) -> anyhow::Result<()> {
    let workspace = app.first_workspace().await?;
    let (_, last) = SYSTEMS[SYSTEMS.len() - 1];
    let last_name = access::source_name_for(SYSTEMS[SYSTEMS.len() - 1].0);
    let loaded = app.store.source(workspace.id, &last_name).await?;
    if loaded.is_some_and(|source| {
        source.counts.all() >= records(last).map_or(0, |all| all.len() as u64)
    }) {
        say("the sample data is there already");
        return Ok(());
    }
    let mut settings = workspace.settings;
    "Harbour Hotels".clone_into(&mut settings.name);
    "Europe/Berlin".clone_into(&mut settings.time_zone);
    settings.region = Some("DE".to_owned());
    app.store
        .set_workspace_settings(workspace.id, settings)
        .await?;
    let manual = source::find_source(app, workspace.id, "manual").await?;
    let (first_file, first_content) = FILES[0];
    let (second_file, second_content) = FILES[1];
    upload(app, &manual, first_file, first_content).await?;
    for (label, body) in SYSTEMS {
        deliver(app, workspace.id, label, body).await?;
    }
    upload(app, &manual, second_file, second_content).await
}

/// A person uploads a file.
async fn upload(app: &App, source: &Source, name: &str, content: &[u8]) -> anyhow::Result<()> {
    let mut file = NamedTempFile::new_in(&app.config.files)?;
    file.write_all(content)?;
    let path = file.path().to_owned();
    let looked_at = inspect(app, source, &path, name, &Said::default()).await?;
    let import = take_in(app, source, file, name, "sample data").await?;
    let import = start(app, source, &import, &looked_at.options).await?;
    let import = finish(app, import, &Progress::silent()).await?;
    let totals = import.totals;
    say(&format!(
        "{name}: {} rows, {} created, {} updated, {} failed",
        totals.records, totals.created, totals.updated, totals.failed
    ));
    Ok(())
}

/// Another system posts its records.
async fn deliver(app: &App, workspace: WorkspaceId, label: &str, body: &str) -> anyhow::Result<()> {
    let name = access::source_name_for(label);
    let made = access::add_source(app, workspace, &name, label, Mode::Automatic, &name, "").await;
    let source = match made {
        Ok(source) => source,
        Err(access::SourceError::Store(StoreError::Exists(_))) => {
            source::find_source(app, workspace, &name).await?
        }
        Err(error) => return Err(error.into()),
    };
    let records = records(body)?;
    for some in records.chunks(DELIVERY) {
        let incoming = some.iter().map(|record| Incoming {
            body: record.get().as_bytes().to_vec(),
            content_type: "application/json".to_owned(),
            idempotency: None,
            problem: None,
            event: None,
        });
        receive(app, &source, incoming.collect()).await?;
    }
    say(&format!("{label}: {} records", records.len()));
    Ok(())
}

fn records(body: &str) -> anyhow::Result<Vec<&RawValue>> {
    serde_json::from_str(body).context("the sample data is not JSON")
}
