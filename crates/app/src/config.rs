//! How Rollbook is started: flags, then environment, then `rollbook.toml`, then defaults.
//!
//! [`Flags`] is the one table of settings: each is a flag, an environment variable and a key of the file by the same
//! name. `rollbook.example.toml` explains them; a test keeps the three alike.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use rollbook_sources::csv::CsvLimits;
use rollbook_sources::file::FileLimits;
use rollbook_store::accounts::Role;
use serde::Deserialize;

use crate::door::network::Proxies;
use crate::door::rate::Rate;
use crate::mail::server::{MailSettings, Way};
use crate::oidc::ProviderSettings;
use crate::secrets::SecretKey;

/// The file that is read from the working folder if no other is named.
const DEFAULT_FILE: &str = "rollbook.toml";

/// The settings in force. Nothing later looks back at flags, environment or file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// The store: `sqlite:PATH`.
    pub(crate) database: String,
    /// The name of the workspace that commands work in; none for the only one.
    pub(crate) workspace: Option<String>,
    /// The folder of uploaded files; with a bucket, of files on their way and of its cache.
    pub(crate) files: PathBuf,
    /// The bucket of uploaded files, if they are not kept in the folder.
    pub(crate) bucket: Option<BucketSettings>,
    /// Where `serve` listens.
    pub(crate) listen: SocketAddr,
    /// The address people use, for links; `http://<listen>` if not set.
    pub(crate) public_url: Option<String>,
    /// Where mail is handed in; none if none is sent.
    pub(crate) mail: Option<MailSettings>,
    /// The largest upload in bytes.
    pub(crate) max_file_bytes: u64,
    /// The largest record in bytes: a row of a file, or the body of an API call with one record.
    pub(crate) max_record_bytes: usize,
    /// The largest body of a batch call, in bytes.
    pub(crate) max_batch_bytes: usize,
    /// How many imports `serve` runs at the same time.
    pub(crate) workers: usize,
    /// What stored secrets are sealed with.
    pub(crate) secret_key: Option<SecretKey>,
    /// What they were sealed with before.
    pub(crate) old_secret_keys: Vec<SecretKey>,
    /// The provider that people may sign in with.
    pub(crate) oidc: Option<ProviderSettings>,
    /// The proxies that say who calls.
    pub(crate) trusted_proxies: Proxies,
    /// How many connections `serve` has at the same time.
    pub(crate) max_connections: usize,
    /// How many calls of the API a key may make.
    pub(crate) api_rate: Rate,
    /// How many calls of the API an address may make.
    pub(crate) api_address_rate: Rate,
    /// How many forms an address may send that sign in, or ask for or set a password.
    pub(crate) sign_in_rate: Rate,
    /// Where `serve` shows its metrics to a monitoring system, besides `/metrics`.
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// What must be sent to see `/metrics`; without it only this machine sees it.
    pub(crate) metrics_token: Option<Secret>,
    /// How far the time at which a webhook was signed may be from ours.
    pub(crate) webhook_window: Duration,
    /// How long `serve` says that it is about to stop before it closes its door.
    pub(crate) drain: Duration,
}

impl Config {
    /// The address that people and other systems reach `serve` at, without the slash at its end.
    pub(crate) fn address(&self) -> String {
        self.public_url
            .clone()
            .unwrap_or_else(|| format!("http://{}", self.listen))
    }

    /// What is too much for a file and its records.
    pub(crate) fn file_limits(&self) -> FileLimits {
        FileLimits {
            csv: CsvLimits {
                record: self.max_record_bytes,
                ..CsvLimits::default()
            },
            unpacked: self.max_file_bytes,
            ..FileLimits::default()
        }
    }
}

/// A bucket of an S3-compatible object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BucketSettings {
    /// Its name.
    pub(crate) name: String,
    /// What the names of our objects begin with; may be empty.
    pub(crate) prefix: String,
    /// The address of the service; none for Amazon's.
    pub(crate) endpoint: Option<String>,
    /// Its region.
    pub(crate) region: String,
    /// Access key and secret; none for what the machine is given by its cloud.
    pub(crate) keys: Option<(String, Secret)>,
    /// Bytes that files of the bucket may take on this machine.
    pub(crate) cache_bytes: u64,
}

/// A text that may hold a password and is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    /// What must not be shown.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "the command line wants a parser that may fail"
    )]
    fn parse(text: &str) -> Result<Secret, String> {
        Ok(Secret(text.to_owned()))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// What the program says about itself while it works, on standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// Which events, in the syntax of `tracing` filters; none for the command's own choice.
    pub(crate) filter: Option<String>,
    /// In which form.
    pub(crate) format: LogFormat,
    /// Where traces are sent, if they are.
    pub(crate) traces: Option<String>,
}

