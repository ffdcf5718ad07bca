//! Sessions: who is signed in, told by a random token in a cookie of which we store only the SHA-256.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::header::{COOKIE, SET_COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::AppendHeaders;
use rollbook_store::accounts::{Role, User};
use rollbook_store::sessions::{NewSession, Session, SignedIn};
use rollbook_store::workspaces::Workspace;
use rollbook_store::{StoreError, Timestamp, WorkspaceId};
use tokio::sync::Semaphore;

use crate::access;
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::clock;
use crate::door::failures::Place;
use crate::door::network::Network;
use crate::http::client;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::SeenPerson;
use crate::http::pages::show::Zone;
use crate::http::security;
use crate::masking::Sight;

/// The name of the cookie.
const SESSION: &str = "rollbook_session";

/// The name of the cookie that tells a browser in which somebody signed in before.
const DEVICE: &str = "rollbook_device";

/// What a cookie's name begins with where people come over TLS: browsers take it from this host alone then.
const HOST: &str = "__Host-";

/// How long a browser is known: a year.
const DEVICE_MILLIS: i64 = 365 * 24 * 60 * 60 * 1000;

/// How long a session lasts: two weeks.
const SESSION_MILLIS: i64 = 14 * 24 * 60 * 60 * 1000;

/// A session's use is written down at most this often, in milliseconds.
const TOUCH_MILLIS: i64 = 60_000;

/// The longest text about a browser that is kept.
const MAX_DEVICE: usize = 300;

/// How many passwords are checked at once: each takes 19 MiB and all of a core.
const CHECKS_AT_ONCE: usize = 2;

/// How long a sign-in waits for its turn.
const CHECK_PATIENCE: Duration = Duration::from_secs(10);

/// Somebody who is signed in, and the workspace they are in.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// The account.
    pub(crate) user: User,
    /// What they may do in the workspace where they are.
    pub(crate) role: Role,
    /// The workspace where they are.
    pub(crate) workspace: Workspace,
    /// Every workspace they belong to, by name.
    pub(crate) workspaces: Vec<(WorkspaceId, String)>,
    /// The workspace's time zone.
    pub(crate) zone: Zone,
    /// Their session.
    pub(crate) session: Session,
    sight: Sight,
    address: String,
}

impl Person {
    /// How much they see.
    pub(crate) fn sight(&self) -> &Sight {
        &self.sight
    }

    /// Whether they may import files.
    pub(crate) fn may_import(&self) -> bool {
        match self.role {
            Role::Importer | Role::Admin => true,
            Role::Viewer => false,
        }
    }

    /// Whether they may change settings.
    pub(crate) fn may_administer(&self) -> bool {
        self.role == Role::Admin
    }

    /// How the audit names them.
    pub(crate) fn actor(&self) -> Actor {
        Actor {
            name: self.user.email.clone(),
            address: self.address.clone(),
        }
    }

    /// Refuses everybody who may not import.
    pub(crate) fn must_import(&self) -> Result<(), PageError> {
        if self.may_import() {
            return Ok(());
        }
        Err(PageError::Forbidden(
            "Your role can look at contacts and the log. Importing files takes the role importer or admin.",
        ))
    }

    /// Refuses everybody who may not change settings.
    pub(crate) fn must_administer(&self) -> Result<(), PageError> {
        if self.may_administer() {
            return Ok(());
        }
        Err(PageError::Forbidden(
            "Changing settings takes the role admin.",
        ))
    }

    /// Whether the session goes on; streams that stay open ask again and again.
    pub(crate) async fn is_still_here(&self, app: &App) -> bool {
        let found = app
            .store
            .session(self.session.token_hash, clock::now())
            .await;
        matches!(
            found,
            Ok(Some(SignedIn { member, .. })) if member.role == self.role && member.workspace == self.workspace.id
        )
    }
}

impl FromRequestParts<App> for Person {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Person, PageError> {
        match find_person(parts, app).await? {
            Some(person) => Ok(person),
            None => Err(PageError::SignIn {
                next: (parts.method == Method::GET).then(|| {
                    parts
                        .uri
                        .path_and_query()
                        .map_or("/", |path| path.as_str())
                        .to_owned()
                }),
            }),
        }
    }
}

