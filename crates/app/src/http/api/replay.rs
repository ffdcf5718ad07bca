//! Replaying records of the log: `/logs/{id}/replay`, and `/logs/replay` for all that a filter finds.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rollbook_engine::attempt::Action;
use rollbook_engine::mapping::Mapping;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::audit::Act;
use crate::http::api::imports::mapping_of;
use crate::http::api::logs::LogParams;
use crate::http::api::params::Params;
use crate::http::api::{Api, body, logs, records};
use crate::http::auth::{Caller, SourceList};
use crate::http::error::{
    Guarded, GuardedBody, Kind, Mapped, Named, Paused, Problem, ProblemSchema, Replayable,
};
use crate::imports::replay::all::{self, Found, Wish};
use crate::imports::replay::origin::Obstacle;
use crate::imports::replay::{self, Edit};
use crate::wire::{AttemptJson, ImportJson, MappingSchema};

/// How many times longer than its record a body may be: JSON in JSON has many escapes.
const ESCAPED: usize = 6;

/// What is to be different this time.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReplayEdit)]
pub(crate) struct EditJson {
    /// The record, instead of what was sent as JSON.
    #[serde(default)]
    #[schema(value_type = Option<Object>, example = json!({"external_id": "G-1001", "phone": "+49 30 123456"}))]
    payload: Option<Box<RawValue>>,
    /// The text of the record, instead of what was sent: a row of a CSV file, a vCard, or JSON.
    #[serde(default)]
    payload_text: Option<String>,
    /// Where some columns or paths go instead, a mapping or an object of columns and field keys; those that it does not
    /// name go where they went.
    #[serde(default)]
    #[schema(value_type = Option<MappingSchema>)]
    mapping: Option<serde_json::Value>,
}

/// Replay an attempt
///
/// The record is read again, under the rules that its source has now: a delivery with the source's mapping, a row of a
/// file as its import read it. What comes of it is a new attempt, whose `replay_of` is the old one; the old one stays as
/// it is and names the new one in `replays`. Idempotency keys play no part.
///
/// The answer is as for a delivery: 201, 200 or 422 with the new attempt. An edited record that cannot be read is
/// answered with 400 and leaves no attempt.
#[utoipa::path(
    post,
    path = "/logs/{id}/replay",
    operation_id = "replayAttempt",
    tag = "Log",
    params(("id" = Uuid, Path, description = "The attempt's id")),
    request_body(content = Option<EditJson>, description = "What is to be different this time"),
    responses(
        (status = 201, description = "A contact was created", body = AttemptJson, headers(
            ("Location" = String, description = "The contact"),
        )),
        (status = 200, description = "A contact was found and updated", body = AttemptJson),
        (status = 422, description = "Nothing was written, and the issues of the attempt say why; or the mapping does not fit", content(
            (AttemptJson = "application/json"),
            (ProblemSchema = "application/problem+json"),
        )),
        GuardedBody, Named, Paused, Replayable,
    ),
)]
pub(crate) async fn one(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let limit = api.app.config.max_record_bytes.saturating_mul(ESCAPED);
    let edit: EditJson = body::json_or_default(request, limit).await?;
    let (attempt, payload) = logs::find(&api, &caller, &id).await?;
    let edit = edit.read(&payload.content_type)?;
    let ready = replay::read(&api.app, caller.workspace(), &attempt, payload, edit).await?;
    let about = format!("attempt {}", attempt.id);
    api.app
        .audit(caller.workspace(), &caller.actor(), Act::Replayed, &about)
        .await?;
    let attempt = replay::commit(&api.app, ready).await?;
    let location = match (attempt.action, attempt.contact) {
        (Some(Action::Created), Some(id)) => Some(format!("/api/v1/contacts/{id}")),
        _ => None,
    };
    let status = records::status(&attempt);
    let sources = api.sources(&caller).await?;
    let json = axum::Json(AttemptJson::of(attempt, &sources.names));
    Ok(match location {
        Some(location) => (status, [(header::LOCATION, location)], json).into_response(),
        None => (status, json).into_response(),
    })
}