/// The form of the program's own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Settings as the command line and the environment give them.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings (each is also a key of rollbook.toml)")]
pub(crate) struct Flags {
    /// The store: `sqlite:PATH`, or a path [default: sqlite:rollbook.db]
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_DATABASE",
        value_name = "ADDRESS",
        hide_env_values = true
    )]
    database: Option<String>,

    /// The file with settings [default: rollbook.toml, if there is one]
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_CONFIG",
        value_name = "FILE",
        hide_env_values = true
    )]
    config: Option<PathBuf>,

    /// The workspace that a command works in, by its name [default: the only one]
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_WORKSPACE",
        value_name = "NAME",
        hide_env_values = true
    )]
    workspace: Option<String>,

    /// Where uploaded files are kept: a folder, or `s3://BUCKET/PREFIX` [default: beside the database, `PATH-files`]
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_FILES",
        value_name = "PLACE",
        hide_env_values = true
    )]
    files: Option<String>,

    /// The address of an S3-compatible service, for example `https://minio.example.com` [default: Amazon's]
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_S3_ENDPOINT",
        value_name = "URL",
        hide_env_values = true
    )]
    s3_endpoint: Option<String>,

    /// The region of the bucket [default: us-east-1]
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_S3_REGION",
        value_name = "NAME",
        hide_env_values = true
    )]
    s3_region: Option<String>,

    /// The access key of the bucket [default: what the machine is given by its cloud]
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_S3_ACCESS_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    s3_access_key: Option<String>,

    /// Its secret; better in the environment or the file, for others see command lines
    #[arg(long, global = true, env = "ROLLBOOK_S3_SECRET_KEY", value_name = "SECRET", value_parser = Secret::parse,
          hide_env_values = true)]
    s3_secret_key: Option<Secret>,

    /// What files of the bucket may take on this machine [default: 1GiB]
    #[arg(long, global = true, env = "ROLLBOOK_S3_CACHE_BYTES", value_name = "BYTES", value_parser = parse_bytes,
          hide_env_values = true)]
    s3_cache_bytes: Option<u64>,

    /// Where `serve` listens; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_LISTEN",
        value_name = "IP:PORT",
        hide_env_values = true
    )]
    listen: Option<SocketAddr>,

    /// The address people reach `serve` at, for links [default: http://IP:PORT]
    #[arg(long, global = true, env = "ROLLBOOK_PUBLIC_URL", value_name = "URL",
          value_parser = parse_public_url, hide_env_values = true)]
    public_url: Option<String>,

    /// Where mail is handed in: smtp://USER:PASSWORD@HOST:PORT, smtps://… or folder:PATH [default: no mail is sent]
    #[arg(long, global = true, env = "ROLLBOOK_MAIL", value_name = "ADDRESS", value_parser = Secret::parse,
          hide_env_values = true)]
    mail: Option<Secret>,

    /// The sender's address of mail, for example "Rollbook <rollbook@example.com>"
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_MAIL_FROM",
        value_name = "EMAIL",
        hide_env_values = true
    )]
    mail_from: Option<String>,

    /// The largest file that is taken in, for example 500MiB [default: 2GiB]
    #[arg(long, global = true, env = "ROLLBOOK_MAX_FILE_BYTES", value_name = "BYTES",
          value_parser = parse_bytes, hide_env_values = true)]
    max_file_bytes: Option<u64>,

    /// The largest record: a row of a file, or the body of an API call with one record [default: 1MiB]
    #[arg(long, global = true, env = "ROLLBOOK_MAX_RECORD_BYTES", value_name = "BYTES",
          value_parser = parse_bytes, hide_env_values = true)]
    max_record_bytes: Option<u64>,

    /// The largest body of an API call with a batch [default: 64MiB]
    #[arg(long, global = true, env = "ROLLBOOK_MAX_BATCH_BYTES", value_name = "BYTES",
          value_parser = parse_bytes, hide_env_values = true)]
    max_batch_bytes: Option<u64>,

    /// How many imports `serve` runs at the same time, so that a small file does not wait for a huge one [default: 2]
    #[arg(long, global = true, env = "ROLLBOOK_WORKERS", value_name = "N",
          value_parser = parse_workers, hide_env_values = true)]
    workers: Option<usize>,

    /// What stored secrets are sealed with, from `rollbook secrets new-key`; better in the environment, for others see
    /// command lines
    #[arg(long, global = true, env = "ROLLBOOK_SECRET_KEY", value_name = "KEY", value_parser = Secret::parse,
          hide_env_values = true)]
    secret_key: Option<Secret>,

    /// What they were sealed with before, with commas between the keys
    #[arg(long, global = true, env = "ROLLBOOK_OLD_SECRET_KEYS", value_name = "KEYS", value_parser = Secret::parse,
          hide_env_values = true)]
    old_secret_keys: Option<Secret>,

    /// The OpenID Connect provider that people may sign in with, as it calls itself: `https://login.example.com`
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_OIDC_ISSUER",
        value_name = "URL",
        hide_env_values = true
    )]
    oidc_issuer: Option<String>,

    /// What the provider calls Rollbook
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_OIDC_CLIENT_ID",
        value_name = "ID",
        hide_env_values = true
    )]
    oidc_client_id: Option<String>,

    /// The secret that it gave; better in the environment or the file, for others see command lines
    #[arg(long, global = true, env = "ROLLBOOK_OIDC_CLIENT_SECRET", value_name = "SECRET", value_parser = Secret::parse,
          hide_env_values = true)]
    oidc_client_secret: Option<Secret>,

    /// What people call the provider [default: single sign-on]
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_OIDC_NAME",
        value_name = "NAME",
        hide_env_values = true
    )]
    oidc_name: Option<String>,

    /// What somebody becomes who signs in there and has no account: viewer, importer or admin [default: refused]
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_OIDC_ROLE",
        value_name = "ROLE",
        hide_env_values = true
    )]
    oidc_role: Option<String>,

    /// Whether calls to a sign-in provider may go into private networks, and without TLS [default: false]
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_ALLOW_PRIVATE_CALLS",
        value_name = "true|false",
        hide_env_values = true
    )]
    allow_private_calls: Option<bool>,

    /// The proxies in front of `serve`, whose `X-Forwarded-For` says who calls: addresses or ranges with commas between
    /// [default: nobody's is believed]
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_TRUSTED_PROXIES",
        value_name = "RANGES",
        hide_env_values = true
    )]
    trusted_proxies: Option<Proxies>,

    /// How many connections `serve` has at the same time; an address that is no trusted proxy gets half of them
    /// [default: 1024]
    #[arg(long, global = true, env = "ROLLBOOK_MAX_CONNECTIONS", value_name = "N",
          value_parser = parse_connections, hide_env_values = true)]
    max_connections: Option<usize>,

    /// How many calls of the API a key may make, for example 600/m, or `unlimited` [default: 60000/m]
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_API_RATE",
        value_name = "RATE",
        hide_env_values = true
    )]
    api_rate: Option<Rate>,

    /// How many calls of the API an address may make, whatever the key [default: 120000/m]
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_API_ADDRESS_RATE",
        value_name = "RATE",
        hide_env_values = true
    )]
    api_address_rate: Option<Rate>,

    /// How many forms an address may send that sign in, or ask for or set a password [default: 60/m]
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_SIGN_IN_RATE",
        value_name = "RATE",
        hide_env_values = true
    )]
    sign_in_rate: Option<Rate>,

    /// How many seconds the time at which a webhook was signed may be from ours [default: 300]
    #[arg(long, global = true, env = "ROLLBOOK_WEBHOOK_WINDOW_SECONDS", value_name = "SECONDS",
          value_parser = parse_window, hide_env_values = true)]
    webhook_window_seconds: Option<u64>,

    /// Where else `serve` shows its metrics, for a monitoring system alone [default: nowhere]
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_METRICS_LISTEN",
        value_name = "IP:PORT",
        hide_env_values = true
    )]
    metrics_listen: Option<SocketAddr>,

    /// What must be sent as a bearer token to see `/metrics` [default: only this machine sees it]
    #[arg(long, global = true, env = "ROLLBOOK_METRICS_TOKEN", value_name = "TOKEN", value_parser = Secret::parse,
          hide_env_values = true)]
    metrics_token: Option<Secret>,

    /// Seconds for which `/readyz` says that `serve` is about to stop before it closes its door [default: 0]
    #[arg(long, global = true, env = "ROLLBOOK_DRAIN_SECONDS", value_name = "SECONDS",
          value_parser = parse_drain, hide_env_values = true)]
    drain_seconds: Option<u64>,

    /// Where traces are sent, over HTTP in OpenTelemetry's protocol, for example `http://127.0.0.1:4318` [default: nowhere]
    #[arg(long, global = true, env = "ROLLBOOK_TRACES", value_name = "URL",
          value_parser = parse_public_url, hide_env_values = true)]
    traces: Option<String>,

    /// What the program says about itself on standard error: error, warn, info, debug, trace
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_LOG",
        value_name = "FILTER",
        hide_env_values = true
    )]
    log: Option<String>,

    /// In which form it says it [default: text]
    #[arg(
        long,
        global = true,
        env = "ROLLBOOK_LOG_FORMAT",
        value_name = "FORM",
        hide_env_values = true
    )]
    log_format: Option<LogFormat>,
}

