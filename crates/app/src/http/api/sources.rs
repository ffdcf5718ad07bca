//! Sources: `/sources`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use rollbook_engine::field::blank::BlankWords;
use rollbook_engine::mapping::{Locale, Mapping};
use rollbook_engine::policy::Mode;
use rollbook_store::WorkspaceId;
use rollbook_store::log::ResultCounts;
use rollbook_store::sources::Source;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::access::{SourceError, add_source, check_source_name, checked_region};
use crate::audit::Act;
use crate::http::api::Api;
use crate::http::api::body::Settings;
use crate::http::auth::Administrator;
use crate::http::error::{Checked, Guarded, GuardedBody, Kind, Mapped, Named, Problem};
use crate::wire::{MappingSchema, ModeSchema, rfc3339};

/// Where records come from.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Source)]
pub(crate) struct SourceJson {
    /// Its name in addresses and on the command line.
    #[schema(example = "front-desk")]
    name: String,
    /// What people read.
    #[schema(example = "Front desk")]
    label: String,
    /// Its rules.
    #[schema(value_type = ModeSchema)]
    mode: Mode,
    /// The namespace of its External IDs.
    #[schema(example = "default")]
    namespace: String,
    /// The phone region of its records, as ISO 3166 alpha-2; null for the workspace's.
    #[schema(example = "DE")]
    region: Option<String>,
    /// How its records map to fields; null for the built-in names.
    #[schema(value_type = Option<MappingSchema>)]
    mapping: Option<serde_json::Value>,
    /// Whether it refuses deliveries for now.
    paused: bool,
    /// When it was made: RFC 3339, UTC.
    #[schema(format = "date-time")]
    created_at: String,
    /// When it last delivered.
    #[schema(format = "date-time")]
    last_received_at: Option<String>,
    /// What came of its deliveries since it was made.
    counts: SourceCountsJson,
}

/// Deliveries per result.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SourceCounts)]
pub(crate) struct SourceCountsJson {
    /// All of them.
    all: u64,
    /// Successes.
    success: u64,
    /// Warnings.
    warning: u64,
    /// Failures.
    failure: u64,
}

impl From<ResultCounts> for SourceCountsJson {
    fn from(counts: ResultCounts) -> SourceCountsJson {
        SourceCountsJson {
            all: counts.all(),
            success: counts.success,
            warning: counts.warning,
            failure: counts.failure,
        }
    }
}

/// All sources.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SourceList)]
pub(crate) struct SourceListJson {
    /// By name.
    sources: Vec<SourceJson>,
}

/// A source to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSource)]
pub(crate) struct NewSourceJson {
    /// Its name in addresses: lower-case letters, digits, `-` and `_`.
    #[schema(example = "front-desk")]
    name: String,
    /// What people read; the name if left out.
    #[serde(default)]
    #[schema(example = "Front desk")]
    label: Option<String>,
    /// Its rules; `automatic` if left out.
    #[serde(default)]
    #[schema(value_type = Option<ModeSchema>)]
    mode: Option<Mode>,
    /// The namespace of its External IDs; `default` if left out.
    #[serde(default)]
    #[schema(example = "default")]
    namespace: Option<String>,
    /// The phone region of its records: a country's code or name.
    #[serde(default)]
    #[schema(example = "DE")]
    region: Option<String>,
    /// How its records map to fields; the built-in names if left out.
    #[serde(default)]
    #[schema(value_type = Option<MappingSchema>)]
    mapping: Option<Mapping>,
}

/// What is to change about a source; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SourceChange)]
pub(crate) struct SourceChangeJson {
    /// What people read.
    #[serde(default)]
    label: Option<String>,
    /// The namespace of the External IDs that it will deliver.
    #[serde(default)]
    namespace: Option<String>,
    /// The phone region; null for the workspace's.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    region: Becomes<String>,
    /// How its records map to fields; null for the built-in names.
    #[serde(default)]
    #[schema(value_type = Option<MappingSchema>)]
    mapping: Becomes<Mapping>,
    /// `true` refuses deliveries from now on, `false` takes them again; within a second.
    #[serde(default)]
    paused: Option<bool>,
}

