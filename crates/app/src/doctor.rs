//! `rollbook doctor`: what is well with an installation, what is not, and what to do about it.
//!
//! Nothing is changed: the database is neither made nor migrated, no mail is sent, and what is written to try a place is
//! removed again.

mod places;
mod sources;

use rollbook_store::upkeep::Inspection;
use rollbook_store::{StoreError, Timestamp};

use crate::app::App;
use crate::config::Config;
use crate::http::pages::show::counted;
use crate::mail::deliver;
use crate::wire::rfc3339;
use crate::{clock, disk, secrets};

/// A record of the log that is further in the future than this was not received by a right clock.
const SKEW_MILLIS: i64 = 5 * 60 * 1000;

/// An import or a mail that has waited for longer than this should have been taken.
const LONG_MILLIS: i64 = 15 * 60 * 1000;

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// As it should be.
    Well,
    /// It works, but somebody should look.
    Warning,
    /// It does not work.
    Error,
}

impl State {
    /// The word of the output.
    pub(crate) fn key(self) -> &'static str {
        match self {
            State::Well => "ok",
            State::Warning => "warning",
            State::Error => "error",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What was looked at.
    pub(crate) name: String,
    /// How it is.
    pub(crate) state: State,
    /// What was found; what to do if it is not well.
    pub(crate) text: String,
}

/// What was found, in the order in which it was looked for.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) Vec<Finding>);

impl Findings {
    fn add(&mut self, state: State, name: &str, text: impl Into<String>) {
        self.0.push(Finding {
            name: name.to_owned(),
            state,
            text: text.into(),
        });
    }

    fn well(&mut self, name: &str, text: impl Into<String>) {
        self.add(State::Well, name, text);
    }

    fn warn(&mut self, name: &str, text: impl Into<String>) {
        self.add(State::Warning, name, text);
    }

    fn fail(&mut self, name: &str, text: impl Into<String>) {
        self.add(State::Error, name, text);
    }