/// The keys of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    database: Option<String>,
    files: Option<String>,
    s3_endpoint: Option<String>,
    s3_region: Option<String>,
    s3_access_key: Option<String>,
    s3_secret_key: Option<Secret>,
    s3_cache_bytes: Option<Bytes>,
    workspace: Option<String>,
    listen: Option<SocketAddr>,
    public_url: Option<String>,
    mail: Option<Secret>,
    mail_from: Option<String>,
    max_file_bytes: Option<Bytes>,
    max_record_bytes: Option<Bytes>,
    max_batch_bytes: Option<Bytes>,
    workers: Option<usize>,
    secret_key: Option<Secret>,
    old_secret_keys: Option<Secret>,
    oidc_issuer: Option<String>,
    oidc_client_id: Option<String>,
    oidc_client_secret: Option<Secret>,
    oidc_name: Option<String>,
    oidc_role: Option<String>,
    allow_private_calls: Option<bool>,
    trusted_proxies: Option<Proxies>,
    max_connections: Option<usize>,
    api_rate: Option<Rate>,
    api_address_rate: Option<Rate>,
    sign_in_rate: Option<Rate>,
    webhook_window_seconds: Option<u64>,
    metrics_listen: Option<SocketAddr>,
    metrics_token: Option<Secret>,
    drain_seconds: Option<u64>,
    traces: Option<String>,
    log: Option<String>,
    log_format: Option<LogFormat>,
}