/// What becomes of a setting that can be absent.
#[derive(Debug, Default, PartialEq)]
enum Becomes<T> {
    /// It stays as it is, because the member is left out.
    #[default]
    Same,
    /// It is taken away, because the member is null.
    Nothing,
    /// It has this value from now on.
    New(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Becomes<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Becomes<T>, D::Error> {
        let value = Option::deserialize(deserializer)?;
        Ok(value.map_or(Becomes::Nothing, Becomes::New))
    }
}

impl SourceJson {
    fn of(source: Source) -> SourceJson {
        let settings = source.settings;
        SourceJson {
            name: settings.name,
            label: settings.label,
            mode: settings.mode,
            namespace: settings.namespace,
            region: settings.region,
            mapping: settings
                .mapping
                .and_then(|mapping| serde_json::from_str(&mapping).ok()),
            paused: source.paused,
            created_at: rfc3339(source.created_at),
            last_received_at: source.last_received_at.map(rfc3339),
            counts: source.counts.into(),
        }
    }
}

impl From<SourceError> for Problem {
    fn from(error: SourceError) -> Problem {
        match error {
            SourceError::Name(_) => {
                Problem::new(Kind::Value, error.to_string()).with("member", "name")
            }
            SourceError::Region(_) => {
                Problem::new(Kind::Value, error.to_string()).with("member", "region")
            }
            SourceError::Store(error) => error.into(),
        }
    }
}

/// List sources
///
/// Needs a key without a source.
#[utoipa::path(
    get,
    path = "/sources",
    operation_id = "listSources",
    tag = "Sources",
    responses((status = 200, description = "All sources", body = SourceListJson), Guarded),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    administrator: Administrator,
) -> Result<Json<SourceListJson>, Problem> {
    let sources = api.app.store.sources(administrator.workspace()).await?;
    Ok(Json(SourceListJson {
        sources: sources.into_iter().map(SourceJson::of).collect(),
    }))
}

/// Show a source
///
/// Needs a key without a source.
#[utoipa::path(
    get,
    path = "/sources/{source}",
    operation_id = "getSource",
    tag = "Sources",
    params(("source" = String, Path, description = "The name of the source", example = "front-desk")),
    responses((status = 200, description = "The source", body = SourceJson), Guarded, Named),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    administrator: Administrator,
    Path(name): Path<String>,
) -> Result<Json<SourceJson>, Problem> {
    let source = get(&api, administrator.workspace(), &name).await?;
    Ok(Json(SourceJson::of(source)))
}

/// Add a source
///
/// Needs a key without a source. The new source has no key yet: make one with `POST /keys`.
#[utoipa::path(
    post,
    path = "/sources",
    operation_id = "addSource",
    tag = "Sources",
    request_body(content = NewSourceJson, description = "The source"),
    responses(
        (status = 201, description = "The source", body = SourceJson, headers(("Location" = String, description = "Its address"))),
        GuardedBody, Checked, Mapped,
    ),
)]
pub(crate) async fn add(
    State(api): State<Api>,
    administrator: Administrator,
    Settings(new): Settings<NewSourceJson>,
) -> Result<impl IntoResponse, Problem> {
    let workspace = administrator.workspace();
    check_source_name(new.name.trim())?;
    let mapping = match &new.mapping {
        Some(mapping) => Some(checked_mapping(&api, workspace, mapping).await?),
        None => None,
    };
    let mut source = add_source(
        &api.app,
        workspace,
        &new.name,
        new.label.as_deref().unwrap_or_default(),
        new.mode.unwrap_or(Mode::Automatic),
        new.namespace.as_deref().unwrap_or_default(),
        new.region.as_deref().unwrap_or_default(),
    )
    .await?;
    if mapping.is_some() {
        source.settings.mapping = mapping;
        source = api
            .app
            .store
            .update_source(workspace, source.id, source.settings)
            .await?;
    }
    api.directory.forget();
    let about = &source.settings.name;
    api.app
        .audit(workspace, &administrator.actor(), Act::AddedSource, about)
        .await?;
    let location = format!("/api/v1/sources/{}", source.settings.name);
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(SourceJson::of(source)),
    ))
}

