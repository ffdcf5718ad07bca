//! The pages: one file a page, with its struct, handler and template of the same name.

use axum::Router;

use crate::app::App;

/// The pages' routes.
pub(crate) fn router() -> Router<App> {
    Router::new()
}
