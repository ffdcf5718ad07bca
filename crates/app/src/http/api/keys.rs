//! API keys: `/keys`.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use rollbook_store::StoreError;
use rollbook_store::sources::ApiKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{MAX_OVERLAP_HOURS, about_rotation, create_key, rotate_key};
use crate::audit::Act;
use crate::clock;
use crate::http::api::Api;
use crate::http::api::body::{Settings, settings_or_default};
use crate::http::auth::Administrator;
use crate::http::error::{Checked, Guarded, GuardedBody, Kind, Named, Problem};
use crate::wire::{SourceNames, rfc3339};

/// The longest name of a key in characters.
const MAX_NAME: usize = 100;

/// A key as listed; the key itself is only known to its holder.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeyJson {
    /// Its number.
    #[schema(example = "1")]
    id: String,
    /// What people call it.
    #[schema(example = "Booking desk")]
    name: String,
    /// The name of the source that it may deliver to; null for a key that may do everything.
    #[schema(example = "front-desk")]
    source: Option<String>,
    /// Its first characters, to tell it from others.
    #[schema(example = "rb_4fK2x")]
    prefix: String,
    /// When it was made: RFC 3339, UTC.
    #[schema(format = "date-time")]
    created_at: String,
    /// When it was last used, to the minute.
    #[schema(format = "date-time")]
    last_used_at: Option<String>,
    /// When it was revoked.
    #[schema(format = "date-time")]
    revoked_at: Option<String>,
    /// Until when it is valid, once a new one has replaced it.
    #[schema(format = "date-time")]
    expires_at: Option<String>,
}

/// All keys.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyList)]
pub(crate) struct KeyListJson {
    /// Newest first, revoked ones included.
    keys: Vec<KeyJson>,
}

/// A key that was just made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyWithSecret)]
pub(crate) struct KeyWithSecretJson {
    #[serde(flatten)]
    key: KeyJson,
    /// The key itself. It is told this once; only its hash is kept.
    #[schema(example = "rb_4fK2xY0m7t9cQ1sVwZb3nE5uH8jL6pR0aD2gXqTzMkI")]
    secret: String,
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewKey)]
pub(crate) struct NewKeyJson {
    /// What people call it.
    #[schema(example = "Booking desk")]
    name: String,
    /// The name of the source that it may deliver to; null or left out for a key that may do everything.
    #[serde(default)]
    #[schema(example = "front-desk")]
    source: Option<String>,
}

/// How a key is replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = KeyRotation)]
pub(crate) struct RotationJson {
    /// For how many hours the old key stays valid; 24 if it is left out, at most 720.
    #[schema(example = 24, minimum = 0, maximum = 720)]
    overlap_hours: u32,
}

impl Default for RotationJson {
    fn default() -> RotationJson {
        RotationJson { overlap_hours: 24 }
    }
}

impl KeyJson {
    fn of(key: ApiKey, sources: &SourceNames) -> KeyJson {
        KeyJson {
            id: key.id.to_string(),
            name: key.name,
            source: key.source.map(|id| sources.name(id)),
            prefix: key.prefix,
            created_at: rfc3339(key.created_at),
            last_used_at: key.last_used_at.map(rfc3339),
            revoked_at: key.revoked_at.map(rfc3339),
            expires_at: key.expires_at.map(rfc3339),
        }
    }
}

/// List keys
///
/// Needs a key without a source.
#[utoipa::path(
    get,
    path = "/keys",
    operation_id = "listKeys",
    tag = "Keys",
    responses((status = 200, description = "All keys", body = KeyListJson), Guarded),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    administrator: Administrator,
) -> Result<Json<KeyListJson>, Problem> {
    let workspace = administrator.workspace();
    let names = SourceNames::of(&api.app.store.sources(workspace).await?);
    let keys = api.app.store.keys(workspace).await?;
    Ok(Json(KeyListJson {
        keys: keys
            .into_iter()
            .map(|key| KeyJson::of(key, &names))
            .collect(),
    }))
}

