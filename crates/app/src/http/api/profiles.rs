//! Mappings with a name: `/mapping-profiles`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use rollbook_engine::mapping::Mapping;
use rollbook_engine::record::Header;
use rollbook_engine::schema::Schema;
use rollbook_sources::file::Reading;
use rollbook_sources::json::JsonLayout;
use rollbook_store::StoreError;
use rollbook_store::profiles::Profile;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::checked_region;
use crate::http::api::Api;
use crate::http::api::body::Settings;
use crate::http::api::imports::mapping_of;
use crate::http::auth::{Administrator, Caller};
use crate::http::error::{Guarded, GuardedBody, Kind, Mapped, Named, Problem, Taken};
use crate::imports::options::ImportOptions;
use crate::imports::profiles;
use crate::imports::said::Said;
use crate::wire::{MappingSchema, rfc3339};

/// A mapping with a name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MappingProfile)]
pub(crate) struct ProfileJson {
    /// Its name.
    #[schema(example = "Weekly list")]
    name: String,
    /// Which column goes to which field.
    #[schema(value_type = MappingSchema)]
    mapping: Mapping,
    /// The region of phone numbers without a country code.
    region: Option<String>,
    /// Tags that are added to every contact of a file.
    tags: Vec<String>,
    /// What is said about the encoding; none if it is found out.
    encoding: Option<String>,
    /// What is said about the delimiter.
    delimiter: Option<String>,
    /// What is said about the quote; `none` for files without.
    quote: Option<String>,
    /// What is said about the sheet of a spreadsheet.
    sheet: Option<String>,
    /// What is said about the row that is the header.
    header_row: Option<u64>,
    /// Who saved it last.
    saved_by: String,
    /// When: RFC 3339, UTC.
    #[schema(format = "date-time")]
    saved_at: String,
}

/// All mapping profiles.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MappingProfileList)]
pub(crate) struct ProfileListJson {
    /// By name.
    profiles: Vec<ProfileJson>,
}

/// A mapping profile to be saved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMappingProfile)]
pub(crate) struct NewProfileJson {
    /// Its name; one of that name is replaced.
    #[schema(example = "Weekly list")]
    name: String,
    /// Which column goes to which field: a mapping, or an object of column names and field keys.
    #[schema(value_type = MappingSchema)]
    mapping: serde_json::Value,
    /// The region of phone numbers without a country code.
    #[serde(default)]
    region: Option<String>,
    /// Tags that are added to every contact of a file.
    #[serde(default)]
    tags: Vec<String>,
    /// The encoding of text files; found out if left out.
    #[serde(default)]
    encoding: Option<String>,
    /// What separates the cells of text files; found out if left out.
    #[serde(default)]
    delimiter: Option<String>,
    /// What cells are quoted with, or `none`; found out if left out.
    #[serde(default)]
    quote: Option<String>,
    /// The sheet of spreadsheets.
    #[serde(default)]
    sheet: Option<String>,
    /// The row that is the header; found out if left out.
    #[serde(default)]
    header_row: Option<u64>,
}

/// A new name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MappingProfileName)]
pub(crate) struct ProfileNameJson {
    /// The name.
    #[schema(example = "Monthly list")]
    name: String,
}

impl ProfileJson {
    /// None for one that cannot be read any more.
    fn of(profile: Profile) -> Option<ProfileJson> {
        let options: ImportOptions = serde_json::from_str(&profile.options).ok()?;
        let said = options.said;
        Some(ProfileJson {
            name: profile.name,
            mapping: options.mapping,
            region: options.region,
            tags: options.tags,
            encoding: said.encoding,
            delimiter: said.delimiter.map(String::from),
            quote: said.quote.map(String::from),
            sheet: said.sheet,
            header_row: said.header_row,
            saved_by: profile.saved_by,
            saved_at: rfc3339(profile.saved_at),
        })
    }
}

impl NewProfileJson {
    fn options(self, schema: &std::sync::Arc<Schema>) -> Result<ImportOptions, Problem> {
        let wrong = |name: &str, error: String| {
            Problem::new(Kind::Body, format!("`{name}`: {error}")).with("member", name)
        };
        let mut said = Said {
            header_row: self.header_row,
            ..Said::default()
        };
        for (name, text) in [
            ("encoding", self.encoding),
            ("delimiter", self.delimiter),
            ("quote", self.quote),
            ("sheet", self.sheet),
        ] {
            said.take(name, &text.unwrap_or_default())
                .map_err(|error| wrong(name, error))?;
        }
        let region = self.region.unwrap_or_default();
        let region = checked_region(&region).map_err(|error| wrong("region", error.to_string()))?;
        let mapping = mapping_of(self.mapping)?;
        let header = Header {
            names: mapping
                .columns
                .iter()
                .map(|column| column.column.clone())
                .collect(),
        };
        let tags = self.tags.iter().map(String::as_str);
        let bound = mapping
            .bind(
                &header,
                schema,
                &rollbook_engine::mapping::Locale::default(),
            )
            .and_then(|binding| binding.with_tags(tags).map_err(|error| vec![error]));
        if let Err(errors) = bound {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            return Err(Problem::new(Kind::Mapping, errors.join("; ")));
        }
        Ok(ImportOptions {
            // How a file is read is found out from the file, save for what is said.
            reading: Reading::Json {
                layout: JsonLayout::Lines,
            },
            header: header.names,
            mapping,
            region,
            tags: self.tags,
            said,
        })
    }
}