impl OptionalFromRequestParts<App> for Person {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Person>, PageError> {
        find_person(parts, app).await
    }
}

async fn find_person(parts: &mut Parts, app: &App) -> Result<Option<Person>, PageError> {
    let Some(token) = cookie(app, &parts.headers, SESSION) else {
        return Ok(None);
    };
    let token_hash = access::hash_secret(token);
    let now = clock::now();
    let Some(found) = app.store.session(token_hash, now).await? else {
        return Ok(None);
    };
    let SignedIn {
        member,
        session,
        memberships,
    } = found;
    let all = app.store.workspaces().await?;
    let mut workspaces: Vec<(WorkspaceId, String)> = all
        .iter()
        .filter(|workspace| {
            memberships
                .iter()
                .any(|membership| membership.workspace == workspace.id)
        })
        .map(|workspace| (workspace.id, workspace.settings.name.clone()))
        .collect();
    workspaces.sort_by_key(|(_, name)| name.to_lowercase());
    let workspace = all
        .into_iter()
        .find(|workspace| workspace.id == member.workspace)
        .ok_or_else(|| StoreError::Missing("the workspace".to_owned()))?;
    if now.0 - session.seen_at.0 >= TOUCH_MILLIS {
        touch(app, token_hash, client::address(&parts.extensions), now);
    }
    let sight = match member.role {
        Role::Viewer => Sight::masked(app.schema(member.workspace).await?.as_ref()),
        Role::Importer | Role::Admin => Sight::Full,
    };
    let person = Person {
        sight,
        address: client::address(&parts.extensions),
        zone: Zone::of(&workspace.settings),
        user: member.user,
        role: member.role,
        workspace,
        workspaces,
        session,
    };
    if let Some(seen) = parts.extensions.get::<SeenPerson>() {
        seen.remember(&person);
    }
    Ok(Some(person))
}

/// Writes down that a session is used, beside the request.
fn touch(app: &App, token_hash: [u8; 32], address: String, now: Timestamp) {
    let store = Arc::clone(&app.store);
    tokio::spawn(async move {
        if let Err(error) = store.touch_session(token_hash, &address, now).await {
            tracing::warn!("the use of a session was not written down: {error}");
        }
    });
}

/// How many passwords are checked or hashed at once, in all.
static TURNS: Semaphore = Semaphore::const_new(CHECKS_AT_ONCE);

/// Whether a password is this person's. Takes the same time for nobody, and for somebody who has no password.
pub(crate) async fn is_password_of(user: Option<&User>, password: &str) -> Result<bool, PageError> {
    static NOBODY: LazyLock<String> =
        LazyLock::new(|| access::hash_password(&access::new_token()).unwrap_or_default());

    let hash = user
        .map(|user| user.password_hash.clone())
        .filter(|hash| !hash.is_empty());
    let password = password.to_owned();
    in_turn(move || {
        let known = hash.is_some();
        // Without a hash, only for the time it takes.
        access::verify_password(&hash.unwrap_or_else(|| NOBODY.clone()), &password) && known
    })
    .await
}

/// The hash of a new password.
pub(crate) async fn hash_password(password: &str) -> Result<String, PageError> {
    let password = password.to_owned();
    in_turn(move || access::hash_password(&password))
        .await?
        .map_err(|error| PageError::Broken(error.to_string()))
}

/// Does slow work on a thread of its own when it is its turn.
async fn in_turn<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PageError> {
    let turn = tokio::time::timeout(CHECK_PATIENCE, TURNS.acquire())
        .await
        .map_err(|_| PageError::Busy)?;
    let work = tokio::task::spawn_blocking(move || {
        // Held until the work is done, also when the caller has gone meanwhile.
        let _turn = turn;
        work()
    });
    work.await
        .map_err(|error| PageError::Broken(error.to_string()))
}