impl EditJson {
    fn read(self, content_type: &str) -> Result<Edit, Problem> {
        let payload = match (self.payload, self.payload_text) {
            (Some(_), Some(_)) => {
                return Err(Problem::new(
                    Kind::Body,
                    "the body has `payload` and `payload_text`; send one of them",
                ));
            }
            (Some(json), None) if body::is_json(content_type) => Some(json.get().to_owned()),
            (Some(_), None) => {
                return Err(Problem::new(
                    Kind::Body,
                    format!("the record was `{content_type}` and not JSON; send `payload_text`"),
                ));
            }
            (None, text) => text,
        };
        let mapping = said(self.mapping)?;
        Ok(Edit { payload, mapping })
    }
}

fn said(mapping: Option<serde_json::Value>) -> Result<Option<Mapping>, Problem> {
    match mapping {
        None | Some(serde_json::Value::Null) => Ok(None),
        Some(mapping) => mapping_of(mapping).map(Some),
    }
}

/// Beside the filter.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AgainParams {
    /// `true` replays also what was replayed before; left out, the replay stands for it.
    #[param(value_type = Option<bool>)]
    again: bool,
}

impl AgainParams {
    fn take(params: &mut Params) -> Result<AgainParams, Problem> {
        let again = params.one_of("again", &[("true", true), ("false", false)])?;
        Ok(AgainParams {
            again: again.unwrap_or(false),
        })
    }
}

/// What the caller expects.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ConfirmParams {
    /// How many records are to be replayed; with another number than there are now, nothing is.
    confirm_count: Option<u64>,
}

impl ConfirmParams {
    fn take(params: &mut Params) -> Result<ConfirmParams, Problem> {
        Ok(ConfirmParams {
            confirm_count: params.parsed("confirm_count", |text| {
                text.parse().map_err(|_| "use a number".to_owned())
            })?,
        })
    }
}

/// What is to be different this time.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReplayAllEdit)]
pub(crate) struct EditAllJson {
    /// Where some columns or paths go instead, a mapping or an object of columns and field keys; those that it does not
    /// name go where they went. It has to fit every file that the records come from.
    #[serde(default)]
    #[schema(value_type = Option<MappingSchema>)]
    mapping: Option<serde_json::Value>,
}

/// What a replay would read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplayCount)]
pub(crate) struct FoundJson {
    /// Records that can be replayed; if `exact` is false, hardly more than there are.
    records: u64,
    /// Whether every attempt was looked at. Of more than 10,000, the first are; others that cannot be replayed are left
    /// out when their turn comes.
    exact: bool,
    /// Those that cannot, and why.
    left_out: Vec<LeftOutJson>,
    /// The same source by source.
    sources: Vec<FoundOfSourceJson>,
}

/// What a replay would read of one source.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplayCountOfSource)]
pub(crate) struct FoundOfSourceJson {
    /// Its name.
    #[schema(example = "front-desk")]
    source: String,
    /// Records that can be replayed.
    records: u64,
    /// Those that cannot, and why.
    left_out: Vec<LeftOutJson>,
}

/// Attempts that cannot be replayed for one reason.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeftOut)]
pub(crate) struct LeftOutJson {
    /// `erased`, `cut`, `undo`, `source_gone`, `source_paused`, `origin_gone`, `dropped` or `replayed`.
    #[schema(example = "replayed")]
    reason: &'static str,
    /// What it means, and what to do.
    message: String,
    /// How many.
    count: u64,
}

/// The imports that replay.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Replays)]
pub(crate) struct ReplaysJson {
    /// One a source, queued.
    imports: Vec<ImportJson>,
}

impl FoundJson {
    fn of(found: &Found, sources: &SourceList) -> FoundJson {
        let of_source = found.sources.iter().map(|found| FoundOfSourceJson {
            source: sources.names.name(found.id),
            records: found.records,
            left_out: left_out(&found.left_out),
        });
        FoundJson {
            records: found.records(),
            exact: found.looked_at.is_none(),
            left_out: left_out(&found.left_out()),
            sources: of_source.collect(),
        }
    }
}

