//! `rollbook doctor`.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;

use super::Done;
use super::terminal::{plain, print_json};
use crate::config::Config;
use crate::doctor::{self, State};

/// Look whether everything is well, and say what to do where it is not
///
/// Settings, database, disks, uploaded files, mail server, sources and clock are tried without changing anything; it may
/// run beside `rollbook serve`. Exit code 0: nothing is broken (there may be warnings), 1: something is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rollbook doctor
  rollbook doctor --quick --json")]
pub(super) struct Doctor {
    /// Do not read the whole database, which takes long when it is large
    #[arg(long)]
    quick: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Looks, and prints what was found.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        let findings = doctor::examine(&config, !self.quick).await;
        let mut out = io::stdout().lock();
        if self.json {
            let checks: Vec<_> = findings
                .0
                .iter()
                .map(|one| json!({"name": one.name, "state": one.state.key(), "text": one.text}))
                .collect();
            let all = json!({"state": findings.worst().key(), "checks": checks});
            print_json(&mut out, &all)?;
        } else {
            for one in &findings.0 {
                let (state, name) = (one.state.key(), plain(&one.name));
                writeln!(out, "{state:<8} {name:<10} {}", plain(&one.text))?;
            }
        }
        Ok(match findings.worst() {
            State::Well | State::Warning => Done::Fully,
            State::Error => Done::Unwell,
        })
    }
}