    /// The worst of it.
    pub(crate) fn worst(&self) -> State {
        let states = self.0.iter().map(|finding| finding.state);
        states.max().unwrap_or(State::Well)
    }
}

/// Looks at everything. `thorough` reads the whole database.
pub(crate) async fn examine(config: &Config, thorough: bool) -> Findings {
    let mut findings = Findings::default();
    settings(&mut findings, config);
    let inspection = database(&mut findings, config, thorough).await;
    places::room(&mut findings, config);
    places::rights(&mut findings, config);
    places::files(&mut findings, config).await;
    mail(&mut findings, config).await;
    let Some(inspection) = inspection else {
        return findings;
    };
    clock_against(&mut findings, inspection.latest);
    // Opening an older database would migrate it, and one without a workspace would get one.
    if inspection.version == inspection.known && inspection.counts.workspaces > 0 {
        match App::open(config.clone()).await {
            Ok(app) => {
                let looked = async {
                    waiting(&mut findings, &app).await?;
                    sealed(&mut findings, &app).await?;
                    sources::look(&mut findings, &app).await
                };
                if let Err(error) = looked.await {
                    findings.fail("database", format!("{error}"));
                }
            }
            Err(error) => findings.fail("database", format!("it cannot be opened: {error:#}")),
        }
    }
    findings
}

fn settings(findings: &mut Findings, config: &Config) {
    let name = "settings";
    let mut well = true;
    let https = config
        .public_url
        .as_deref()
        .is_some_and(|url| url.starts_with("https://"));
    if !config.listen.ip().is_loopback() && !https {
        well = false;
        findings.warn(
            name,
            format!(
                "other machines reach {} without TLS; listen on 127.0.0.1 behind a proxy with TLS, and set `public_url` \
                 to its https:// address",
                config.listen
            ),
        );
    }
    if config.mail.is_some() && config.public_url.is_none() {
        well = false;
        findings.warn(
            name,
            "mails carry no links; set `public_url` to the address that people use",
        );
    }
    if config
        .metrics_listen
        .is_some_and(|address| !address.ip().is_loopback())
    {
        well = false;
        findings.warn(
            name,
            "others than this machine may read `metrics_listen`; let only the monitoring system reach it",
        );
    }
    if well {
        findings.well(name, "nothing contradicts itself");
    }
}

async fn database(findings: &mut Findings, config: &Config, thorough: bool) -> Option<Inspection> {
    let name = "database";
    let path = match rollbook_store::path_of(&config.database) {
        Ok(path) => path,
        Err(error) => {
            findings.fail(name, error.to_string());
            return None;
        }
    };
    if !path.is_file() {
        let text = format!(
            "there is none at `{}`; `rollbook serve` makes it, or name another with --database",
            path.display()
        );
        findings.warn(name, text);
        return None;
    }
    let found = match rollbook_store::inspect(path.clone(), thorough).await {
        Ok(found) => found,
        Err(error @ StoreError::Damaged(_)) => {
            findings.fail(
                name,
                format!(
                    "{error}; stop Rollbook and restore your newest backup with `rollbook restore`"
                ),
            );
            return None;
        }
        Err(error) => {
            findings.fail(name, error.to_string());
            return None;
        }
    };
    for damage in &found.damage {
        findings.fail(
            name,
            format!("it is damaged: {damage}; stop Rollbook and restore your newest backup with `rollbook restore`"),
        );
    }
    if !found.damage.is_empty() {
        return None;
    }
    if found.version > found.known {
        let (found, known) = (found.version, found.known);
        findings.fail(name, StoreError::Newer { found, known }.to_string());
        return None;
    }
    if found.version < found.known {
        findings.warn(
            name,
            format!(
                "its schema has version {}, this program makes {} of it when it opens it; make a backup before, then run \
                 `rollbook migrate`",
                found.version, found.known
            ),
        );
    } else {
        findings.well(
            name,
            format!(
                "`{}` is whole: {}, {}, {}, schema version {}",
                path.display(),
                counted(found.counts.contacts, "contact", "contacts"),
                counted(found.counts.attempts, "attempt", "attempts"),
                counted(found.counts.imports, "import", "imports"),
                found.version
            ),
        );
    }
    match &found.index {
        Some(trouble) => findings.warn(
            "index",
            format!(
                "the index of identifiers is damaged ({trouble}); whoever writes next makes it anew from the contacts, \
                 for example `rollbook serve` when it starts"
            ),
        ),
        None => findings.well("index", "the index of identifiers is whole"),
    }
    unreadable(findings, &found);
    Some(found)
}

fn unreadable(findings: &mut Findings, found: &Inspection) {
    if found.unreadable == 0 {
        return;
    }
    let listed: Vec<String> = found
        .unreadable_contacts
        .iter()
        .map(|(workspace, contact)| format!("{contact} of workspace {}", workspace.0))
        .collect();
    let more = found.unreadable - listed.len() as u64;
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    findings.fail(
        "contacts",
        format!(
            "{} cannot be read and are not found by their identifiers: {}{more}; restore a backup from before, or send \
             these people again",
            found.unreadable,
            listed.join(", ")
        ),
    );
}

async fn mail(findings: &mut Findings, config: &Config) {
    let name = "mail";
    let Some(settings) = &config.mail else {
        findings.warn(
            name,
            "no mail is sent, so nobody is told of failed rows; set `mail` and `mail_from`",
        );
        return;
    };
    match deliver::try_place(&settings.way).await {
        Ok(()) => findings.well(name, format!("{} takes mail", settings.way)),
        Err(refused) => findings.fail(
            name,
            format!(
                "{}; check the setting `mail`, mails wait meanwhile",
                refused.why
            ),
        ),
    }
}

fn clock_against(findings: &mut Findings, latest: Option<Timestamp>) {
    let now = clock::now();
    let name = "clock";
    match latest {
        Some(latest) if latest.0 > now.0 + SKEW_MILLIS => findings.fail(
            name,
            format!(
                "it says {}, but a record was received at {}; set it right, for example with an NTP service",
                rfc3339(now),
                rfc3339(latest)
            ),
        ),
        _ => findings.well(name, format!("it says {}", rfc3339(now))),
    }
}

async fn waiting(findings: &mut Findings, app: &App) -> Result<(), StoreError> {
    let now = clock::now();
    let queues = app.store.queues(now).await?;
    let long = |since: Option<Timestamp>| since.is_some_and(|since| now.0 - since.0 > LONG_MILLIS);
    if long(queues.oldest_import) || queues.imports_abandoned > 0 {
        findings.warn(
            "imports",
            format!(
                "{} wait and {} have no worker any more; start `rollbook serve`, or raise `workers`",
                queues.imports_waiting, queues.imports_abandoned
            ),
        );
    } else {
        findings.well(
            "imports",
            format!(
                "{} run, {} wait",
                queues.imports_running, queues.imports_waiting
            ),
        );
    }
    if queues.mails_failed > 0 || long(queues.oldest_mail) {
        findings.warn(
            "outbox",
            format!(
                "{} mails wait and {} were given up; `rollbook mail list` says why, `rollbook mail retry` sends one again",
                queues.mails_waiting, queues.mails_failed
            ),
        );
    } else {
        findings.well(
            "outbox",
            format!("{} to send", counted(queues.mails_waiting, "mail", "mails")),
        );
    }
    Ok(())
}

/// Whether stored secrets are sealed, and can be opened.
async fn sealed(findings: &mut Findings, app: &App) -> Result<(), StoreError> {
    let name = "secrets";
    let counts = secrets::count(app).await?;
    let damaged = secrets::damaged(app).await?;
    if damaged > 0 {
        findings.fail(
            name,
            format!(
                "{damaged} cannot be opened, although the key is there: they are damaged; set the second factors or signed \
                 webhooks up anew, or restore a backup"
            ),
        );
        return Ok(());
    }
    if counts.unreadable > 0 {
        findings.fail(
            name,
            format!(
                "{} cannot be opened, and `rollbook serve` does not start; set ROLLBOOK_SECRET_KEY, or \
                 ROLLBOOK_OLD_SECRET_KEYS, to the key that they were sealed with",
                counts.unreadable
            ),
        );
    } else if counts.plain > 0 {
        findings.warn(
            name,
            format!(
                "{} are stored as they are; set ROLLBOOK_SECRET_KEY to a key from `rollbook secrets new-key`",
                counts.plain
            ),
        );
    } else if counts.old > 0 {
        findings.warn(
            name,
            format!(
                "{} are sealed with an old key; run `rollbook secrets seal`",
                counts.old
            ),
        );
    } else {
        findings.well(name, "none is stored as it is");
    }
    Ok(())
}

/// The database's file and what is beside it.
fn database_bytes(config: &Config) -> u64 {
    rollbook_store::path_of(&config.database).map_or(0, |path| disk::database_bytes(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_counts() {
        let mut findings = Findings::default();
        assert_eq!(findings.worst(), State::Well);
        findings.warn("a", "b");
        findings.well("a", "b");
        assert_eq!(findings.worst(), State::Warning);
        findings.fail("a", "b");
        assert_eq!(findings.worst(), State::Error);
    }

    #[test]
    fn a_record_of_the_future_tells_of_a_wrong_clock() {
        let now = clock::now().0;
        for (ahead, state) in [
            (-1000, State::Well),
            (SKEW_MILLIS - 60_000, State::Well),
            (SKEW_MILLIS + 60_000, State::Error),
        ] {
            let mut findings = Findings::default();
            clock_against(&mut findings, Some(Timestamp(now + ahead)));
            assert_eq!(findings.worst(), state, "{ahead}");
        }
    }
}