fn left_out(counts: &BTreeMap<Obstacle, u64>) -> Vec<LeftOutJson> {
    let counts = counts.iter();
    let json = counts.map(|(obstacle, count)| LeftOutJson {
        reason: obstacle.key(),
        message: obstacle.to_string(),
        count: *count,
    });
    json.collect()
}

/// Count what can be replayed
///
/// The filter is that of the log. Attempts that were replayed before are left out, because the replay stands for them,
/// unless `again=true`. Of many attempts the first are looked at one by one, and the others counted: see `exact`.
#[utoipa::path(
    get,
    path = "/logs/replay",
    operation_id = "countReplay",
    tag = "Log",
    params(LogParams, AgainParams),
    responses((status = 200, description = "The counts", body = FoundJson), Guarded),
)]
pub(crate) async fn count(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
) -> Result<Json<FoundJson>, Problem> {
    let mut params = Params::of(request.uri())?;
    let filter = LogParams::take(&mut params)?;
    let AgainParams { again } = AgainParams::take(&mut params)?;
    params.finish()?;
    let sources = api.sources(&caller).await?;
    let wish = Wish {
        filter: filter.filter(&caller, &sources)?,
        mapping: None,
        again,
    };
    let found = all::count(&api.app, caller.workspace(), &wish).await?;
    Ok(Json(FoundJson::of(&found, &sources)))
}

/// Replay all attempts that a filter finds
///
/// Each source's records become one import of the kind `replay`, to be followed and cancelled like any other. What is
/// replayed is settled now: attempts that come later, and the replays themselves, are not. Count first with `GET`, and
/// send that number as `confirm_count`.
///
/// Attempts that were replayed before are left out, because the replay stands for them, unless `again=true`; so sending
/// this twice replays nothing twice.
#[utoipa::path(
    post,
    path = "/logs/replay",
    operation_id = "replayAttempts",
    tag = "Log",
    params(LogParams, AgainParams, ConfirmParams),
    request_body(content = Option<EditAllJson>, description = "What is to be different this time"),
    responses(
        (status = 202, description = "The imports that replay", body = ReplaysJson),
        GuardedBody, Replayable, Mapped,
    ),
)]
pub(crate) async fn all(
    State(api): State<Api>,
    caller: Caller,
    request: Request,
) -> Result<(StatusCode, Json<ReplaysJson>), Problem> {
    let mut params = Params::of(request.uri())?;
    let filter = LogParams::take(&mut params)?;
    let AgainParams { again } = AgainParams::take(&mut params)?;
    let ConfirmParams { confirm_count } = ConfirmParams::take(&mut params)?;
    params.finish()?;
    let edit: EditAllJson = body::settings_or_default(request).await?;
    let sources = api.sources(&caller).await?;
    let wish = Wish {
        filter: filter.filter(&caller, &sources)?,
        mapping: said(edit.mapping)?,
        again,
    };
    let found = all::count(&api.app, caller.workspace(), &wish).await?;
    if let Some(confirmed) = confirm_count.filter(|confirmed| *confirmed != found.records()) {
        return Err(Problem::new(
            Kind::Replay,
            format!(
                "there are {} records to replay now and not {confirmed}, so nothing was; count again",
                found.records()
            ),
        ));
    }
    let about = format!("{} attempts", found.records());
    api.app
        .audit(caller.workspace(), &caller.actor(), Act::Replayed, &about)
        .await?;
    let imports = all::create(&api.app, caller.workspace(), &wish, &found, caller.name()).await?;
    let imports = imports.iter();
    let json = ReplaysJson {
        imports: imports
            .map(|import| ImportJson::of(import, &sources.names))
            .collect(),
    };
    Ok((StatusCode::ACCEPTED, Json(json)))
}