/// A number of bytes in the file: `1048576` or `"1MiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BytesText")]
struct Bytes(u64);

#[derive(Deserialize)]
#[serde(untagged)]
enum BytesText {
    Number(u64),
    Text(String),
}

impl TryFrom<BytesText> for Bytes {
    type Error = String;

    fn try_from(text: BytesText) -> Result<Bytes, String> {
        match text {
            BytesText::Number(bytes) => Ok(Bytes(bytes)),
            BytesText::Text(text) => parse_bytes(&text).map(Bytes),
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("the settings in `{}` cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file has a key or a value that is none.
    #[error("the settings in `{}` cannot be used: {message}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        message: String,
    },
    /// A value in the file is not what it should be.
    #[error("{0}")]
    Value(String),
}

impl Flags {
    /// The settings in force.
    pub(crate) fn resolve(self) -> Result<(Config, LogSettings), ConfigError> {
        let file = match &self.config {
            Some(path) => read_file(path)?,
            None if Path::new(DEFAULT_FILE).is_file() => read_file(Path::new(DEFAULT_FILE))?,
            None => File::default(),
        };
        let public_url = url_of("public_url", self.public_url, file.public_url)?;
        let workers = number_of("workers", self.workers, file.workers, 2, parse_workers)?;
        let max_connections = number_of(
            "max_connections",
            self.max_connections,
            file.max_connections,
            1024,
            parse_connections,
        )?;
        let rate = |flag: Option<Rate>, file: Option<Rate>, default: u32| {
            flag.or(file).unwrap_or(Rate::per_minute(default))
        };
        let traces = url_of("traces", self.traces, file.traces)?;
        let drain = drain_of(self.drain_seconds, file.drain_seconds)?;
        let webhook_window = window_of(self.webhook_window_seconds, file.webhook_window_seconds)?;
        let metrics_token = self.metrics_token.or(file.metrics_token);
        let mail = mail_settings(self.mail.or(file.mail), self.mail_from.or(file.mail_from))?;
        let bytes = |flag: Option<u64>, file: Option<Bytes>, default: u64| {
            flag.or(file.map(|bytes| bytes.0)).unwrap_or(default)
        };
        let in_memory = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let database = self
            .database
            .or(file.database)
            .unwrap_or_else(|| "sqlite:rollbook.db".to_owned());
        let (files, bucket) = places(
            &database,
            self.files.or(file.files),
            BucketTexts {
                endpoint: self.s3_endpoint.or(file.s3_endpoint),
                region: self.s3_region.or(file.s3_region),
                access_key: self.s3_access_key.or(file.s3_access_key),
                secret_key: self.s3_secret_key.or(file.s3_secret_key),
                cache_bytes: bytes(self.s3_cache_bytes, file.s3_cache_bytes, 1 << 30),
            },
        )?;
        let oidc = provider_settings(
            ProviderTexts {
                issuer: self.oidc_issuer.or(file.oidc_issuer),
                client_id: self.oidc_client_id.or(file.oidc_client_id),
                client_secret: self.oidc_client_secret.or(file.oidc_client_secret),
                name: self.oidc_name.or(file.oidc_name),
                role: self.oidc_role.or(file.oidc_role),
            },
            self.allow_private_calls
                .or(file.allow_private_calls)
                .unwrap_or(false),
            public_url.is_some(),
        )?;
        let config = Config {
            oidc,
            files,
            bucket,
            database,
            workspace: self.workspace.or(file.workspace),
            listen: self
                .listen
                .or(file.listen)
                .unwrap_or_else(|| ([127, 0, 0, 1], 8080).into()),
            public_url,
            mail,
            max_file_bytes: bytes(self.max_file_bytes, file.max_file_bytes, 2 << 30),
            max_record_bytes: in_memory(bytes(
                self.max_record_bytes,
                file.max_record_bytes,
                1 << 20,
            )),
            max_batch_bytes: in_memory(bytes(self.max_batch_bytes, file.max_batch_bytes, 64 << 20)),
            workers,
            secret_key: secret_keys("secret_key", self.secret_key.or(file.secret_key))?.pop(),
            old_secret_keys: secret_keys(
                "old_secret_keys",
                self.old_secret_keys.or(file.old_secret_keys),
            )?,
            trusted_proxies: self
                .trusted_proxies
                .or(file.trusted_proxies)
                .unwrap_or_default(),
            max_connections,
            api_rate: rate(self.api_rate, file.api_rate, 60_000),
            api_address_rate: rate(self.api_address_rate, file.api_address_rate, 120_000),
            sign_in_rate: rate(self.sign_in_rate, file.sign_in_rate, 60),
            metrics_listen: self.metrics_listen.or(file.metrics_listen),
            metrics_token: metrics_token.filter(|token| !token.0.trim().is_empty()),
            webhook_window,
            drain,
        };
        let log = LogSettings {
            filter: self.log.or(file.log),
            format: self.log_format.or(file.log_format).unwrap_or_default(),
            traces,
        };
        Ok((config, log))
    }
}

/// An address: a flag's was looked at already.
fn url_of(
    name: &str,
    flag: Option<String>,
    file: Option<String>,
) -> Result<Option<String>, ConfigError> {
    match (flag, file) {
        (Some(url), _) => Ok(Some(url)),
        (None, Some(url)) => match parse_public_url(&url) {
            Ok(url) => Ok(Some(url)),
            Err(error) => Err(ConfigError::Value(format!(
                "`{name}` is `{url}`, but {error}"
            ))),
        },
        (None, None) => Ok(None),
    }
}

/// A number: a flag's was looked at already.
fn number_of(
    name: &str,
    flag: Option<usize>,
    file: Option<usize>,
    default: usize,
    parse: fn(&str) -> Result<usize, String>,
) -> Result<usize, ConfigError> {
    match (flag, file) {
        (Some(number), _) => Ok(number),
        (None, Some(number)) => parse(&number.to_string())
            .map_err(|error| ConfigError::Value(format!("`{name}`: {error}"))),
        (None, None) => Ok(default),
    }
}

/// How long to say that the program is about to stop.
fn drain_of(flag: Option<u64>, file: Option<u64>) -> Result<Duration, ConfigError> {
    seconds_of("drain_seconds", flag.or(file).unwrap_or(0), parse_drain)
}

/// How far the time at which a webhook was signed may be from ours.
fn window_of(flag: Option<u64>, file: Option<u64>) -> Result<Duration, ConfigError> {
    let seconds = flag.or(file).unwrap_or(300);
    seconds_of("webhook_window_seconds", seconds, parse_window)
}

/// A number of seconds: a flag's was looked at already.
fn seconds_of(
    name: &str,
    seconds: u64,
    parse: fn(&str) -> Result<u64, String>,
) -> Result<Duration, ConfigError> {
    parse(&seconds.to_string())
        .map(Duration::from_secs)
        .map_err(|error| ConfigError::Value(format!("`{name}`: {error}")))
}

/// What is said of a bucket.
struct BucketTexts {
    endpoint: Option<String>,
    region: Option<String>,
    access_key: Option<String>,
    secret_key: Option<Secret>,
    cache_bytes: u64,
}

/// Where uploaded files are kept: the folder, and the bucket if there is one.
fn places(
    database: &str,
    files: Option<String>,
    texts: BucketTexts,
) -> Result<(PathBuf, Option<BucketSettings>), ConfigError> {
    let Some(place) = files else {
        return Ok((files_beside(database), None));
    };
    let Some((name, prefix)) = bucket_of(&place)? else {
        return Ok((place.into(), None));
    };
    let endpoint = texts.endpoint.map(|url| parse_endpoint(&url)).transpose()?;
    let bucket = BucketSettings {
        name,
        prefix,
        endpoint,
        region: texts.region.unwrap_or_else(|| "us-east-1".to_owned()),
        keys: bucket_keys(texts.access_key, texts.secret_key)?,
        cache_bytes: texts.cache_bytes,
    };
    Ok((files_beside(database), Some(bucket)))
}

/// What is said of a sign-in provider.
struct ProviderTexts {
    issuer: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    name: Option<String>,
    role: Option<String>,
}

/// The sign-in provider, if there is one.
fn provider_settings(
    texts: ProviderTexts,
    allow_private: bool,
    has_public_url: bool,
) -> Result<Option<ProviderSettings>, ConfigError> {
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let Some(issuer) = filled(texts.issuer) else {
        return Ok(None);
    };
    let missing = |setting: &str| {
        ConfigError::Value(format!(
            "`oidc_issuer` is set, but `{setting}` is not; set it to what the provider gave you for Rollbook"
        ))
    };
    if !has_public_url {
        return Err(ConfigError::Value(
            "`oidc_issuer` is set, but `public_url` is not; set it, so that the provider can send people back".to_owned(),
        ));
    }
    let role = match filled(texts.role) {
        None => None,
        Some(role) => Some(Role::from_key(&role).ok_or_else(|| {
            ConfigError::Value(format!(
                "`oidc_role` is `{role}`; use viewer, importer or admin, or leave it out"
            ))
        })?),
    };
    Ok(Some(ProviderSettings {
        issuer: issuer.trim().to_owned(),
        client_id: filled(texts.client_id).ok_or_else(|| missing("oidc_client_id"))?,
        client_secret: texts
            .client_secret
            .filter(|secret| !secret.0.is_empty())
            .ok_or_else(|| missing("oidc_client_secret"))?,
        name: filled(texts.name).unwrap_or_else(|| "single sign-on".to_owned()),
        role,
        allow_private,
    }))
}

/// Keys for stored secrets, with commas between them.
fn secret_keys(setting: &str, keys: Option<Secret>) -> Result<Vec<SecretKey>, ConfigError> {
    let keys = keys.unwrap_or_else(|| Secret(String::new()));
    let parts = keys.0.split(',').filter(|part| !part.trim().is_empty());
    parts
        .map(|part| {
            // What is wrong may not show the key.
            part.parse()
                .map_err(|error| ConfigError::Value(format!("`{setting}` cannot be used: {error}")))
        })
        .collect()
}

/// How mail is sent, if it is.
fn mail_settings(
    way: Option<Secret>,
    from: Option<String>,
) -> Result<Option<MailSettings>, ConfigError> {
    let way = way.filter(|way| !way.0.trim().is_empty());
    let from = from.filter(|from| !from.trim().is_empty());
    let Some(Secret(way)) = way else {
        return Ok(None);
    };
    // Neither the address nor what is wrong with it may show the password.
    let way = Way::parse(&way)
        .map_err(|error| ConfigError::Value(format!("`mail` cannot be used: {error}")))?;
    let from = match (from, &way) {
        (Some(from), _) => from,
        (None, Way::Folder(_)) => "Rollbook <rollbook@localhost>".to_owned(),
        (None, Way::Smtp(_)) => {
            return Err(ConfigError::Value(
                "`mail` is set, but `mail_from` is not; set it to the address that mail is sent from, for example \
                 \"Rollbook <rollbook@example.com>\""
                    .to_owned(),
            ));
        }
    };
    let from = from.trim().parse().map_err(|error| {
        ConfigError::Value(format!(
            "`mail_from` is `{from}`, which is no sender ({error}); write \"Rollbook <rollbook@example.com>\""
        ))
    })?;
    Ok(Some(MailSettings { way, from }))
}

fn read_file(path: &Path) -> Result<File, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    toml::from_str(&text).map_err(|error| ConfigError::Wrong {
        path: path.to_owned(),
        message: error.to_string(),
    })
}

/// Uploaded files lie beside the database, as its `-wal` does, so that both are moved and backed up together.
fn files_beside(database: &str) -> PathBuf {
    if database.contains("://") {
        return "rollbook-files".into();
    }
    let path = database.strip_prefix("sqlite:").unwrap_or(database);
    let mut files = OsString::from(path);
    files.push("-files");
    files.into()
}

/// The bucket and the prefix of `s3://bucket/prefix`; none for a folder.
fn bucket_of(place: &str) -> Result<Option<(String, String)>, ConfigError> {
    let place = place.trim();
    let Some((scheme, rest)) = place.split_once("://") else {
        return Ok(None);
    };
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if scheme != "s3" || name.is_empty() {
        return Err(ConfigError::Value(format!(
            "`files` is `{place}`, which is no place for files; use a folder, or s3://BUCKET/PREFIX"
        )));
    }
    let prefix = prefix.trim_matches('/');
    Ok(Some((name.to_owned(), prefix.to_owned())))
}

/// The address of an S3-compatible service.
fn parse_endpoint(url: &str) -> Result<String, ConfigError> {
    parse_public_url(url)
        .map_err(|error| ConfigError::Value(format!("`s3_endpoint` is `{url}`, but {error}")))
}

/// Both keys, or neither.
fn bucket_keys(
    access: Option<String>,
    secret: Option<Secret>,
) -> Result<Option<(String, Secret)>, ConfigError> {
    match (access, secret) {
        (Some(access), Some(secret)) => Ok(Some((access, secret))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(ConfigError::Value(
            "`s3_access_key` is set, but `s3_secret_key` is not; set both, or neither".to_owned(),
        )),
        (None, Some(_)) => Err(ConfigError::Value(
            "`s3_secret_key` is set, but `s3_access_key` is not; set both, or neither".to_owned(),
        )),
    }
}

/// A number of bytes as people write it: `1048576`, `64MiB`, `2 GiB`, `10MB`.
fn parse_bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 8] = [
        ("", 1),
        ("b", 1),
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
    ];
    let wrong = || format!("`{text}` is not a size; write bytes, or a number with KiB, MiB or GiB");
    let digits = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let (_, factor) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(*factor).ok_or_else(wrong)
}

