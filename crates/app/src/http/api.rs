//! The HTTP API under `/api/v1`: one file an endpoint family.

use axum::Router;

use crate::app::App;

/// The API's routes.
pub(crate) fn router() -> Router<App> {
    Router::new()
}

/// The description of the API.
pub(crate) fn openapi() -> serde_json::Value {
    serde_json::json!({"openapi": "3.1.0"})
}
