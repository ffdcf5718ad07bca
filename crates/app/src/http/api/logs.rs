//! The Contact Import Log: `/logs`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rollbook_engine::attempt::{Action, ImportResult};
use rollbook_engine::contact::{ContactId, IdentifierKind};
use rollbook_store::Timestamp;
use rollbook_store::commit::Payload;
use rollbook_store::imports::ImportId;
use rollbook_store::log::{Attempt, AttemptId, LogFilter, Paging, ResultCounts};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::audit::Act;
use crate::clock;
use crate::export::{self, Format};
use crate::http::api::params::Params;
use crate::http::api::{Api, download};
use crate::http::auth::{Caller, SourceList};
use crate::http::error::{Guarded, Kind, Named, Problem};
use crate::masking::Sight;
use crate::search::{point_in_time, search};
use crate::wire::{
    ActionSchema, AttemptJson, IdentifierKindSchema, ResultSchema, SourceNames, rfc3339,
};

/// Which attempts: every condition given must hold.
#[derive(Debug, Default, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogParams {
    /// Received at or after: RFC 3339, or a span before now such as `15m`, `24h`, `7d`.
    #[param(value_type = Option<String>, example = "15m")]
    from: Option<Timestamp>,
    /// Received before: RFC 3339, or a span before now.
    #[param(value_type = Option<String>, example = "2026-03-01T08:00:00Z")]
    to: Option<Timestamp>,
    /// With this result.
    #[param(value_type = Option<ResultSchema>)]
    result: Option<ImportResult>,
    /// From the source with this name. A key that belongs to a source sees that source alone.
    #[param(example = "front-desk")]
    source: Option<String>,
    /// With this action.
    #[param(value_type = Option<ActionSchema>)]
    action: Option<Action>,
    /// Matched on this kind of identifier.
    #[param(value_type = Option<IdentifierKindSchema>)]
    matched_on: Option<IdentifierKind>,
    /// Of the import with this id.
    #[param(value_type = Option<Uuid>)]
    import: Option<ImportId>,
    /// That created or updated the contact with this id.
    #[param(value_type = Option<String>, example = "1")]
    contact: Option<ContactId>,
    /// Containing this text in name, phone, email, External ID or payload; a phone number in any format.
    #[param(example = "0171 234567")]
    q: Option<String>,
}

/// Which part of a list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// How many, at most.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500, example = 50)]
    pub(crate) limit: u16,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// The form of an export.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FormatParams {
    /// `csv` (the default) or `ndjson`.
    #[param(value_type = Option<String>, example = "csv")]
    pub(crate) format: Format,
}

/// How fine a summary is.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BucketParams {
    /// Into how many equal parts the range is cut, at most; 0 for none.
    #[param(value_type = Option<u16>, minimum = 0, maximum = 500, example = 60)]
    buckets: u16,
}

