//! All routes, and the layers around them.

use axum::Router;

use crate::app::App;
use crate::http::{api, pages};

/// The whole site.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .merge(pages::router())
        .nest("/api/v1", api::router())
        .with_state(app)
}
