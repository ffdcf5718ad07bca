//! The pages: one file a page, with its struct, handler and template of the same name.
//!
//! Pages are rendered by the server and work without scripts; scripts only make them quicker. No page checks a value:
//! the engine and the use cases do, and pages show what they say.

mod account;
mod assets;
mod attempt;
mod audit;
mod contact;
mod contacts;
pub(crate) mod error;
pub(crate) mod frame;
mod import;
mod imports;
mod join;
mod log;
mod mapping;
mod new_source;
mod notifications;
mod oidc;
mod people;
pub(crate) mod privacy;
mod remap;
mod reset;
pub(crate) mod review;
#[cfg(test)]
mod samples;
pub(crate) mod show;
mod sign_in;
mod source;
mod sources;
mod teach;
mod undo;
mod upload;
mod workspace;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::Redirect;
use axum::routing::{get, post};
use tower_http::csrf::CsrfLayer;

use crate::app::App;

/// The pages' routes. Forms are only taken from our own pages, told by what browsers say of a request's origin.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/", get(|| async { Redirect::to("/contacts") }))
        .route("/contacts", get(contacts::get))
        .route("/contacts/{id}", get(contact::get))
        .route(
            "/contacts/{id}/erase",
            get(privacy::erase::get).post(privacy::erase::post),
        )
        .route("/contacts/{id}/person.json", get(privacy::erase::person))
        .route("/imports", get(imports::get))
        .route(
            "/imports/new",
            get(upload::get)
                .post(upload::post)
                // Counted while it is streamed to disk.
                .layer(DefaultBodyLimit::disable()),
        )
        .route("/imports/template.csv", get(upload::template))
        .route("/imports/{id}", get(import::get))
        .route("/imports/{id}/live", get(import::live))
        .route("/imports/{id}/mapping", post(mapping::submit))
        .route(
            "/imports/{id}/columns/{column}/check",
            get(mapping::check_column),
        )
        .route(
            "/imports/{id}/review",
            get(review::get).post(review::review_again),
        )
        .route("/imports/{id}/rows/{row}", post(review::change_row))
        .route("/imports/{id}/fixes", post(review::fix))
        .route("/imports/{id}/edits/undo", post(review::undo_edits))
        .route("/imports/{id}/start", post(review::start))
        .route("/imports/{id}/cancel", post(import::cancel))
        .route("/imports/{id}/undo", get(undo::get).post(undo::post))
        .route("/imports/{id}/file", get(import::downloads::file))
        .route(
            "/imports/{id}/failed-rows.csv",
            get(import::downloads::failed_rows),
        )
        .route(
            "/settings",
            get(|| async { Redirect::to(log::query::PATH) }),
        )
        .route("/settings/logs", get(log::get))
        .route("/settings/logs/live", get(log::live::get))
        .route("/settings/logs/export", get(log::export::get))
        .route(
            "/settings/logs/replay",
            get(log::replay::get).post(log::replay::post),
        )
        .route("/settings/logs/{attempt}", get(attempt::get))
        .route(
            "/settings/logs/{attempt}/replay",
            // A record may be as large as the settings say; it is counted when it is read.
            post(attempt::replay::post).layer(DefaultBodyLimit::max(64 << 20)),
        )
        .route(
            "/settings/notifications",
            get(notifications::get).post(notifications::post),
        )
        .route("/settings/notifications/test", post(notifications::test))
        .route(
            "/settings/notifications/sources/{name}",
            get(notifications::source::get).post(notifications::source::post),
        )
        .route(
            "/settings/notifications/outbox/{id}/retry",
            post(notifications::outbox::retry),
        )
        .route("/settings/privacy", get(privacy::get).post(privacy::post))
        .route(
            "/settings/privacy/erasures/{number}/lift",
            post(privacy::lift),
        )
        .merge(sources_router())
        .merge(people_router())
        .route("/assets/{hash}/{name}", get(assets::get))
        .fallback(error::not_found)
        .layer(CsrfLayer::new().with_rejection_response(error::foreign_form))
        .layer(middleware::from_fn(frame::error_pages))
}

/// Sources, their keys and their signed webhooks.
fn sources_router() -> Router<App> {
    Router::new()
        .route("/settings/sources", get(sources::get))
        .route(
            "/settings/sources/new",
            get(new_source::get).post(new_source::post),
        )
        .route("/settings/sources/{name}", get(source::get))
        .route("/settings/sources/{name}/keys", post(source::create_key))
        .route(
            "/settings/sources/{name}/keys/{id}/revoke",
            post(source::revoke_key),
        )
        .route(
            "/settings/sources/{name}/keys/{id}/rotate",
            post(source::rotate_key),
        )
        .route(
            "/settings/sources/{name}/webhook",
            post(source::webhook::set_up),
        )
        .route(
            "/settings/sources/{name}/webhook/rotate",
            post(source::webhook::rotate),
        )
        .route(
            "/settings/sources/{name}/webhook/end-overlap",
            post(source::webhook::end_overlap),
        )
        .route(
            "/settings/sources/{name}/webhook/remove",
            post(source::webhook::remove),
        )
        .route("/settings/sources/{name}/pause", post(source::pause))
        .route("/settings/sources/{name}/resume", post(source::resume))
}

/// People: how they come in, their own accounts, who works here, and what they did.
fn people_router() -> Router<App> {
    Router::new()
        .route("/sign-in", get(sign_in::get).post(sign_in::post))
        .route("/sign-in/code", post(sign_in::code))
        .route("/sign-in/oidc", get(oidc::begin))
        .route("/sign-in/oidc/callback", get(oidc::callback))
        .route("/account/oidc", get(oidc::link))
        .route("/account/oidc/unlink", post(oidc::unlink))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/join/{token}", get(join::get).post(join::post))
        .route("/reset", get(reset::get).post(reset::post))
        .route("/reset/{token}", get(reset::get_new).post(reset::post_new))
        .route("/account", get(account::get))
        .route("/account/name", post(account::set_name))
        .route("/account/password", post(account::set_password))
        .route(
            "/account/second-factor",
            get(account::get_factor).post(account::set_factor),
        )
        .route("/account/second-factor/off", post(account::remove_factor))
        .route("/account/sessions/end", post(account::end_session))
        .route("/account/sessions/end-others", post(account::end_others))
        .route("/workspace", post(workspace::switch))
        .route("/settings/people", get(people::get))
        .route("/settings/people/invite", post(people::invite))
        .route("/settings/people/uninvite", post(people::uninvite))
        .route("/settings/people/role", post(people::set_role))
        .route("/settings/people/remove", post(people::remove))
        .route("/settings/audit", get(audit::get))
}