/// Change a source
///
/// What is left out stays. Pausing and resuming take effect within a second. Needs a key without a source.
#[utoipa::path(
    patch,
    path = "/sources/{source}",
    operation_id = "changeSource",
    tag = "Sources",
    params(("source" = String, Path, description = "The name of the source", example = "front-desk")),
    request_body(content = SourceChangeJson, description = "What is to change", example = json!({"paused": true})),
    responses((status = 200, description = "The source as it is now", body = SourceJson), GuardedBody, Named, Checked, Mapped),
)]
pub(crate) async fn change(
    State(api): State<Api>,
    administrator: Administrator,
    Path(name): Path<String>,
    Settings(change): Settings<SourceChangeJson>,
) -> Result<Json<SourceJson>, Problem> {
    let workspace = administrator.workspace();
    let source = get(&api, workspace, &name).await?;
    let mut settings = source.settings.clone();
    if let Some(label) = change.label {
        settings.label = filled("label", &label)?;
    }
    if let Some(namespace) = change.namespace {
        settings.namespace = filled("namespace", &namespace)?;
    }
    match change.region {
        Becomes::Same => {}
        Becomes::Nothing => settings.region = None,
        Becomes::New(region) => settings.region = checked_region(&region)?,
    }
    match change.mapping {
        Becomes::Same => {}
        Becomes::Nothing => settings.mapping = None,
        Becomes::New(mapping) => {
            settings.mapping = Some(checked_mapping(&api, workspace, &mapping).await?);
        }
    }
    let store = &api.app.store;
    if settings != source.settings {
        store.update_source(workspace, source.id, settings).await?;
    }
    if let Some(paused) = change.paused {
        store
            .set_source_paused(workspace, source.id, paused)
            .await?;
    }
    api.directory.forget();
    api.app
        .audit(workspace, &administrator.actor(), Act::ChangedSource, &name)
        .await?;
    let source = get(&api, workspace, &name).await?;
    Ok(Json(SourceJson::of(source)))
}

/// The source with a name.
pub(super) async fn get(api: &Api, workspace: WorkspaceId, name: &str) -> Result<Source, Problem> {
    let source = api.app.store.source(workspace, name).await?;
    source.ok_or_else(|| Problem::not_found("source", name))
}

/// A text that is not blank.
fn filled(member: &str, text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Problem::new(
            Kind::Value,
            format!("`{member}` is blank; give it a value, or leave it out to keep what it is"),
        )
        .with("member", member));
    }
    Ok(text.to_owned())
}

/// A mapping as it is stored, if its fields exist.
async fn checked_mapping(
    api: &Api,
    workspace: WorkspaceId,
    mapping: &Mapping,
) -> Result<String, Problem> {
    let schema = api.app.schema(workspace).await?;
    let locale = Locale {
        region: None,
        date_order: None,
        blank_words: BlankWords::default(),
    };
    mapping
        .bind(&mapping.paths(), &schema, &locale)
        .map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Problem::new(Kind::Mapping, errors.join("; "))
        })?;
    serde_json::to_string(mapping).map_err(|error| Problem::internal(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_told_from_nothing() {
        let change = |json: &str| serde_json::from_str::<SourceChangeJson>(json).unwrap();
        assert_eq!(change("{}").region, Becomes::Same);
        assert_eq!(change(r#"{"region":null}"#).region, Becomes::Nothing);
        let germany = Becomes::New("DE".to_owned());
        assert_eq!(change(r#"{"region":"DE"}"#).region, germany);
        assert!(serde_json::from_str::<SourceChangeJson>(r#"{"pause":true}"#).is_err());
    }
}
