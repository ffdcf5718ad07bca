//! Who calls the API: keys, what they may do, and a short memory of keys and sources.
//!
//! A key is found by the SHA-256 of its text, so that comparing it takes the same time for every wrong one. What was
//! found is remembered for [`FRESH`], because every record comes with a key and a source: revoking a key or pausing a
//! source takes effect within that time in every process that serves.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use rollbook_store::sources::{ApiKey, Source, SourceId};
use rollbook_store::{StoreError, Timestamp, WorkspaceId};

use crate::access::hash_secret;
use crate::app::App;
use crate::audit::Actor;
use crate::clock;
use crate::http::api::Api;
use crate::http::client;
use crate::http::error::{Kind, Problem};
use crate::wire::SourceNames;

/// How long a key or a source is remembered.
const FRESH: Duration = Duration::from_secs(1);

/// How many keys are remembered.
const REMEMBERED_KEYS: usize = 10_000;

/// A key's use is written down at most this often, in milliseconds.
const TOUCH_MILLIS: i64 = 60_000;

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    key: Arc<ApiKey>,
    ip: Option<IpAddr>,
}

/// A caller whose key belongs to no source.
#[derive(Debug, Clone)]
pub(crate) struct Administrator(Caller);

/// The sources of a workspace, as they were a moment ago.
#[derive(Debug, Default)]
pub(crate) struct SourceList {
    sources: Vec<Arc<Source>>,
    /// Their names.
    pub(crate) names: SourceNames,
}

/// Something, and when it was read.
type Remembered<T> = (Instant, Arc<T>);

/// What is remembered of keys and sources.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    keys: RwLock<HashMap<[u8; 32], Remembered<ApiKey>>>,
    sources: RwLock<HashMap<WorkspaceId, Remembered<SourceList>>>,
}

impl Caller {
    /// The workspace that the key belongs to.
    pub(crate) fn workspace(&self) -> WorkspaceId {
        self.key.workspace
    }

    /// The source that the key is bound to, if it is.
    pub(crate) fn source(&self) -> Option<SourceId> {
        self.key.source
    }

    /// What people call the key.
    pub(crate) fn name(&self) -> &str {
        &self.key.name
    }

    /// How the audit names them.
    pub(crate) fn actor(&self) -> Actor {
        Actor {
            name: format!("key {} ({}…)", self.key.name, self.key.prefix),
            address: self.ip.map(|ip| ip.to_string()).unwrap_or_default(),
        }
    }

    /// Refuses keys that belong to a source.
    pub(crate) fn administrator(&self) -> Result<(), Problem> {
        match self.key.source {
            None => Ok(()),
            Some(_) => Err(Problem::new(
                Kind::Forbidden,
                "this key belongs to a source: it may deliver to its source and read what came of its deliveries; use \
                 a key that was made without a source",
            )),
        }
    }
}

impl Administrator {
    /// What people call the key.
    pub(crate) fn name(&self) -> &str {
        self.0.name()
    }

    /// The workspace that the key belongs to.
    pub(crate) fn workspace(&self) -> WorkspaceId {
        self.0.workspace()
    }

    /// How the audit names them.
    pub(crate) fn actor(&self) -> Actor {
        self.0.actor()
    }
}

impl SourceList {
    fn of(sources: Vec<Source>) -> SourceList {
        SourceList {
            names: SourceNames::of(&sources),
            sources: sources.into_iter().map(Arc::new).collect(),
        }
    }

    /// The source with a name.
    pub(crate) fn by_name(&self, name: &str) -> Option<&Arc<Source>> {
        self.sources
            .iter()
            .find(|source| source.settings.name == name)
    }

    /// The source with a number.
    pub(crate) fn by_id(&self, id: SourceId) -> Option<&Arc<Source>> {
        self.sources.iter().find(|source| source.id == id)
    }

    /// What the sources are called.
    pub(crate) fn source_names(&self) -> impl Iterator<Item = &str> {
        self.sources
            .iter()
            .map(|source| source.settings.name.as_str())
    }
}