/// A page of the log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogPage)]
pub(crate) struct LogPageJson {
    /// The attempts, newest first.
    attempts: Vec<AttemptJson>,
    /// Pass as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

/// An attempt with what was sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AttemptWithPayload)]
pub(crate) struct AttemptWithPayloadJson {
    #[serde(flatten)]
    attempt: AttemptJson,
    /// The attempts that repeat this one, the oldest first.
    #[schema(value_type = Vec<Uuid>)]
    replays: Vec<String>,
    /// The record exactly as it was sent.
    payload: String,
    /// Its media type.
    #[schema(example = "application/json")]
    payload_content_type: String,
    /// `base64` if the payload is no UTF-8 text; else left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "base64")]
    payload_encoding: Option<&'static str>,
}

/// Counts over a range.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogSummary)]
pub(crate) struct LogSummaryJson {
    /// Where the range begins; null for the beginning of the log.
    #[schema(format = "date-time")]
    from: Option<String>,
    /// Where it ends.
    #[schema(format = "date-time")]
    to: String,
    /// Attempts with the filters, whatever `result` asks for.
    counts: CountsJson,
    /// Equal parts of the range, oldest first; none without `from`.
    histogram: Vec<BucketJson>,
}

/// Attempts per result.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = Counts)]
pub(crate) struct CountsJson {
    /// All of them.
    all: u64,
    /// Successes.
    success: u64,
    /// Warnings.
    warning: u64,
    /// Failures.
    failure: u64,
}

/// One part of a histogram.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Bucket)]
pub(crate) struct BucketJson {
    /// Where it begins.
    #[schema(format = "date-time")]
    from: String,
    /// Where it ends.
    #[schema(format = "date-time")]
    to: String,
    #[serde(flatten)]
    counts: CountsJson,
}

impl From<ResultCounts> for CountsJson {
    fn from(counts: ResultCounts) -> CountsJson {
        CountsJson {
            all: counts.all(),
            success: counts.success,
            warning: counts.warning,
            failure: counts.failure,
        }
    }
}

impl LogParams {
    pub(crate) fn take(params: &mut Params) -> Result<LogParams, Problem> {
        let now = clock::now();
        Ok(LogParams {
            from: params.parsed("from", |text| point_in_time(text, now))?,
            to: params.parsed("to", |text| point_in_time(text, now))?,
            result: params.one_of(
                "result",
                &[
                    ("success", ImportResult::Success),
                    ("warning", ImportResult::Warning),
                    ("failure", ImportResult::Failure),
                ],
            )?,
            source: params.text("source")?,
            action: params.one_of(
                "action",
                &[
                    ("created", Action::Created),
                    ("updated", Action::Updated),
                    ("removed", Action::Removed),
                ],
            )?,
            matched_on: params.one_of(
                "matched_on",
                &[
                    IdentifierKind::ExternalId,
                    IdentifierKind::Phone,
                    IdentifierKind::Email,
                ]
                .map(|kind| (kind.key(), kind)),
            )?,
            import: params.parsed("import", |text| {
                text.parse()
                    .map(ImportId)
                    .map_err(|_| "use the id of an import, a UUID".to_owned())
            })?,
            contact: params.parsed("contact", |text| {
                text.parse()
                    .map(ContactId)
                    .map_err(|_| "use the id of a contact, a number".to_owned())
            })?,
            q: params.text("q")?,
        })
    }

    /// The filter that this caller may use.
    pub(crate) fn filter(
        self,
        caller: &Caller,
        sources: &SourceList,
    ) -> Result<LogFilter, Problem> {
        let source = match (&self.source, caller.source()) {
            (None, own) => own,
            (Some(name), own) => {
                let named = sources.by_name(name).map(|source| source.id);
                match own {
                    Some(own) if named != Some(own) => {
                        return Err(Problem::new(
                            Kind::Forbidden,
                            "this key belongs to another source and sees the log of that one alone; leave `source` out",
                        ));
                    }
                    _ => Some(named.ok_or_else(|| unknown_source(name, sources))?),
                }
            }
        };
        Ok(LogFilter {
            from: self.from,
            to: self.to,
            result: self.result,
            source,
            action: self.action,
            matched_on: self.matched_on,
            import: self.import,
            contact: self.contact,
            search: self.q.as_deref().and_then(search),
        })
    }
}

impl PageParams {
    pub(crate) fn take(params: &mut Params) -> Result<PageParams, Problem> {
        Ok(PageParams {
            limit: params.number("limit", 1, 500, 50)?,
            cursor: params.text("cursor")?,
        })
    }