/// Make a key
///
/// The answer holds the key itself in `secret`, this once. Needs a key without a source.
#[utoipa::path(
    post,
    path = "/keys",
    operation_id = "addKey",
    tag = "Keys",
    request_body(content = NewKeyJson, description = "The key"),
    responses((status = 201, description = "The key with its secret", body = KeyWithSecretJson), GuardedBody, Checked),
)]
pub(crate) async fn add(
    State(api): State<Api>,
    administrator: Administrator,
    Settings(new): Settings<NewKeyJson>,
) -> Result<impl IntoResponse, Problem> {
    let workspace = administrator.workspace();
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME {
        return Err(Problem::new(
            Kind::Value,
            format!("a key needs a name of 1 to {MAX_NAME} characters; say who will use it"),
        )
        .with("member", "name"));
    }
    let sources = api.app.store.sources(workspace).await?;
    let source = match &new.source {
        None => None,
        Some(name) => {
            let found = sources.iter().find(|source| source.settings.name == *name);
            Some(found.ok_or_else(|| {
                Problem::new(
                    Kind::Value,
                    format!(
                        "there is no source `{}`; add it first with POST /api/v1/sources",
                        crate::http::error::shortened(name)
                    ),
                )
                .with("member", "source")
            })?)
        }
    };
    let (key, secret) = create_key(&api.app, workspace, source, name).await?;
    let about = format!("key {} ({}…)", key.name, key.prefix);
    api.app
        .audit(workspace, &administrator.actor(), Act::AddedKey, &about)
        .await?;
    let key = KeyJson::of(key, &SourceNames::of(&sources));
    Ok((StatusCode::CREATED, Json(KeyWithSecretJson { key, secret })))
}

/// Replace a key
///
/// The answer holds a new key with the same name and source in `secret`, this once. The old one stays valid for
/// `overlap_hours`, so that a system can be changed over without a gap. Needs a key without a source.
#[utoipa::path(
    post,
    path = "/keys/{id}/rotate",
    operation_id = "rotateKey",
    tag = "Keys",
    params(("id" = String, Path, description = "The id of the key that is replaced", example = "1")),
    request_body(content = Option<RotationJson>, description = "How"),
    responses((status = 201, description = "The new key with its secret", body = KeyWithSecretJson), GuardedBody,
              Named, Checked),
)]
pub(crate) async fn rotate(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<String>,
    request: Request,
) -> Result<impl IntoResponse, Problem> {
    let workspace = administrator.workspace();
    let rotation: RotationJson = settings_or_default(request).await?;
    let hours = rotation.overlap_hours;
    if hours > MAX_OVERLAP_HOURS {
        return Err(Problem::new(
            Kind::Value,
            format!("`overlap_hours` is {hours}; use 0 to {MAX_OVERLAP_HOURS}"),
        )
        .with("member", "overlap_hours"));
    }
    let unknown = || Problem::not_found("key", &id);
    let old: u32 = id.parse().map_err(|_| unknown())?;
    let (key, secret) = match rotate_key(&api.app, workspace, old, hours).await {
        Ok(rotated) => rotated,
        Err(StoreError::Missing(_)) => return Err(unknown()),
        Err(StoreError::Conflict(why)) => return Err(Problem::new(Kind::Value, why)),
        Err(error) => return Err(error.into()),
    };
    let about = about_rotation(&key, old, hours);
    api.app
        .audit(workspace, &administrator.actor(), Act::RotatedKey, &about)
        .await?;
    api.directory.forget();
    let names = SourceNames::of(&api.app.store.sources(workspace).await?);
    let key = KeyJson::of(key, &names);
    Ok((StatusCode::CREATED, Json(KeyWithSecretJson { key, secret })))
}

/// Revoke a key
///
/// It is refused from now on, within a second in every process that serves. It stays in the list, with the time. Needs
/// a key without a source.
#[utoipa::path(
    delete,
    path = "/keys/{id}",
    operation_id = "revokeKey",
    tag = "Keys",
    params(("id" = String, Path, description = "The key's id", example = "1")),
    responses((status = 200, description = "The revoked key", body = KeyJson), Guarded, Named),
)]
pub(crate) async fn revoke(
    State(api): State<Api>,
    administrator: Administrator,
    Path(id): Path<String>,
) -> Result<Json<KeyJson>, Problem> {
    let workspace = administrator.workspace();
    let unknown = || Problem::not_found("key", &id);
    let key_id: u32 = id.parse().map_err(|_| unknown())?;
    let keys = api.app.store.keys(workspace).await?;
    let key = keys
        .into_iter()
        .find(|key| key.id == key_id)
        .ok_or_else(unknown)?;
    let names = SourceNames::of(&api.app.store.sources(workspace).await?);
    let key = if key.revoked_at.is_some() {
        key
    } else {
        let about = format!("key {} ({}…)", key.name, key.prefix);
        let key = api
            .app
            .store
            .revoke_key(workspace, key_id, clock::now())
            .await?;
        api.app
            .audit(workspace, &administrator.actor(), Act::RevokedKey, &about)
            .await?;
        key
    };
    api.directory.forget();
    Ok(Json(KeyJson::of(key, &names)))
}