impl Directory {
    /// The caller with this key; none if there is no such key or it was revoked.
    async fn caller(&self, app: &App, secret: &str) -> Result<Option<Caller>, StoreError> {
        let hash = hash_secret(secret);
        let now = Instant::now();
        let known = self
            .keys
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&hash)
            .filter(|(since, _)| now.duration_since(*since) < FRESH)
            .map(|(_, key)| Arc::clone(key))
            .filter(|key| key.expires_at.is_none() || key.is_valid(clock::now()));
        if let Some(key) = known {
            return Ok(Some(Caller { key, ip: None }));
        }
        let found = app.store.key_by_hash(hash).await?;
        let found = found.filter(|key| key.is_valid(clock::now()));
        let Some(key) = found.map(Arc::new) else {
            self.keys
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&hash);
            return Ok(None);
        };
        {
            let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            if keys.len() >= REMEMBERED_KEYS {
                keys.clear();
            }
            keys.insert(hash, (now, Arc::clone(&key)));
        }
        touch(app, &key);
        Ok(Some(Caller { key, ip: None }))
    }

    /// The sources of a workspace, with the one that a key belongs to: it may have been added just now, by another
    /// process.
    pub(crate) async fn sources(
        &self,
        app: &App,
        workspace: WorkspaceId,
        own: Option<SourceId>,
    ) -> Result<Arc<SourceList>, StoreError> {
        let now = Instant::now();
        let known = self
            .sources
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&workspace)
            .filter(|(since, _)| now.duration_since(*since) < FRESH)
            .filter(|(_, sources)| own.is_none_or(|own| sources.by_id(own).is_some()))
            .map(|(_, sources)| Arc::clone(sources));
        if let Some(sources) = known {
            return Ok(sources);
        }
        let sources = Arc::new(SourceList::of(app.store.sources(workspace).await?));
        self.sources
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(workspace, (now, Arc::clone(&sources)));
        Ok(sources)
    }

    /// Forgets everything: a key or a source was changed here.
    pub(crate) fn forget(&self) {
        self.keys
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.sources
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Writes down that a key is used, beside the request, unless that was done a moment ago.
fn touch(app: &App, key: &Arc<ApiKey>) {
    let now = clock::now();
    let due = |last: Timestamp| now.0.saturating_sub(last.0) >= TOUCH_MILLIS;
    if key.last_used_at.is_none_or(due) {
        let (app, key) = (app.clone(), Arc::clone(key));
        tokio::spawn(async move {
            if let Err(error) = app.store.touch_key(key.workspace, key.id, now).await {
                tracing::warn!("the use of a key was not written down: {error}");
            }
        });
    }
}

/// The token of `Authorization: Bearer <token>`.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Caller, Problem> {
        const HOW: &str = "send `Authorization: Bearer <key>` with a key from Admin Settings > Sources or \
                           `rollbook key create`";
        let (door, ip) = (&api.app.door, client::ip(&parts.extensions));
        door.call(ip)?;
        let Some(value) = parts.headers.get(header::AUTHORIZATION) else {
            return Err(Problem::new(
                Kind::KeyMissing,
                format!("the request has no API key; {HOW}"),
            ));
        };
        let Some(secret) = value.to_str().ok().and_then(bearer) else {
            return Err(Problem::new(
                Kind::KeyMissing,
                format!("the header `Authorization` holds no bearer key; {HOW}"),
            ));
        };
        let caller = api.directory.caller(&api.app, secret).await?;
        let caller = caller.ok_or_else(|| {
            Problem::new(
                Kind::KeyRefused,
                format!("the API key is unknown, was revoked or has been replaced; {HOW}"),
            )
        })?;
        door.key(caller.key.workspace, caller.key.id)?;
        Ok(Caller { ip, ..caller })
    }
}

impl FromRequestParts<Api> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Administrator, Problem> {
        let caller = Caller::from_request_parts(parts, api).await?;
        caller.administrator()?;
        Ok(Administrator(caller))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_a_bearer_header_is_found() {
        for (value, expected) in [
            ("Bearer rb_1", Some("rb_1")),
            ("bearer  rb_1 ", Some("rb_1")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Basic cm9sbA==", None),
            ("rb_1", None),
            ("", None),
        ] {
            assert_eq!(bearer(value), expected, "{value:?}");
        }
    }
}