/// How many imports run at once: each holds some records in memory and reads on all cores.
fn parse_workers(text: &str) -> Result<usize, String> {
    let number = text.trim().parse().ok();
    number
        .filter(|number| (1..=64).contains(number))
        .ok_or_else(|| format!("`{text}` is no number of workers; use 1 to 64"))
}

/// How many connections: each takes some memory and a handle.
fn parse_connections(text: &str) -> Result<usize, String> {
    let number = text.trim().parse().ok();
    number
        .filter(|number| (2..=100_000).contains(number))
        .ok_or_else(|| format!("`{text}` is no number of connections; use 2 to 100000"))
}

/// Whoever stops a service waits a minute or two for it.
fn parse_drain(text: &str) -> Result<u64, String> {
    let number = text.trim().parse().ok();
    number
        .filter(|number| *number <= 300)
        .ok_or_else(|| format!("`{text}` is no number of seconds; use 0 to 300"))
}

/// Long enough for clocks that are not quite right, too short to send an old delivery again.
fn parse_window(text: &str) -> Result<u64, String> {
    let number = text.trim().parse().ok();
    number
        .filter(|number| (10..=3600).contains(number))
        .ok_or_else(|| format!("`{text}` is no number of seconds; use 10 to 3600"))
}

/// An address for links, without the slash at its end.
fn parse_public_url(text: &str) -> Result<String, String> {
    let url = text.trim().trim_end_matches('/');
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() => Ok(url.to_owned()),
        _ => Err("it must begin with http:// or https://".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const EXAMPLE: &str = include_str!("../../../rollbook.example.toml");

    /// The example with every setting switched on.
    fn switched_on() -> String {
        let setting = |line: &&str| {
            line.strip_prefix('#')
                .and_then(|line| line.split_once(" = "))
                .is_some_and(|(key, _)| {
                    key.chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                })
        };
        let lines = EXAMPLE
            .lines()
            .filter(setting)
            .map(|line| line.trim_start_matches('#'));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn flags() -> Vec<clap::Arg> {
        let command = Flags::augment_args(clap::Command::new("rollbook"));
        command.get_arguments().cloned().collect()
    }

    #[test]
    fn the_example_names_every_setting_and_no_other() {
        let table: toml::Table = toml::from_str(&switched_on()).unwrap();
        let explained: BTreeSet<String> = table.keys().cloned().collect();
        let settings: BTreeSet<String> = flags()
            .iter()
            .map(|flag| flag.get_id().to_string())
            .filter(|id| id != "config")
            .collect();
        assert_eq!(explained, settings);
        let file: File = toml::from_str(&switched_on()).unwrap();
        assert!(!format!("{file:?}").contains("None"), "{file:?}");
    }

    #[test]
    fn the_example_shows_the_defaults() {
        let shown: File = toml::from_str(&switched_on()).unwrap();
        let (config, log) = Flags::default().resolve().unwrap();
        assert_eq!(shown.database, Some(config.database));
        assert_eq!(shown.files.map(PathBuf::from), Some(config.files));
        assert_eq!(
            (config.bucket, shown.s3_cache_bytes),
            (None, Some(Bytes(1 << 30)))
        );
        assert_eq!(shown.listen, Some(config.listen));
        let bytes = |number: usize| Some(Bytes(number as u64));
        assert_eq!(shown.max_file_bytes, Some(Bytes(config.max_file_bytes)));
        assert_eq!(shown.max_record_bytes, bytes(config.max_record_bytes));
        assert_eq!(shown.max_batch_bytes, bytes(config.max_batch_bytes));
        assert_eq!(shown.workers, Some(config.workers));
        assert_eq!(shown.max_connections, Some(config.max_connections));
        assert_eq!(shown.api_rate, Some(config.api_rate));
        assert_eq!(shown.api_address_rate, Some(config.api_address_rate));
        assert_eq!(shown.sign_in_rate, Some(config.sign_in_rate));
        assert_eq!(shown.log_format, Some(log.format));
    }

    #[test]
    fn every_setting_has_a_flag_and_a_variable_of_its_name() {
        for flag in flags() {
            let id = flag.get_id().to_string();
            assert_eq!(flag.get_long(), Some(id.replace('_', "-").as_str()));
            let variable = format!("ROLLBOOK_{}", id.to_uppercase());
            assert_eq!(
                flag.get_env().and_then(|name| name.to_str()),
                Some(variable.as_str())
            );
        }
    }

    #[test]
    fn an_unknown_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollbook.toml");
        std::fs::write(&path, "listen = \"127.0.0.1:1\"\nlisten_on = 1\n").unwrap();
        let flags = Flags {
            config: Some(path),
            ..Flags::default()
        };
        let error = flags.resolve().unwrap_err().to_string();
        assert!(
            error.contains("listen_on") && error.contains("rollbook.toml"),
            "{error}"
        );
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rollbook.toml");
        std::fs::write(
            &path,
            "database = \"sqlite:a.db\"\nmax_file_bytes = \"3MiB\"",
        )
        .unwrap();
        let flags = Flags {
            config: Some(path),
            database: Some("sqlite:b.db".to_owned()),
            ..Flags::default()
        };
        let (config, _) = flags.resolve().unwrap();
        assert_eq!(config.database, "sqlite:b.db");
        assert_eq!(config.files, PathBuf::from("b.db-files"));
        assert_eq!(config.max_file_bytes, 3 << 20);
    }

    #[test]
    fn a_bucket_takes_the_place_of_the_folder_and_its_secret_is_not_shown() {
        let flags = |files: &str, secret: Option<&str>| Flags {
            database: Some("sqlite:a.db".to_owned()),
            files: Some(files.to_owned()),
            s3_endpoint: Some("http://127.0.0.1:9000/".to_owned()),
            s3_access_key: Some("AKIA".to_owned()),
            s3_secret_key: secret.map(|secret| Secret(secret.to_owned())),
            ..Flags::default()
        };
        let given = flags("s3://uploads/hotel/files/", Some("very secret"));
        assert!(!format!("{given:?}").contains("very secret"));
        let (config, _) = given.resolve().unwrap();
        assert!(!format!("{config:?}").contains("very secret"));
        assert_eq!(config.files, PathBuf::from("a.db-files"));
        let bucket = config.bucket.unwrap();
        assert_eq!((&*bucket.name, &*bucket.prefix), ("uploads", "hotel/files"));
        assert_eq!(bucket.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(
            (&*bucket.region, bucket.cache_bytes),
            ("us-east-1", 1 << 30)
        );
        assert_eq!(bucket.keys.unwrap().1.reveal(), "very secret");
        for (wrong, secret, said) in [
            ("gs://uploads", Some("x"), "`files` is `gs://uploads`"),
            ("s3://", Some("x"), "`files`"),
            ("s3://uploads", None, "`s3_secret_key`"),
        ] {
            let error = flags(wrong, secret).resolve().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn sizes_are_read() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1048576", Some(1 << 20)),
            ("64MiB", Some(64 << 20)),
            ("2 GiB", Some(2 << 30)),
            ("10mb", Some(10_000_000)),
            ("", None),
            ("MiB", None),
            ("1.5GiB", None),
            ("5 apples", None),
            ("99999999999GiB", None),
        ] {
            assert_eq!(parse_bytes(text).ok(), expected, "{text:?}");
        }
    }
}
