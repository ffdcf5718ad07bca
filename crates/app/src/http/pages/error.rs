//! The error page: what went wrong, what to do, and a way on.

use askama::Template;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use rollbook_store::StoreError;
use tower_http::csrf::ProtectionError;

use crate::blobs::BlobError;
use crate::door::Wait;
use crate::http::pages::frame::Frame;
use crate::http::pages::show::{counted, encode, sentence};
use crate::http::session::Person;

/// Why a page cannot be shown.
#[derive(Debug)]
pub(crate) enum PageError {
    /// Nobody is signed in; `next` is the page that was asked for.
    SignIn {
        /// Path and query.
        next: Option<String>,
    },
    /// What was asked for does not exist: "this contact".
    NotFound(&'static str),
    /// The person's role does not allow it.
    Forbidden(&'static str),
    /// The request makes no sense.
    Invalid(String),
    /// Too much at once.
    Busy,
    /// Too many tries: wait.
    TooMany(Wait),
    /// Something of ours broke.
    Broken(String),
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> PageError {
        match error {
            StoreError::Conflict(why) => PageError::Invalid(sentence(&why)),
            error => PageError::Broken(error.to_string()),
        }
    }
}

impl From<Wait> for PageError {
    fn from(wait: Wait) -> PageError {
        PageError::TooMany(wait)
    }
}

impl From<askama::Error> for PageError {
    fn from(error: askama::Error) -> PageError {
        PageError::Broken(error.to_string())
    }
}

impl From<BlobError> for PageError {
    fn from(error: BlobError) -> PageError {
        match error {
            BlobError::Missing => PageError::NotFound("the file of this import"),
            error => PageError::Broken(format!("uploaded files: {}", error.with_cause())),
        }
    }
}

impl From<std::io::Error> for PageError {
    fn from(error: std::io::Error) -> PageError {
        PageError::Broken(error.to_string())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let wait = match &self {
            PageError::TooMany(wait) => Some(*wait),
            _ => None,
        };
        let (status, trouble) = match self {
            PageError::SignIn { next } => return sign_in_first(next.as_deref()),
            PageError::NotFound(what) => (StatusCode::NOT_FOUND, Trouble::not_found(what)),
            PageError::Forbidden(why) => (StatusCode::FORBIDDEN, Trouble::forbidden(why)),
            PageError::Invalid(why) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Trouble {
                    heading: "That did not work".to_owned(),
                    text: why,
                },
            ),
            PageError::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                Trouble {
                    heading: "Too much at once".to_owned(),
                    text: "Many people are signing in right now. Wait a moment and try again."
                        .to_owned(),
                },
            ),
            PageError::TooMany(wait) => (
                StatusCode::TOO_MANY_REQUESTS,
                Trouble {
                    heading: "Too many tries".to_owned(),
                    text: format!(
                        "For the safety of every account you have to wait {} before the next one.",
                        duration(wait.seconds())
                    ),
                },
            ),
            PageError::Broken(cause) => {
                tracing::error!("a page could not be shown: {cause}");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    Trouble::of_status(StatusCode::INTERNAL_SERVER_ERROR),
                )
            }
        };
        let mut response = status.into_response();
        response.extensions_mut().insert(trouble);
        if let Some(wait) = wait {
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, wait.seconds().into());
        }
        response
    }
}

/// `20 seconds`, `3 minutes`.
fn duration(seconds: u64) -> String {
    if seconds < 120 {
        counted(seconds, "second", "seconds")
    } else {
        counted(seconds.div_ceil(60), "minute", "minutes")
    }
}

fn sign_in_first(next: Option<&str>) -> Response {
    let location = match next {
        Some(next) if next != "/" => format!("/sign-in?next={}", encode(next)),
        _ => "/sign-in".to_owned(),
    };
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}

/// What the error page says.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    /// What went wrong.
    pub(crate) heading: String,
    /// What to do.
    pub(crate) text: String,
}

impl Trouble {
    /// What a status without any words means.
    pub(super) fn of_status(status: StatusCode) -> Trouble {
        match status {
            StatusCode::NOT_FOUND => Trouble::not_found("this page"),
            StatusCode::METHOD_NOT_ALLOWED => Trouble {
                heading: "This page cannot be opened like that".to_owned(),
                text: "It only answers to a button on another page. Start from one of the pages below.".to_owned(),
            },
            StatusCode::PAYLOAD_TOO_LARGE => Trouble {
                heading: "That is too large".to_owned(),
                text: "The form or file is larger than Rollbook takes. Split the file and try again.".to_owned(),
            },
            status if status.is_client_error() => Trouble {
                heading: "That did not work".to_owned(),
                text: "The request was incomplete. Go back, reload the page and try again.".to_owned(),
            },
            _ => Trouble {
                heading: "Something broke on our side".to_owned(),
                text: "Nothing you entered is at fault. Try again; if it happens again, ask the operator of Rollbook to look at the server's log."
                    .to_owned(),
            },
        }
    }

    fn not_found(what: &str) -> Trouble {
        Trouble {
            heading: "Not found".to_owned(),
            text: format!(
                "We could not find {what}. The link may be old or mistyped, or it was removed."
            ),
        }
    }

    fn forbidden(why: &str) -> Trouble {
        Trouble {
            heading: "You may not do that".to_owned(),
            text: format!("{why} Ask an administrator of your workspace."),
        }
    }

    /// For scripts, which show it in their own place.
    pub(super) fn text(&self) -> String {
        format!("{}. {}", self.heading, self.text)
    }
}

/// The page.
#[derive(Template)]
#[template(path = "pages/error.html")]
pub(crate) struct ErrorPage {
    pub(crate) frame: Frame,
    pub(crate) trouble: Trouble,
}

/// For addresses that no page has.
pub(super) async fn not_found(_person: Option<Person>, _request: Request) -> PageError {
    PageError::NotFound("this page")
}

/// For forms that another site sent.
pub(super) fn foreign_form(_: ProtectionError) -> Response {
    let mut response = StatusCode::FORBIDDEN.into_response();
    response.extensions_mut().insert(Trouble {
        heading: "This form came from another site".to_owned(),
        text: "For your safety nothing was done. Open the page here and send the form again."
            .to_owned(),
    });
    response
}