    /// The cursor as `read` understands it.
    pub(crate) fn cursor<T: std::str::FromStr>(&self) -> Result<Option<T>, Problem> {
        let Some(cursor) = &self.cursor else {
            return Ok(None);
        };
        cursor.parse().map(Some).map_err(|_| {
            Problem::parameter(
                "cursor",
                "`cursor` is not one of ours; use `next_cursor` of the page before as it is",
            )
        })
    }
}

impl FormatParams {
    pub(crate) fn take(params: &mut Params) -> Result<FormatParams, Problem> {
        let words = [("csv", Format::Csv), ("ndjson", Format::Ndjson)];
        Ok(FormatParams {
            format: params.one_of("format", &words)?.unwrap_or(Format::Csv),
        })
    }
}

fn unknown_source(name: &str, sources: &SourceList) -> Problem {
    let names: Vec<String> = sources
        .source_names()
        .map(|name| format!("`{name}`"))
        .collect();
    Problem::parameter(
        "source",
        format!(
            "`source` is `{}`, which is not a source; use one of {}",
            crate::http::error::shortened(name),
            names.join(", ")
        ),
    )
}

/// List attempts
///
/// Newest first. Without `from` and `to` the whole log is listed.
#[utoipa::path(
    get,
    path = "/logs",
    operation_id = "listAttempts",
    tag = "Log",
    params(LogParams, PageParams),
    responses((status = 200, description = "A page of the log", body = LogPageJson), Guarded),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<LogPageJson>, Problem> {
    let mut params = Params::of(&uri)?;
    let filter = LogParams::take(&mut params)?;
    let page = PageParams::take(&mut params)?;
    params.finish()?;
    let paging = match page.cursor::<Uuid>()? {
        Some(id) => Paging::Before(AttemptId(id).number()),
        None => Paging::Newest,
    };
    let sources = api.sources(&caller).await?;
    let filter = filter.filter(&caller, &sources)?;
    let found = api
        .app
        .store
        .page(caller.workspace(), filter, paging, page.limit.into())
        .await?;
    let last = found.attempts.last().map(|attempt| attempt.id.to_string());
    Ok(Json(LogPageJson {
        attempts: found
            .attempts
            .into_iter()
            .map(|attempt| AttemptJson::of(attempt, &sources.names))
            .collect(),
        next_cursor: last.filter(|_| found.more),
    }))
}

/// Show an attempt
///
/// With the payload exactly as it was sent. An attempt of another source is not found by a key that belongs to a
/// source.
#[utoipa::path(
    get,
    path = "/logs/{id}",
    operation_id = "getAttempt",
    tag = "Log",
    params(("id" = Uuid, Path, description = "The attempt's id")),
    responses((status = 200, description = "The attempt", body = AttemptWithPayloadJson), Guarded, Named),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<AttemptWithPayloadJson>, Problem> {
    let (attempt, payload) = find(&api, &caller, &id).await?;
    let about = format!("attempt {}", attempt.id);
    api.app
        .audit(caller.workspace(), &caller.actor(), Act::SawPayload, &about)
        .await?;
    let replays = api.app.store.replays(caller.workspace(), attempt.id);
    let replays = replays.await?;
    let sources = api.sources(&caller).await?;
    Ok(Json(AttemptWithPayloadJson {
        replays: replays.iter().map(ToString::to_string).collect(),
        ..AttemptWithPayloadJson::of(attempt, payload, &sources.names)
    }))
}

impl AttemptWithPayloadJson {
    /// An attempt and what was sent, without what repeats it.
    pub(crate) fn of(
        attempt: Attempt,
        payload: Payload,
        names: &SourceNames,
    ) -> AttemptWithPayloadJson {
        let (payload, payload_content_type, payload_encoding) = payload_text(payload);
        AttemptWithPayloadJson {
            attempt: AttemptJson::of(attempt, names),
            replays: Vec::new(),
            payload,
            payload_content_type,
            payload_encoding,
        }
    }
}

/// The attempt with an id, if the caller may see it.
pub(crate) async fn find(
    api: &Api,
    caller: &Caller,
    id: &str,
) -> Result<(Attempt, Payload), Problem> {
    let unknown = || Problem::not_found("attempt", id);
    let attempt_id = id.parse().map(AttemptId).map_err(|_| unknown())?;
    let found = api
        .app
        .store
        .attempt(caller.workspace(), attempt_id)
        .await?;
    found
        .filter(|(attempt, _)| caller.source().is_none_or(|own| own == attempt.source))
        .ok_or_else(unknown)
}

/// The text of a payload, its media type, and its encoding if it is no text.
fn payload_text(payload: Payload) -> (String, String, Option<&'static str>) {
    match String::from_utf8(payload.bytes) {
        Ok(text) => (text, payload.content_type, None),
        Err(error) => (
            STANDARD.encode(error.as_bytes()),
            payload.content_type,
            Some("base64"),
        ),
    }
}

/// Count attempts
///
/// Counts per result, and a histogram over the range from `from` to `to` (now, if it is left out). Both count every
/// result, whatever `result` asks for.
#[utoipa::path(
    get,
    path = "/logs/summary",
    operation_id = "summariseLog",
    tag = "Log",
    params(LogParams, BucketParams),
    responses((status = 200, description = "The counts", body = LogSummaryJson), Guarded),
)]
pub(crate) async fn summary(
    State(api): State<Api>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<LogSummaryJson>, Problem> {
    let mut params = Params::of(&uri)?;
    let filter = LogParams::take(&mut params)?;
    let buckets = BucketParams {
        buckets: params.number("buckets", 0, 500, 60)?,
    };
    params.finish()?;
    let sources = api.sources(&caller).await?;
    let mut filter = filter.filter(&caller, &sources)?;
    // `to` is exclusive, and what was received in this very millisecond belongs to now.
    let to = filter.to.unwrap_or(Timestamp(clock::now().0 + 1));
    filter.to = Some(to);
    let from = filter.from;
    let summary = api
        .app
        .store
        .summary(caller.workspace(), filter, buckets.buckets)
        .await?;
    let parts = i64::try_from(summary.histogram.len()).unwrap_or(i64::MAX);
    let edge = |part: usize| {
        let (part, from) = (i64::try_from(part).unwrap_or(0), from.unwrap_or_default().0);
        let width = i128::from(to.0 - from) * i128::from(part) / i128::from(parts.max(1));
        rfc3339(Timestamp(from + i64::try_from(width).unwrap_or(0)))
    };
    let bucket = |(part, counts): (usize, &ResultCounts)| BucketJson {
        from: edge(part),
        to: edge(part + 1),
        counts: (*counts).into(),
    };
    Ok(Json(LogSummaryJson {
        from: from.map(rfc3339),
        to: rfc3339(to),
        counts: summary.counts.into(),
        histogram: summary.histogram.iter().enumerate().map(bucket).collect(),
    }))
}

/// Export attempts
///
/// Everything that the filters let through, newest first, streamed without a cap. Cells of a CSV that a spreadsheet
/// would take for a formula begin with `'`, which an import takes away again.
#[utoipa::path(
    get,
    path = "/logs/export",
    operation_id = "exportLog",
    tag = "Log",
    params(LogParams, FormatParams),
    responses(
        (status = 200, description = "The attempts", content(
            (String = "text/csv"),
            (AttemptJson = "application/x-ndjson"),
        )),
        Guarded,
    ),
)]
pub(crate) async fn export(
    State(api): State<Api>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, Problem> {
    let mut params = Params::of(&uri)?;
    let filter = LogParams::take(&mut params)?;
    let format = FormatParams::take(&mut params)?.format;
    params.finish()?;
    let sources = api.sources(&caller).await?;
    let filter = filter.filter(&caller, &sources)?;
    let workspace = caller.workspace();
    let sources = api.app.store.sources(workspace).await?;
    api.app
        .audit(workspace, &caller.actor(), Act::ExportedLog, format.key())
        .await?;
    let attempts = export::attempts(api.app, workspace, &sources, filter, format, Sight::Full);
    Ok(download("contact-import-log", format, attempts))
}

#[cfg(test)]
mod tests {
    use utoipa::openapi::path::ParameterIn;

    use super::*;

    #[test]
    fn every_parameter_is_described() {
        let query = "from=15m&to=5m&result=success&source=a&action=created&matched_on=email&\
                     import=019aad5e-5b60-7001-8000-000000000001&contact=1&q=x&limit=5&cursor=c&format=csv";
        let mut params = Params::of(&format!("/logs?{query}").parse().unwrap()).unwrap();
        LogParams::take(&mut params).unwrap();
        PageParams::take(&mut params).unwrap();
        FormatParams::take(&mut params).unwrap();
        params.finish().unwrap();
        let described = |parameters: Vec<utoipa::openapi::path::Parameter>| {
            let names = parameters.into_iter().map(|parameter| parameter.name);
            names.collect::<Vec<_>>()
        };
        let inside = || Some(ParameterIn::Query);
        let mut names = described(LogParams::into_params(inside));
        names.extend(described(PageParams::into_params(inside)));
        names.extend(described(FormatParams::into_params(inside)));
        let given: Vec<&str> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, given);
    }

    #[test]
    fn a_payload_that_is_no_text_is_sent_as_base64() {
        let payload = |bytes: &[u8]| Payload {
            content_type: "text/csv".to_owned(),
            bytes: bytes.to_vec(),
        };
        let (text, content_type, encoding) = payload_text(payload(b"a;b"));
        assert_eq!(
            (text.as_str(), content_type.as_str(), encoding),
            ("a;b", "text/csv", None)
        );
        let (text, _, encoding) = payload_text(payload(&[0xff, 0x00]));
        assert_eq!((text.as_str(), encoding), ("/wA=", Some("base64")));
    }
}