/// List mapping profiles
///
/// By name. Any key may.
#[utoipa::path(
    get,
    path = "/mapping-profiles",
    operation_id = "listMappingProfiles",
    tag = "Imports",
    responses((status = 200, description = "All mapping profiles", body = ProfileListJson), Guarded),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<ProfileListJson>, Problem> {
    let found = api.app.store.profiles(caller.workspace()).await?;
    Ok(Json(ProfileListJson {
        profiles: found.into_iter().filter_map(ProfileJson::of).collect(),
    }))
}

/// Save a mapping profile
///
/// One of the same name is replaced. Use it with the part `profile` of `POST /imports`. Needs a key without a source.
#[utoipa::path(
    post,
    path = "/mapping-profiles",
    operation_id = "saveMappingProfile",
    tag = "Imports",
    request_body(content = NewProfileJson, description = "The mapping profile"),
    responses((status = 201, description = "The mapping profile", body = ProfileJson), GuardedBody, Mapped),
)]
pub(crate) async fn save(
    State(api): State<Api>,
    administrator: Administrator,
    Settings(new): Settings<NewProfileJson>,
) -> Result<impl IntoResponse, Problem> {
    let workspace = administrator.workspace();
    let name = profiles::checked_name(&new.name)
        .map_err(|error| Problem::new(Kind::Body, error).with("member", "name"))?;
    let schema = api.app.schema(workspace).await?;
    let options = new.options(&schema)?;
    let (by, actor) = (administrator.name(), administrator.actor());
    profiles::save(&api.app, workspace, &name, &options, by, &actor).await?;
    let saved = api.app.store.profile(workspace, &name).await?;
    let saved = saved.and_then(ProfileJson::of);
    let saved = saved.ok_or_else(|| Problem::not_found("mapping profile", &name))?;
    Ok((StatusCode::CREATED, Json(saved)))
}

/// Rename a mapping profile
///
/// Needs a key without a source.
#[utoipa::path(
    patch,
    path = "/mapping-profiles/{name}",
    operation_id = "renameMappingProfile",
    tag = "Imports",
    params(("name" = String, Path, description = "Its name", example = "Weekly list")),
    request_body(content = ProfileNameJson, description = "Its new name"),
    responses((status = 200, description = "The mapping profile", body = ProfileJson), GuardedBody, Named, Taken),
)]
pub(crate) async fn rename(
    State(api): State<Api>,
    administrator: Administrator,
    Path(name): Path<String>,
    Settings(new): Settings<ProfileNameJson>,
) -> Result<Json<ProfileJson>, Problem> {
    let workspace = administrator.workspace();
    let new_name = profiles::checked_name(&new.name)
        .map_err(|error| Problem::new(Kind::Body, error).with("member", "name"))?;
    let actor = administrator.actor();
    match profiles::rename(&api.app, workspace, &name, &new_name, &actor).await {
        Err(StoreError::Missing(_)) => return Err(Problem::not_found("mapping profile", &name)),
        Err(error @ StoreError::Exists(_)) => {
            return Err(Problem::new(Kind::Exists, error.to_string()));
        }
        renamed => renamed?,
    }
    let renamed = api.app.store.profile(workspace, &new_name).await?;
    renamed
        .and_then(ProfileJson::of)
        .map(Json)
        .ok_or_else(|| Problem::not_found("mapping profile", &new_name))
}

/// Delete a mapping profile
///
/// Imports that used it stay as they are. Needs a key without a source.
#[utoipa::path(
    delete,
    path = "/mapping-profiles/{name}",
    operation_id = "deleteMappingProfile",
    tag = "Imports",
    params(("name" = String, Path, description = "Its name", example = "Weekly list")),
    responses((status = 204, description = "It is gone"), Guarded, Named),
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    administrator: Administrator,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let workspace = administrator.workspace();
    let actor = administrator.actor();
    match profiles::delete(&api.app, workspace, &name, &actor).await {
        Err(StoreError::Missing(_)) => Err(Problem::not_found("mapping profile", &name)),
        deleted => {
            deleted?;
            Ok(StatusCode::NO_CONTENT)
        }
    }
}