/// Begins a session for whoever sent a request, and remembers the browser; the headers set the cookies.
pub(crate) async fn begin(
    app: &App,
    user: &User,
    headers: &HeaderMap,
    address: String,
) -> Result<AppendHeaders<[(HeaderName, HeaderValue); 2]>, StoreError> {
    let token = access::new_token();
    let now = clock::now();
    let device = headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let session = NewSession {
        token_hash: access::hash_secret(&token),
        user: user.id,
        address,
        device: device.chars().take(MAX_DEVICE).collect(),
        now,
        expires_at: Timestamp(now.0 + SESSION_MILLIS),
    };
    let token_hash = session.token_hash;
    let actor = Actor {
        name: user.email.clone(),
        address: session.address.clone(),
    };
    app.store.add_session(session).await?;
    if let Some(begun) = app.store.session(token_hash, now).await? {
        app.audit(begun.member.workspace, &actor, Act::SignedIn, "")
            .await?;
    }
    // Several people may sign in in one browser: it keeps its token.
    let browser = match cookie(app, headers, DEVICE) {
        Some(known) if known.len() <= MAX_DEVICE => known.to_owned(),
        _ => access::new_token(),
    };
    let expires_at = Timestamp(now.0 + DEVICE_MILLIS);
    app.store
        .remember_device(user.id, access::hash_secret(&browser), now, expires_at)
        .await?;
    Ok(AppendHeaders([
        (
            SET_COOKIE,
            set_cookie(app, SESSION, &token, SESSION_MILLIS / 1000),
        ),
        (
            SET_COOKIE,
            set_cookie(app, DEVICE, &browser, DEVICE_MILLIS / 1000),
        ),
    ]))
}

/// Ends the session of a request, if it has one; the header removes its cookie.
pub(crate) async fn end(
    app: &App,
    headers: &HeaderMap,
) -> Result<[(HeaderName, HeaderValue); 1], StoreError> {
    if let Some(token) = cookie(app, headers, SESSION) {
        app.store.end_session(access::hash_secret(token)).await?;
    }
    Ok([(SET_COOKIE, set_cookie(app, SESSION, "", 0))])
}

/// Where a guess at an account comes from: a browser in which its owner signed in before is a place of its own.
pub(crate) async fn place(
    app: &App,
    user: Option<&User>,
    headers: &HeaderMap,
    ip: Option<IpAddr>,
) -> Result<Place, StoreError> {
    if let (Some(user), Some(token)) = (user, cookie(app, headers, DEVICE)) {
        let hash = access::hash_secret(token);
        if app.store.knows_device(user.id, hash, clock::now()).await? {
            return Ok(Place::Device(hash));
        }
    }
    Ok(ip.map_or(Place::Here, |ip| Place::Network(Network::of(ip))))
}

/// What a cookie of ours is called.
fn cookie_name(app: &App, name: &str) -> String {
    if security::over_tls(&app.config) {
        format!("{HOST}{name}")
    } else {
        name.to_owned()
    }
}

/// A cookie for this host alone, which no script sees.
pub(crate) fn set_cookie(app: &App, name: &str, value: &str, max_age: i64) -> HeaderValue {
    let secure = if security::over_tls(&app.config) {
        "; Secure"
    } else {
        ""
    };
    let name = cookie_name(app, name);
    let text = format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The value of a cookie of ours.
pub(crate) fn cookie<'h>(app: &App, headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    named_cookie(headers, &cookie_name(app, name))
}

fn named_cookie<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == wanted && !value.is_empty()).then_some(value))
}

/// Where to go after signing in: the page that was asked for if it is one of ours, else the first page.
pub(crate) fn safe_next(next: &str) -> &str {
    let ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.starts_with("/sign-")
        && !next.contains('\\')
        && !next.chars().any(char::is_control);
    if ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_our_own_pages_only() {
        let cases = [
            ("/settings/logs?range=1h", "/settings/logs?range=1h"),
            ("https://evil.example", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/\t/evil.example", "/"),
            ("/sign-out", "/"),
            ("", "/"),
        ];
        for (asked, expected) in cases {
            assert_eq!(safe_next(asked), expected, "{asked:?}");
        }
    }

    #[test]
    fn the_token_is_found_among_cookies() {
        let mut headers = HeaderMap::new();
        headers.append(
            COOKIE,
            HeaderValue::from_static("a=b; rollbook_session=tok; c=d"),
        );
        assert_eq!(named_cookie(&headers, SESSION), Some("tok"));
        headers.clear();
        headers.append(COOKIE, HeaderValue::from_static("rollbook_session="));
        assert_eq!(named_cookie(&headers, SESSION), None);
    }
}
