//! Going from one workspace to another.

use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_store::{StoreError, WorkspaceId};
use serde::Deserialize;

use crate::app::App;
use crate::audit::Act;
use crate::http::pages::error::PageError;
use crate::http::session::Person;

/// The form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SwitchForm {
    workspace: String,
}

/// `POST /workspace`: on to its first page, because what was open belongs to the other one.
pub(super) async fn switch(
    State(app): State<App>,
    person: Person,
    Form(form): Form<SwitchForm>,
) -> Result<Response, PageError> {
    let missing = PageError::NotFound("this workspace");
    let Ok(id) = form.workspace.parse() else {
        return Err(missing);
    };
    let switched = app
        .store
        .switch_session(person.session.token_hash, WorkspaceId(id));
    match switched.await {
        Ok(()) => {
            app.audit(
                WorkspaceId(id),
                &person.actor(),
                Act::SignedIn,
                "from another workspace",
            )
            .await?;
            Ok(Redirect::to("/").into_response())
        }
        Err(StoreError::Missing(_)) => Err(missing),
        Err(error) => Err(error.into()),
    }
}
