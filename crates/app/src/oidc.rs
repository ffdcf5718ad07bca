//! Signing in with an OpenID Connect provider: the code flow with PKCE, a state and a nonce.
//!
//! What has to be known when the browser comes back travels in a cookie of its own, so nothing is stored before
//! somebody is known. A person is found by the provider's own id for them, and the first time by an email address that
//! the provider has verified. The protocol is written here on top of `ring`, which speaks TLS for us anyway: the crates
//! for it bring some seventy others, among them an RSA library with an open advisory.

pub(crate) mod token;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rollbook_store::accounts::Role;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::access::new_token;
use crate::app::App;
use crate::clock;
use crate::config::Secret;
use crate::oidc::token::{Claims, Expected, Keys, TokenError, UserInfo};
use crate::outgoing::{Caller, OutgoingError, encoded};

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

/// What a provider says of itself (OpenID Connect Discovery 1.0).
#[derive(Debug, Deserialize)]
struct Discovered {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    userinfo_endpoint: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    #[serde(default)]
    access_token: Option<String>,
}

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
    /// It calls itself something else.
    #[error("the provider calls itself `{0}`; set `oidc_issuer` to exactly that")]
    Issuer(String),
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
    let found = discover(&Caller::new(provider.allow_private)?, provider).await?;
    let begun = Begun::new(next, link);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(begun.verifier.as_bytes()));
    let callback = callback(app);
    let query = [
        ("response_type", "code"),
        ("client_id", &provider.client_id),
        ("redirect_uri", &callback),
        ("scope", "openid email profile"),
        ("state", &begun.state),
        ("nonce", &begun.nonce),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let query: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    let endpoint = &found.authorization_endpoint;
    let mark = if endpoint.contains('?') { '&' } else { '?' };
    Ok((format!("{endpoint}{mark}{}", query.join("&")), begun))
}

/// Who came back with this code.
pub(crate) async fn finish(
    app: &App,
    provider: &ProviderSettings,
    begun: &Begun,
    code: &str,
) -> Result<Claims, OidcError> {
    let caller = Caller::new(provider.allow_private)?;
    let found = discover(&caller, provider).await?;
    let callback = callback(app);
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &callback),
        ("code_verifier", &begun.verifier),
    ];
    let (id, secret) = (&provider.client_id, provider.client_secret.reveal());
    let tokens: Tokens = caller
        .post_form(&found.token_endpoint, id, secret, &form)
        .await?;
    let keys: Keys = caller.get(&found.jwks_uri).await?;
    let expected = Expected {
        issuer: &provider.issuer,
        client_id: &provider.client_id,
        nonce: &begun.nonce,
        now: clock::now().0 / 1000,
    };
    let mut claims = token::verify(&tokens.id_token, &keys, expected)?;
    // Many providers put no more than who it is into the token.
    if !claims.has_email()
        && let (Some(endpoint), Some(access)) = (&found.userinfo_endpoint, &tokens.access_token)
    {
        let info: UserInfo = caller.get_with(endpoint, access).await?;
        claims.add(info);
    }
    Ok(claims)
}

async fn discover(caller: &Caller, provider: &ProviderSettings) -> Result<Discovered, OidcError> {
    let issuer = provider.issuer.trim_end_matches('/');
    let url = format!("{issuer}/.well-known/openid-configuration");
    let found: Discovered = caller.get(&url).await?;
    if found.issuer != provider.issuer {
        return Err(OidcError::Issuer(found.issuer.chars().take(200).collect()));
    }
    // A browser is sent there: it shall not be sent anywhere else than to a page.
    caller.address(&found.authorization_endpoint)?;
    Ok(found)
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
