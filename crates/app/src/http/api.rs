//! The HTTP API under `/api/v1`: one file an endpoint family. [`openapi`] describes it from the same code.

mod audit;
mod batch;
mod body;
mod columns;
mod contacts;
mod document;
mod events;
pub(crate) mod fields;
mod imports;
mod keys;
pub(crate) mod logs;
pub(crate) mod notifications;
pub(crate) mod outbox;
mod params;
mod privacy;
mod profiles;
mod records;
mod replay;
mod review;
mod sources;
pub(crate) mod undo;
pub(crate) mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use rollbook_store::StoreError;
use rollbook_store::sources::Source;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use document::openapi;

use crate::app::App;
use crate::clock;
use crate::export::{Format, file_name};
use crate::http::auth::{Caller, Directory, SourceList};
use crate::http::error::{Kind, Problem, shortened};

/// What the endpoints share.
#[derive(Clone)]
pub(crate) struct Api {
    /// The product.
    pub(crate) app: App,
    /// What is remembered of keys and sources.
    pub(crate) directory: Arc<Directory>,
}

impl Api {
    /// The source that the caller wants to deliver to, if they may and it is not paused.
    pub(crate) async fn deliver_to(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<Arc<Source>, Problem> {
        let source = self.source(caller, name).await?;
        if source.paused {
            return Err(Problem::source_paused(name));
        }
        Ok(source)
    }

    /// The source that the caller wants to deliver to, if they may.
    pub(crate) async fn source(&self, caller: &Caller, name: &str) -> Result<Arc<Source>, Problem> {
        let sources = self.sources(caller).await?;
        let source = sources.by_name(name);
        if let Some(own) = caller.source()
            && source.is_none_or(|source| source.id != own)
        {
            return Err(Problem::new(
                Kind::Forbidden,
                format!(
                    "this key belongs to another source than `{}`; use that source's own key, or deliver to the \
                     source that this key was made for",
                    shortened(name)
                ),
            ));
        }
        let source = source.ok_or_else(|| {
            Problem::new(
                Kind::NotFound,
                format!(
                    "there is no source `{}`; add it on Admin Settings > Sources or with `rollbook source add`",
                    shortened(name)
                ),
            )
        })?;
        Ok(Arc::clone(source))
    }

    /// The sources of the caller's workspace.
    pub(crate) async fn sources(&self, caller: &Caller) -> Result<Arc<SourceList>, StoreError> {
        let (workspace, own) = (caller.workspace(), caller.source());
        self.directory.sources(&self.app, workspace, own).await
    }
}

/// The API's routes.
pub(crate) fn router(app: App) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .route("/openapi.json", axum::routing::get(document::show))
        .fallback(unknown_address)
        .method_not_allowed_fallback(unknown_method)
        .with_state(Api {
            app,
            directory: Arc::default(),
        })
}

/// The described routes. Each is in the description because it is here.
fn routes() -> OpenApiRouter<Api> {
    let uploads = OpenApiRouter::new()
        .routes(routes!(imports::upload))
        // The upload counts its bytes itself.
        .layer(DefaultBodyLimit::disable());
    OpenApiRouter::new()
        .routes(routes!(records::deliver))
        .routes(routes!(batch::deliver))
        .routes(routes!(events::deliver, events::ask))
        .merge(uploads)
        .routes(routes!(imports::details::list))
        .routes(routes!(imports::details::show))
        .routes(routes!(imports::details::file))
        .routes(routes!(imports::start))
        .routes(routes!(imports::cancel))
        .routes(routes!(imports::events))
        .routes(routes!(imports::failed_rows))
        .routes(routes!(review::show))
        .routes(routes!(review::rows))
        .routes(routes!(review::change_row))
        .routes(routes!(review::fix))
        .routes(routes!(review::undo))
        .routes(routes!(review::drift))
        .routes(routes!(columns::check_column))
        .routes(routes!(undo::preview, undo::start))
        .routes(routes!(columns::template))
        .routes(routes!(profiles::list, profiles::save))
        .routes(routes!(profiles::rename, profiles::delete))
        .routes(routes!(contacts::list))
        .routes(routes!(contacts::export))
        .routes(routes!(contacts::show))
        .routes(routes!(privacy::preview))
        .routes(routes!(privacy::start))
        .routes(routes!(privacy::export))
        .routes(routes!(privacy::list))
        .routes(routes!(privacy::show))
        .routes(routes!(privacy::lift))
        .routes(routes!(privacy::retention, privacy::set_retention))
        .routes(routes!(logs::list))
        .routes(routes!(logs::summary))
        .routes(routes!(logs::export))
        .routes(routes!(logs::show))
        .routes(routes!(replay::one))
        .routes(routes!(replay::count, replay::all))
        .routes(routes!(sources::list, sources::add))
        .routes(routes!(sources::show, sources::change))
        .routes(routes!(webhooks::show, webhooks::set_up, webhooks::remove))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::end_overlap))
        .routes(routes!(keys::list, keys::add))
        .routes(routes!(keys::revoke))
        .routes(routes!(keys::rotate))
        .routes(routes!(fields::list, fields::add))
        .routes(routes!(notifications::show, notifications::set))
        .routes(routes!(notifications::test))
        .routes(routes!(outbox::list))
        .routes(routes!(outbox::retry))
        .routes(routes!(audit::list))
}

/// What is answered where there is nothing.
pub(crate) async fn unknown_address(uri: Uri) -> Problem {
    Problem::new(
        Kind::NotFound,
        format!(
            "`{}` is no address of the API; they are described at /api/v1/openapi.json",
            shortened(uri.path())
        ),
    )
}

async fn unknown_method(method: Method, uri: Uri) -> Problem {
    Problem::new(
        Kind::Method,
        format!(
            "`{}` does not take {}; the header `Allow` names what it takes",
            shortened(uri.path()),
            shortened(method.as_str())
        ),
    )
}

/// A file that is sent while it is made.
fn download(
    what: &str,
    format: Format,
    content: impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static,
) -> Response {
    let name = file_name(what, clock::now(), format.key());
    let mut response = Body::from_stream(content).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(format.media_type()),
    );
    if let Ok(disposition) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}
