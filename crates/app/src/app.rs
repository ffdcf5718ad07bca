//! What every command, endpoint, page and worker shares.

use std::ops::Deref;
use std::sync::Arc;

use rollbook_engine::field::blank::BlankWords;
use rollbook_engine::field::date::DateOrder;
use rollbook_engine::mapping::Locale;
use rollbook_engine::schema::Schema;
use rollbook_store::sources::Source;
use rollbook_store::workspaces::{Workspace, WorkspaceSettings};
use rollbook_store::{AnyStore, StoreError, WorkspaceId};

use crate::blobs::Blobs;
use crate::clock;
use crate::config::Config;
use crate::door::Door;
use crate::http::health::Readiness;
use crate::imports::receive::Bindings;
use crate::imports::review::Reviews;
use crate::metrics::Metrics;
use crate::secrets::Vault;
use crate::stopping::Stopping;

/// The product, open.
///
/// Each layer that a request passes has a clone, so that a clone has to be cheap.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

/// What the product is made of.
pub(crate) struct Parts {
    /// Where everything is kept.
    pub(crate) store: AnyStore,
    /// How it was started.
    pub(crate) config: Arc<Config>,
    /// Uploaded files.
    pub(crate) blobs: Blobs,
    /// What the sources that deliver just now are read by.
    pub(crate) bindings: Bindings,
    /// The reviews of imports that wait.
    pub(crate) reviews: Reviews,
    /// What opens stored secrets.
    pub(crate) vault: Vault,
    /// Who knocks how often.
    pub(crate) door: Door,
    /// What is counted and measured.
    pub(crate) metrics: Arc<Metrics>,
    /// Whether it is able to work.
    pub(crate) readiness: Readiness,
    /// Whether it was told to stop.
    pub(crate) stopping: Stopping,
}

/// Why a command has no workspace to work in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkspaceError {
    /// There are several.
    #[error("there are several workspaces: `{names}`; name one with --workspace")]
    Several {
        /// Their names.
        names: String,
    },
    /// None has this name.
    #[error(
        "there is no workspace `{name}`; choose one of `{names}`, or make it with: rollbook workspace add"
    )]
    Unknown {
        /// The name that was given.
        name: String,
        /// Those there are.
        names: String,
    },
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WorkspaceError {
    /// Whether the person can only mend it on the command line.
    pub(crate) fn is_usage(&self) -> bool {
        !matches!(self, WorkspaceError::Store(_))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Opens the store and makes the first workspace if there is none.
    pub(crate) async fn open(config: Config) -> anyhow::Result<App> {
        let blobs = Blobs::open(&config)?;
        let store = rollbook_store::open(&config.database).await?;
        let app = App(Arc::new(Parts {
            store,
            door: Door::new(&config),
            vault: Vault::new(config.secret_key.as_ref(), &config.old_secret_keys),
            config: Arc::new(config),
            blobs,
            bindings: Bindings::default(),
            reviews: Reviews::default(),
            metrics: Arc::default(),
            readiness: Readiness::default(),
            stopping: Stopping::default(),
        }));
        if app.store.workspaces().await?.is_empty() {
            let made = app
                .store
                .add_workspace(workspace_named("My workspace"), clock::now());
            match made.await {
                // Another process was faster.
                Ok(_) | Err(StoreError::Exists(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(app)
    }

    /// The workspace that a command works in: the one that was named, else the only one.
    pub(crate) async fn workspace(&self) -> Result<Workspace, WorkspaceError> {
        let mut all = self.store.workspaces().await?;
        let names = || {
            let names = all.iter().map(|workspace| workspace.settings.name.as_str());
            names.collect::<Vec<_>>().join("`, `")
        };
        let position = match &self.config.workspace {
            Some(name) => {
                let wanted = name.trim().to_lowercase();
                all.iter()
                    .position(|workspace| workspace.settings.name.to_lowercase() == wanted)
                    .ok_or_else(|| WorkspaceError::Unknown {
                        name: name.clone(),
                        names: names(),
                    })?
            }
            None if all.len() > 1 => return Err(WorkspaceError::Several { names: names() }),
            None => 0,
        };
        if position >= all.len() {
            return Err(StoreError::Missing("the workspace".to_owned()).into());
        }
        Ok(all.swap_remove(position))
    }

    /// The workspace that was made first: the first administrator belongs to it, and the sample data.
    pub(crate) async fn first_workspace(&self) -> Result<Workspace, StoreError> {
        let workspaces = self.store.workspaces().await?;
        workspaces
            .into_iter()
            .next()
            .ok_or_else(|| StoreError::Missing("the workspace".to_owned()))
    }

    /// The settings of a workspace.
    pub(crate) async fn settings(&self, id: WorkspaceId) -> Result<WorkspaceSettings, StoreError> {
        let mut workspaces = self.store.workspaces().await?.into_iter();
        let workspace = workspaces.find(|workspace| workspace.id == id);
        workspace
            .map(|workspace| workspace.settings)
            .ok_or_else(|| StoreError::Missing(format!("workspace {}", id.0)))
    }

    /// The fields of a workspace.
    pub(crate) async fn schema(&self, workspace: WorkspaceId) -> Result<Arc<Schema>, StoreError> {
        Ok(Arc::new(Schema::with_custom(
            self.store.custom_fields(workspace).await?,
        )))
    }
}

/// How a source's records are read.
pub(crate) fn locale(workspace: &WorkspaceSettings, source: &Source) -> Locale {
    Locale {
        region: source
            .settings
            .region
            .clone()
            .or_else(|| workspace.region.clone()),
        date_order: workspace
            .date_order
            .as_deref()
            .and_then(|order| order.parse::<DateOrder>().ok()),
        blank_words: match &workspace.blank_words {
            Some(words) => {
                let words = || words.iter().map(String::as_str);
                BlankWords::new(
                    words(),
                    words().filter(|word| matches!(*word, "n/a" | "-" | "--")),
                )
            }
            None => BlankWords::default(),
        },
    }
}

/// The settings that a workspace begins with.
pub(crate) fn workspace_named(name: &str) -> WorkspaceSettings {
    WorkspaceSettings {
        name: name.to_owned(),
        time_zone: "UTC".to_owned(),
        region: None,
        date_order: None,
        blank_words: None,
    }
}
