//! The command line. One command a file; exit code 0: done, 1: could not run, 2: bad arguments, 3: done, some rows
//! failed.
//!
//! Data goes to standard output, talk to standard error.

mod backup;
mod contacts;
mod demo;
mod doctor;
mod field;
mod import;
mod imports;
mod key;
mod log;
mod mail;
mod migrate;
mod normalize;
mod openapi;
mod privacy;
mod read;
mod replay;
mod secrets;
mod serve;
mod source;
mod terminal;
mod undo;
mod user;
mod webhook;
mod workspace;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::app::WorkspaceError;
use crate::config::{Config, Flags, LogFormat, LogSettings};
use crate::traces::{self, Traces};

/// Rollbook takes contacts in, from files and from other systems, and writes down what happened to every record.
#[derive(Debug, Parser)]
#[command(
    name = "rollbook",
    version,
    max_term_width = 110,
    after_help = "\
Examples:
  rollbook demo --serve                          look around with sample data
  rollbook import guests.csv --dry-run           what would this file do?
  rollbook import guests.csv                     do it
  rollbook log --since 1h --result failure       what went wrong, and why?
  rollbook serve --listen 0.0.0.0:8080           pages, API and workers

Exit codes:
  0  done, no failed rows
  1  could not run
  2  bad arguments
  3  done, some rows failed, or an undo kept something"
)]
struct Cli {
    #[command(flatten)]
    settings: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Import(import::Import),
    #[command(subcommand)]
    Imports(imports::Imports),
    Undo(undo::Undo),
    Log(log::Log),
    Replay(replay::Replay),
    #[command(subcommand)]
    Contacts(contacts::Contacts),
    #[command(subcommand)]
    Privacy(privacy::Privacy),
    #[command(subcommand)]
    Source(source::Sources),
    #[command(subcommand)]
    Key(key::Keys),
    #[command(subcommand)]
    Webhook(webhook::Webhooks),
    #[command(subcommand)]
    User(user::Users),
    #[command(subcommand)]
    Secrets(secrets::Secrets),
    #[command(subcommand)]
    Mail(mail::Mails),
    #[command(subcommand)]
    Field(field::Fields),
    #[command(subcommand)]
    Workspace(workspace::Workspace),
    Normalize(normalize::Normalize),
    Read(read::Read),
    Migrate(migrate::Migrate),
    Backup(backup::Backup),
    Restore(backup::Restore),
    Doctor(doctor::Doctor),
    Openapi(openapi::Openapi),
    Demo(demo::Demo),
}

/// How a command that ran came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// All is well.
    Fully,
    /// Some rows failed.
    WithFailedRows,
    /// It was stopped before its end.
    Stopped,
    /// Something that was looked at is broken.
    Unwell,
}

/// What the person can only mend on the command line: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// Reads the command line and runs the command.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(Done::Fully) => ExitCode::SUCCESS,
        Ok(Done::WithFailedRows) => ExitCode::from(3),
        Ok(Done::Stopped | Done::Unwell) => ExitCode::from(1),
        // Whoever read our output has read enough: `rollbook log | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::say(&format!("rollbook: {error:#}"));
            ExitCode::from(if is_usage(&error) { 2 } else { 1 })
        }
    }
}

/// An error that ends with exit code 2.
fn usage(text: impl Into<String>) -> anyhow::Error {
    Usage(text.into()).into()
}

