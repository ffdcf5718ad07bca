//! Signing in with an OpenID Connect provider: the code flow with PKCE, a state and a nonce.
//!
//! What has to be known when the browser comes back travels in a cookie of its own, so nothing is stored before
//! somebody is known. A person is found by the provider's own id for them, and the first time by an email address that
//! the provider has verified. The crate `openidconnect` speaks the protocol; its calls are made by `outgoing`, which
//! settles who may be called, how long that may take and how long an answer may be.

pub(crate) mod token;

use std::pin::Pin;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreProviderMetadata, CoreUserInfoClaims,
};
use openidconnect::{
    AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, ConfigurationError, CsrfToken,
    DiscoveryError, EndpointMaybeSet, EndpointNotSet, EndpointSet, ErrorResponse, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, Scope, SubjectIdentifier, TokenResponse, UserInfoError,
};
use rollbook_store::accounts::Role;
use serde::{Deserialize, Serialize};

use crate::access::new_token;
use crate::app::App;
use crate::clock;
use crate::config::Secret;
use crate::oidc::token::{Claims, Expected, TokenError};
use crate::outgoing::{Caller, OutgoingError};

/// Where the browser comes back to.
pub(crate) const CALLBACK: &str = "/sign-in/oidc/callback";

/// How to reach the provider, from the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProviderSettings {
    /// Its address, exactly as it calls itself.
    pub(crate) issuer: String,
    /// What it calls us.
    pub(crate) client_id: String,
    /// What we show it.
    pub(crate) client_secret: Secret,
    /// What people call it.
    pub(crate) name: String,
    /// What somebody becomes who has no account; none to refuse them.
    pub(crate) role: Option<Role>,
    /// Whether it may be in a private network.
    pub(crate) allow_private: bool,
}

/// A client that knows what a provider says of itself.
type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What is known of a sign-in that the provider has to answer: the content of its cookie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begun {
    state: String,
    nonce: String,
    verifier: String,
    /// Where to go afterwards.
    pub(crate) next: String,
    /// Whether it is to be linked to the account that is signed in.
    pub(crate) link: bool,
}

/// Why nobody can be signed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OidcError {
    /// The provider cannot be reached, or says no.
    #[error(transparent)]
    Call(#[from] OutgoingError),
    /// No client can be made.
    #[error("no call can be made: {0}")]
    Client(#[from] reqwest::Error),
    /// An address of the settings is none.
    #[error("`{0}` is no address")]
    Address(String),
    /// It calls itself something else.
    #[error("{0}; set `oidc_issuer` to exactly what the provider calls itself")]
    Issuer(String),
    /// Its answer is not what it should be.
    #[error("the provider's answer cannot be taken: {0}")]
    Answer(String),
    /// The ID token is not believed.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl Begun {
    /// A new one.
    fn new(next: &str, link: bool) -> Begun {
        Begun {
            state: new_token(),
            nonce: new_token(),
            verifier: new_token(),
            next: next.chars().take(500).collect(),
            link,
        }
    }

    /// The value of the cookie.
    pub(crate) fn cookie(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// From the value of the cookie, if the provider's answer belongs to it.
    pub(crate) fn of(cookie: &str, state: &str) -> Option<Begun> {
        let begun: Begun = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cookie).ok()?).ok()?;
        let same = subtle::ConstantTimeEq::ct_eq(begun.state.as_bytes(), state.as_bytes());
        (bool::from(same) && !state.is_empty()).then_some(begun)
    }
}

/// Where to send the browser, and what to remember meanwhile.
pub(crate) async fn begin(
    app: &App,
    provider: &ProviderSettings,
    next: &str,
    link: bool,
) -> Result<(String, Begun), OidcError> {
    let caller = Caller::new(provider.allow_private)?;
    let client = discover(&caller, app, provider).await?;
    // A browser is sent there: it shall not be sent anywhere else than to a page.
    caller.address(client.auth_uri())?;
    let begun = Begun::new(next, link);
    let verifier = PkceCodeVerifier::new(begun.verifier.clone());
    let (state, nonce) = (begun.state.clone(), begun.nonce.clone());
    let (url, _, _) = client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            move || CsrfToken::new(state),
            move || Nonce::new(nonce),
        )
        .add_scopes(["email", "profile"].map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
        .url();
    Ok((url.into(), begun))
}

