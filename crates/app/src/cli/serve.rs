//! `rollbook serve`: pages, API and workers.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use rollbook_store::accounts::Role;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use super::terminal::say;
use super::{Done, user};
use crate::app::App;
use crate::clock;
use crate::config::Config;
use crate::http::{self, health};
use crate::{jobs, secrets};

/// How long answers that are on their way may take once the program was told to stop. Live pages never end by
/// themselves.
const GRACE: Duration = Duration::from_secs(5);

/// The variable with the first administrator's password; a flag would show in the list of processes.
const PASSWORD_VARIABLE: &str = "ROLLBOOK_ADMIN_PASSWORD";

/// Serve the pages and the API, and run the imports that wait
///
/// Prints the address when it listens. At the first start, when nobody can sign in yet, the first administrator is made
/// and the password printed once on standard error, or taken from `ROLLBOOK_ADMIN_PASSWORD`. SIGTERM and Ctrl-C stop
/// it: what is being answered is finished, and so is the batch of each import, which goes on when Rollbook starts
/// again. Until it is ready, and once it stops, `/readyz` answers 503.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rollbook serve
  rollbook serve --listen 0.0.0.0:8080 --public-url https://contacts.example.com
  ROLLBOOK_ADMIN_PASSWORD=… rollbook serve --admin-email it@example.com")]
pub(super) struct Serve {
    #[command(flatten)]
    admin: FirstAdmin,
}

/// The person who can sign in first.
#[derive(Debug, Clone, Args)]
pub(super) struct FirstAdmin {
    /// The email of the first administrator, if there is nobody yet
    #[arg(
        long,
        env = "ROLLBOOK_ADMIN_EMAIL",
        value_name = "EMAIL",
        default_value = "admin@rollbook.local",
        hide_env_values = true
    )]
    admin_email: String,
}

impl Serve {
    /// Serves until the process is told to stop.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        let (entrance, config) = listen(config).await?;
        let app = App::open(config).await?;
        secrets::prepare(&app).await?;
        self.admin.ensure(&app).await?;
        serve(entrance, app).await
    }
}

impl FirstAdmin {
    /// Makes the first administrator if nobody can sign in yet, and says how.
    pub(super) async fn ensure(&self, app: &App) -> anyhow::Result<()> {
        if app.store.has_users().await? {
            return Ok(());
        }
        let workspace = app.first_workspace().await?;
        let email = user::checked_email(&self.admin_email)?;
        let given = std::env::var(PASSWORD_VARIABLE)
            .ok()
            .filter(|password| !password.is_empty());
        if let Some(password) = &given {
            user::check_password(password, &email).context(PASSWORD_VARIABLE)?;
        }
        let password = given.clone().unwrap_or_else(user::new_password);
        let hash = user::hash(password.clone()).await?;
        app.store
            .add_user(
                workspace.id,
                &email,
                &email,
                Role::Admin,
                &hash,
                clock::now(),
            )
            .await?;
        say(&match given {
            Some(_) => format!("first administrator: {email}, password from {PASSWORD_VARIABLE}"),
            None => format!(
                "first administrator: {email}\npassword: {password}\n(shown only now; a new one: rollbook user \
                 set-password {email})"
            ),
        });
        Ok(())
    }
}

/// The address while the program starts: whoever comes is told to come again.
pub(super) struct Entrance {
    listener: TcpListener,
    open: oneshot::Sender<()>,
    starting: JoinHandle<()>,
}

/// Takes the address, and settles the configuration on it: port 0 becomes a real one. From now on it is answered.
pub(super) async fn listen(mut config: Config) -> anyhow::Result<(Entrance, Config)> {
    let listen = config.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; choose another with --listen"))?;
    config.listen = listener.local_addr()?;
    // A second handle on the same queue of connections, so that nobody is refused when the site takes over.
    let listener = listener.into_std()?;
    let handle = TcpListener::from_std(listener.try_clone()?)?;
    let (open, opened) = oneshot::channel();
    let limits = config.clone();
    let starting = async move {
        let site = health::starting_site();
        http::server::serve(handle, site, &limits, async {
            // An error means that the program ends.
            let _ = opened.await;
        })
        .await;
    };
    let entrance = Entrance {
        listener: TcpListener::from_std(listener)?,
        open,
        starting: tokio::spawn(starting),
    };
    Ok((entrance, config))
}

impl Entrance {
    /// Ends what is said while the program starts; the site takes over.
    async fn open(self) -> TcpListener {
        let _ = self.open.send(());
        // Whoever holds a connection open without a word does not hold up the site.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.starting).await;
        self.listener
    }
}

/// Serves until the process is told to stop; then finishes what is being answered, and the batches of imports.
pub(super) async fn serve(entrance: Entrance, app: App) -> anyhow::Result<Done> {
    let stop = asked_to_stop()?;
    app.store.prepare().await?;
    let metrics = match app.config.metrics_listen {
        Some(address) => Some(TcpListener::bind(address).await.with_context(|| {
            format!("cannot show metrics on {address}; choose another with --metrics-listen")
        })?),
        None => None,
    };
    let (tell, told) = oneshot::channel::<()>();
    let mut workers = JoinSet::new();
    for _ in 0..app.config.workers {
        workers.spawn(jobs::worker::work(app.clone()));
    }
    // Dropped together with the set, these end where they are.
    let mut others = JoinSet::new();
    others.spawn(jobs::digest::work(app.clone()));
    others.spawn(jobs::erase::work(app.clone()));
    others.spawn(jobs::sweep::work(app.clone()));
    let senders = jobs::send_mail::Senders::start(&app);
    if let Some(listener) = metrics {
        say(&format!(
            "metrics on http://{}/metrics",
            listener.local_addr()?
        ));
        let (site, config) = (health::metrics_site(app.clone()), Arc::clone(&app.config));
        others.spawn(async move {
            http::server::serve(listener, site, &config, std::future::pending()).await;
        });
    }
    let address = app.config.listen;
    let config = Arc::clone(&app.config);
    let site = http::router::router(app.clone());
    let server = http::server::serve(entrance.open().await, site, &config, async {
        // An error means that nobody is left to tell us: stop as well.
        let _ = told.await;
    });
    say(&format!("listening on http://{address}"));
    let stopping = async {
        stop.await;
        say("stopping …");
        // From now on `/readyz` says so, live pages end, and workers end with their batch.
        app.stopping.begin();
        senders.stop();
        tokio::time::sleep(app.config.drain).await;
        // The server may have ended by itself.
        let _ = tell.send(());
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = server => {}
        () = stopping => {}
    }
    app.stopping.begin();
    let batches = async { while workers.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, batches).await.is_err() {
        tracing::warn!("an import is stopped in its middle; it goes on at its last batch");
    }
    senders.finish(GRACE).await;
    Ok(Done::Fully)
}

/// Waits for SIGTERM or Ctrl-C.
fn asked_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