fn is_usage(error: &anyhow::Error) -> bool {
    error.is::<Usage>()
        || error
            .downcast_ref::<WorkspaceError>()
            .is_some_and(WorkspaceError::is_usage)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

fn run(cli: Cli) -> anyhow::Result<Done> {
    let (config, log) = cli
        .settings
        .resolve()
        .map_err(|error| usage(error.to_string()))?;
    let serves = match &cli.command {
        Command::Serve(_) => true,
        Command::Demo(demo) => demo.serves(),
        _ => false,
    };
    let _traces = start_log(&log, if serves { "info" } else { "warn" })?;
    // These need neither the database nor other threads.
    match &cli.command {
        Command::Normalize(command) => return command.run(),
        Command::Read(command) => return command.run(&config),
        Command::Openapi(_) => return openapi::Openapi::run(),
        _ => {}
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let done = runtime.block_on(dispatch(cli.command, config));
    // A thread may still wait for a slow disk or standard input; nothing depends on it any more.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

async fn dispatch(command: Command, config: Config) -> anyhow::Result<Done> {
    let database = config.database.clone();
    let is_new = !rollbook_store::exists(&database)?;
    if is_new && !begins(&command) {
        anyhow::bail!(
            "there is no database `{database}`; name another one with --database, or make it with: rollbook migrate"
        );
    }
    let tells = !matches!(
        command,
        Command::Serve(_) | Command::Demo(_) | Command::Migrate(_) | Command::Restore(_)
    );
    let done = carry_out(command, config).await;
    // Somebody may have meant another one.
    if is_new && tells && rollbook_store::exists(&database)? {
        terminal::say(&format!("made a new database: `{database}`"));
    }
    done
}

/// Whether a command has something to do where there is no database yet. All others would make an empty one at a
/// mistyped path, and say that there is nothing in it.
fn begins(command: &Command) -> bool {
    matches!(
        command,
        Command::Serve(_)
            | Command::Demo(_)
            | Command::Migrate(_)
            | Command::Restore(_)
            | Command::Doctor(_)
            | Command::Import(_)
            | Command::Source(source::Sources::Add { .. })
            | Command::Key(key::Keys::Create { .. })
            | Command::User(user::Users::Add { .. })
            | Command::Field(field::Fields::Add { .. })
            | Command::Workspace(
                workspace::Workspace::Add { .. } | workspace::Workspace::Set { .. }
            )
            | Command::Mail(mail::Mails::Test { .. })
    )
}

async fn carry_out(command: Command, config: Config) -> anyhow::Result<Done> {
    match command {
        Command::Serve(command) => command.run(config).await,
        Command::Import(command) => command.run(config).await,
        Command::Imports(command) => command.run(config).await,
        Command::Undo(command) => command.run(config).await,
        Command::Log(command) => command.run(config).await,
        Command::Replay(command) => command.run(config).await,
        Command::Contacts(command) => command.run(config).await,
        Command::Privacy(command) => command.run(config).await,
        Command::Source(command) => command.run(config).await,
        Command::Key(command) => command.run(config).await,
        Command::Webhook(command) => command.run(config).await,
        Command::User(command) => command.run(config).await,
        Command::Secrets(command) => command.run(config).await,
        Command::Mail(command) => command.run(config).await,
        Command::Field(command) => command.run(config).await,
        Command::Workspace(command) => command.run(config).await,
        Command::Migrate(command) => command.run(config).await,
        Command::Backup(command) => command.run(config).await,
        Command::Restore(command) => command.run(config).await,
        Command::Doctor(command) => command.run(config).await,
        Command::Demo(command) => command.run(config).await,
        Command::Normalize(command) => command.run(),
        Command::Read(command) => command.run(&config),
        Command::Openapi(_) => openapi::Openapi::run(),
    }
}

/// Starts the program's own log, and traces if they are wanted; these end with what is returned.
fn start_log(log: &LogSettings, usual: &str) -> anyhow::Result<Option<Traces>> {
    let filter = log.filter.as_deref().unwrap_or(usual);
    // It tells the addresses of requests, and some of ours sign somebody in.
    let filter = tracing_subscriber::EnvFilter::try_new(format!("{filter},tower_http::csrf=warn"))
        .map_err(|error| usage(format!("`{filter}` is not a log filter: {error}")))?;
    let log_to = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(terminal::colours(&io::stderr()));
    let log_to = match log.format {
        LogFormat::Text => log_to.boxed(),
        LogFormat::Json => log_to.json().with_span_list(false).boxed(),
    };
    let Some(url) = &log.traces else {
        // One filter for all costs less than one a layer.
        tracing_subscriber::registry()
            .with(log_to)
            .with(filter)
            .init();
        return Ok(None);
    };
    let (traces, spans) = traces::start(url)?;
    let ours = Targets::new().with_target("rollbook", Level::DEBUG);
    tracing_subscriber::registry()
        .with(log_to.with_filter(filter))
        .with(spans.with_filter(ours))
        .init();
    Ok(Some(traces))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_takes_the_name_of_a_setting() {
        fn check(command: &clap::Command, settings: &[&str], path: &str) {
            for sub in command.get_subcommands() {
                let path = format!("{path} {}", sub.get_name());
                for arg in sub.get_arguments() {
                    let id = arg.get_id().as_str();
                    assert!(!settings.contains(&id), "{path} has a `{id}` of its own");
                }
                check(sub, settings, &path);
            }
        }
        // As it is written, before every command was given the settings.
        let command = Cli::command();
        let settings: Vec<&str> = command
            .get_arguments()
            .filter(|arg| arg.is_global_set())
            .map(|arg| arg.get_id().as_str())
            .collect();
        assert!(settings.contains(&"files"), "{settings:?}");
        check(&command, &settings, "rollbook");
    }

    #[test]
    fn every_command_explains_itself_with_examples() {
        fn check(command: &clap::Command, path: &str) {
            for sub in command.get_subcommands() {
                let path = format!("{path} {}", sub.get_name());
                assert!(sub.get_about().is_some(), "{path} says what it does");
                if sub.has_subcommands() {
                    check(sub, &path);
                } else {
                    let examples = sub.get_after_help().map(ToString::to_string);
                    assert!(
                        examples.is_some_and(|text| text.contains(&path)),
                        "{path} has examples"
                    );
                }
                for argument in sub.get_arguments() {
                    let id = argument.get_id();
                    assert!(argument.get_help().is_some(), "{path} explains `{id}`");
                }
            }
        }
        check(&Cli::command(), "rollbook");
    }
}