/// Who came back with this code.
pub(crate) async fn finish(
    app: &App,
    provider: &ProviderSettings,
    begun: &Begun,
    code: &str,
) -> Result<Claims, OidcError> {
    let caller = Caller::new(provider.allow_private)?;
    let client = discover(&caller, app, provider).await?;
    let tokens = client
        .exchange_code(AuthorizationCode::new(code.to_owned()))?
        .set_pkce_verifier(PkceCodeVerifier::new(begun.verifier.clone()))
        .request_async(&caller)
        .await?;
    let id_token = tokens
        .id_token()
        .ok_or_else(|| OidcError::Answer("it holds no ID token".to_owned()))?;
    let expected = Expected {
        client_id: &provider.client_id,
        nonce: &begun.nonce,
        now: clock::now().0 / 1000,
    };
    let mut claims = token::verify(id_token, client.id_token_verifier(), expected)?;
    // Many providers put no more than who it is into the token.
    if !claims.has_email() && client.user_info_url().is_some() {
        let subject = SubjectIdentifier::new(claims.sub.clone());
        let info: CoreUserInfoClaims = client
            .user_info(tokens.access_token().clone(), Some(subject))?
            .request_async(&caller)
            .await?;
        claims.add(&info);
    }
    Ok(claims)
}

async fn discover(
    caller: &Caller,
    app: &App,
    provider: &ProviderSettings,
) -> Result<Client, OidcError> {
    let callback = callback(app);
    let callback = RedirectUrl::new(callback.clone()).map_err(|_| OidcError::Address(callback))?;
    let issuer = IssuerUrl::new(provider.issuer.clone())
        .map_err(|_| OidcError::Address(provider.issuer.clone()))?;
    let found = CoreProviderMetadata::discover_async(issuer, caller).await?;
    let id = ClientId::new(provider.client_id.clone());
    let secret = ClientSecret::new(provider.client_secret.reveal().to_owned());
    let client = CoreClient::from_provider_metadata(found, id, Some(secret));
    Ok(client.set_redirect_uri(callback))
}

impl<'c> AsyncHttpClient<'c> for Caller {
    type Error = OutgoingError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OutgoingError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(Caller::call(self, request))
    }
}

impl From<DiscoveryError<OutgoingError>> for OidcError {
    fn from(error: DiscoveryError<OutgoingError>) -> OidcError {
        match error {
            DiscoveryError::Request(error) => OidcError::Call(error),
            DiscoveryError::Validation(text) => OidcError::Issuer(text.chars().take(400).collect()),
            other => answer(&other),
        }
    }
}

impl<E: ErrorResponse + 'static> From<RequestTokenError<OutgoingError, E>> for OidcError {
    fn from(error: RequestTokenError<OutgoingError, E>) -> OidcError {
        match error {
            RequestTokenError::Request(error) => OidcError::Call(error),
            other => answer(&other),
        }
    }
}

impl From<UserInfoError<OutgoingError>> for OidcError {
    fn from(error: UserInfoError<OutgoingError>) -> OidcError {
        match error {
            UserInfoError::Request(error) => OidcError::Call(error),
            other => answer(&other),
        }
    }
}

impl From<ConfigurationError> for OidcError {
    fn from(error: ConfigurationError) -> OidcError {
        answer(&error)
    }
}

/// What is wrong with an answer, and why.
fn answer(error: &dyn std::error::Error) -> OidcError {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    OidcError::Answer(causes.join(": ").chars().take(400).collect())
}

fn callback(app: &App) -> String {
    let public = app.config.public_url.as_deref().unwrap_or_default();
    format!("{public}{CALLBACK}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_that_was_waited_for_is_taken() {
        let begun = Begun::new("/imports", false);
        let cookie = begun.cookie();
        assert_eq!(Begun::of(&cookie, &begun.state), Some(begun.clone()));
        for (cookie, state) in [
            (&*cookie, "other"),
            (&cookie, ""),
            ("", &begun.state),
            ("e30", &begun.state),
        ] {
            assert_eq!(Begun::of(cookie, state), None, "{cookie} {state}");
        }
    }
}
