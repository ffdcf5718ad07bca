//! ID tokens: whether one is genuine, meant for us, and of this sign-in (OpenID Connect Core 1.0, 3.1.3.7).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;

/// How far clocks may be apart, in seconds.
const SLACK: i64 = 120;

/// Keys that a provider signs with (RFC 7517). What we do not know is passed over.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Keys {
    keys: Vec<Key>,
}

#[derive(Debug, Clone, Deserialize)]
struct Key {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Head {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    /// Extensions that must be understood; we understand none.
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    /// Who it is, in the provider's words.
    pub(crate) sub: String,
    aud: Audience,
    #[serde(default)]
    azp: Option<String>,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    email_verified: Option<Verified>,
    /// What they are called.
    #[serde(default)]
    pub(crate) name: Option<String>,
}

/// What a provider tells beside the token.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct UserInfo {
    sub: String,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    email_verified: Option<Verified>,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Some providers write it as a text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Verified {
    Plain(bool),
    Text(String),
}

/// What a token has to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'e> {
    pub(crate) issuer: &'e str,
    pub(crate) client_id: &'e str,
    pub(crate) nonce: &'e str,
    /// Seconds since 1970.
    pub(crate) now: i64,
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// It is no token.
    #[error("the ID token cannot be read")]
    Unreadable,
    /// It is signed in a way that is not taken.
    #[error("the ID token is signed in a way that is not taken; use RS256, PS256, ES256 or EdDSA")]
    Algorithm,
    /// No key of the provider made the signature.
    #[error("the ID token is signed by nobody who is known")]
    Signature,
    /// It says something else than it should.
    #[error("the ID token is of another provider, for another client, or not of this sign-in")]
    Claims,
    /// It is too old.
    #[error("the ID token has expired; compare the clocks of both servers")]
    Expired,
}

impl Claims {
    /// Whether the token says an email address, verified or not.
    pub(crate) fn has_email(&self) -> bool {
        self.email.is_some()
    }

    /// Adds what was told beside the token, if it is about the same person.
    pub(crate) fn add(&mut self, info: UserInfo) {
        if info.sub != self.sub {
            return;
        }
        self.email = info.email;
        self.email_verified = info.email_verified;
        self.name = self.name.take().or(info.name);
    }

    /// The email address, if the provider made sure that it is theirs.
    pub(crate) fn verified_email(&self) -> Option<String> {
        let verified = match self.email_verified.as_ref()? {
            Verified::Plain(verified) => *verified,
            Verified::Text(text) => text == "true",
        };
        let email = self.email.as_deref()?.trim().to_lowercase();
        (verified && email.contains('@')).then_some(email)
    }
}

/// What a token says, if it is to be believed.
pub(crate) fn verify(
    token: &str,
    keys: &Keys,
    expected: Expected<'_>,
) -> Result<Claims, TokenError> {
    let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Unreadable)?;
    let (head, body) = message.split_once('.').ok_or(TokenError::Unreadable)?;
    let head: Head = part(head)?;
    if head.crit.is_some() {
        return Err(TokenError::Algorithm);
    }
    let signature = decode(signature)?;
    check_signature(&head, keys, message.as_bytes(), &signature)?;
    let claims: Claims = part(body)?;
    let for_us = match &claims.aud {
        Audience::One(audience) => audience == expected.client_id,
        Audience::Many(all) => {
            all.iter().any(|audience| audience == expected.client_id)
                && (all.len() == 1 || claims.azp.is_some())
        }
    };
    let by_us = claims
        .azp
        .as_deref()
        .is_none_or(|party| party == expected.client_id);
    let nonce = claims.nonce.as_deref().unwrap_or_default();
    let ours: bool = nonce.as_bytes().ct_eq(expected.nonce.as_bytes()).into();
    if claims.iss != expected.issuer || !for_us || !by_us || !ours || claims.sub.is_empty() {
        return Err(TokenError::Claims);
    }
    if claims.exp + SLACK <= expected.now || claims.iat - SLACK > expected.now {
        return Err(TokenError::Expired);
    }
    Ok(claims)
}

fn check_signature(
    head: &Head,
    keys: &Keys,
    message: &[u8],
    signature: &[u8],
) -> Result<(), TokenError> {
    let kind = match head.alg.as_str() {
        "RS256" | "RS384" | "RS512" | "PS256" => "RSA",
        "ES256" | "ES384" => "EC",
        "EdDSA" => "OKP",
        // `none`, and those for which the client's secret is the key.
        _ => return Err(TokenError::Algorithm),
    };
    let fitting = keys.keys.iter().filter(|key| {
        key.kty == kind
            && key
                .purpose
                .as_deref()
                .is_none_or(|purpose| purpose == "sig")
            && key.alg.as_deref().is_none_or(|alg| alg == head.alg)
            && (head.kid.is_none() || key.kid == head.kid)
    });
    for key in fitting {
        if signed_with(key, &head.alg, message, signature).is_some() {
            return Ok(());
        }
    }
    Err(TokenError::Signature)
}

/// Something if this key made the signature.
fn signed_with(key: &Key, alg: &str, message: &[u8], signature: &[u8]) -> Option<()> {
    let bytes = |text: &Option<String>| decode(text.as_deref()?).ok();
    let rsa = |parameters| {
        let (n, e) = (bytes(&key.n)?, bytes(&key.e)?);
        let key = RsaPublicKeyComponents { n, e };
        key.verify(parameters, message, signature).ok()
    };
    let curve = |name: &str| key.crv.as_deref() == Some(name);
    let point = || Some([&[4][..], &bytes(&key.x)?, &bytes(&key.y)?].concat());
    match alg {
        "RS256" => rsa(&RSA_PKCS1_2048_8192_SHA256),
        "RS384" => rsa(&RSA_PKCS1_2048_8192_SHA384),
        "RS512" => rsa(&RSA_PKCS1_2048_8192_SHA512),
        "PS256" => rsa(&RSA_PSS_2048_8192_SHA256),
        "ES256" if curve("P-256") => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point()?)
            .verify(message, signature)
            .ok(),
        "ES384" if curve("P-384") => UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point()?)
            .verify(message, signature)
            .ok(),
        "EdDSA" if curve("Ed25519") => UnparsedPublicKey::new(&ED25519, bytes(&key.x)?)
            .verify(message, signature)
            .ok(),
        _ => None,
    }
}

fn part<T: DeserializeOwned>(text: &str) -> Result<T, TokenError> {
    serde_json::from_slice(&decode(text)?).map_err(|_| TokenError::Unreadable)
}

fn decode(text: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| TokenError::Unreadable)
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
    use serde_json::{Value, json};

    use super::*;

    const EXPECTED: Expected<'static> = Expected {
        issuer: "https://login.example",
        client_id: "rollbook",
        nonce: "n-1",
        now: 1_000_000,
    };

    fn claims() -> Value {
        json!({
            "iss": "https://login.example", "sub": "17", "aud": "rollbook", "exp": 1_000_300, "iat": 1_000_000,
            "nonce": "n-1", "email": "Anna@Hotel.example", "email_verified": true,
        })
    }

    fn encode(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A provider that signs with Ed25519.
    struct Provider(Ed25519KeyPair);

    impl Provider {
        fn new(seed: u8) -> Provider {
            Provider(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
        }

        fn keys(&self) -> Keys {
            let x = encode(self.0.public_key().as_ref());
            let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "1", "use": "sig", "x": x});
            let unknown = json!({"kty": "oct", "k": "AAAA"});
            serde_json::from_value(json!({"keys": [unknown, key]})).unwrap()
        }

        fn token(&self, head: &Value, claims: &Value) -> String {
            let part = |value: &Value| encode(value.to_string().as_bytes());
            let message = format!("{}.{}", part(head), part(claims));
            let signature = self.0.sign(message.as_bytes());
            format!("{message}.{}", encode(signature.as_ref()))
        }

        fn verify(&self, claims: &Value) -> Result<Claims, TokenError> {
            let token = self.token(&json!({"alg": "EdDSA", "kid": "1"}), claims);
            verify(&token, &self.keys(), EXPECTED)
        }
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    #[test]
    fn a_token_for_us_is_believed() {
        let provider = Provider::new(1);
        let claims_of = provider.verify(&claims()).unwrap();
        assert_eq!(claims_of.sub, "17");
        assert_eq!(
            claims_of.verified_email().as_deref(),
            Some("anna@hotel.example")
        );
        for fine in [
            with("aud", json!(["rollbook"])),
            with("azp", json!("rollbook")),
            with("email_verified", json!("true")),
            with("exp", json!(999_900)),
        ] {
            assert!(provider.verify(&fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn an_email_counts_only_if_it_was_verified() {
        let provider = Provider::new(1);
        for unverified in [
            with("email_verified", json!(false)),
            with("email_verified", json!("false")),
            with("email_verified", Value::Null),
            with("email", Value::Null),
            with("email", json!("anna")),
        ] {
            let claims = provider.verify(&unverified).unwrap();
            assert_eq!(claims.verified_email(), None, "{unverified}");
        }
    }

    #[test]
    fn what_is_told_beside_the_token_counts_for_the_same_person_only() {
        let provider = Provider::new(1);
        let mut claims = provider.verify(&with("email", Value::Null)).unwrap();
        assert!(!claims.has_email());
        let info = |sub: &str| {
            let info = json!({"sub": sub, "email": "a@b.example", "email_verified": true});
            serde_json::from_value(info).unwrap()
        };
        claims.add(info("18"));
        assert_eq!(claims.verified_email(), None);
        claims.add(info("17"));
        assert_eq!(claims.verified_email().as_deref(), Some("a@b.example"));
    }

    #[test]
    fn a_token_that_says_something_else_is_not_believed() {
        let provider = Provider::new(1);
        for (wrong, error) in [
            (
                with("iss", json!("https://login.example/")),
                TokenError::Claims,
            ),
            (
                with("iss", json!("https://evil.example")),
                TokenError::Claims,
            ),
            (with("aud", json!("other")), TokenError::Claims),
            (
                with("aud", json!(["rollbook", "other"])),
                TokenError::Claims,
            ),
            (with("azp", json!("other")), TokenError::Claims),
            (with("nonce", json!("n-2")), TokenError::Claims),
            (with("nonce", Value::Null), TokenError::Claims),
            (with("sub", json!("")), TokenError::Claims),
            (with("exp", json!(999_880)), TokenError::Expired),
            (with("iat", json!(1_000_121)), TokenError::Expired),
            (with("exp", json!("soon")), TokenError::Unreadable),
        ] {
            assert_eq!(provider.verify(&wrong), Err(error), "{wrong}");
        }
    }

    #[test]
    fn a_token_that_somebody_else_signed_is_not_believed() {
        let (provider, other) = (Provider::new(1), Provider::new(2));
        let head = json!({"alg": "EdDSA", "kid": "1"});
        let verify = |token: &str| verify(token, &provider.keys(), EXPECTED);
        assert!(verify(&provider.token(&head, &claims())).is_ok());
        assert_eq!(
            verify(&other.token(&head, &claims())),
            Err(TokenError::Signature)
        );
        for (head, error) in [
            (json!({"alg": "none"}), TokenError::Algorithm),
            (json!({"alg": "HS256", "kid": "1"}), TokenError::Algorithm),
            (json!({"alg": "RS256", "kid": "1"}), TokenError::Signature),
            (json!({"alg": "ES256", "kid": "1"}), TokenError::Signature),
            (json!({"alg": "EdDSA", "kid": "2"}), TokenError::Signature),
            (
                json!({"alg": "EdDSA", "kid": "1", "crit": ["exp"]}),
                TokenError::Algorithm,
            ),
            (json!({"kid": "1"}), TokenError::Unreadable),
        ] {
            assert_eq!(
                verify(&provider.token(&head, &claims())),
                Err(error),
                "{head}"
            );
        }
        let token = provider.token(&head, &claims());
        let (message, _) = token.rsplit_once('.').unwrap();
        for broken in [
            "",
            "a",
            "a.b",
            "a.b.c",
            "..",
            message,
            &format!("{message}."),
        ] {
            assert!(verify(broken).is_err(), "{broken}");
        }
        // What was signed, with another body.
        let (head, rest) = token.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let other = encode(with("sub", json!("18")).to_string().as_bytes());
        assert_eq!(
            verify(&format!("{head}.{other}.{signature}")),
            Err(TokenError::Signature)
        );
    }

    #[test]
    fn a_key_of_a_curve_is_believed() {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pair.as_ref(), &random)
                .unwrap();
        let point = pair.public_key().as_ref();
        let key = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "x": encode(&point[1..33]), "y": encode(&point[33..]),
        });
        let keys = serde_json::from_value(json!({"keys": [key]})).unwrap();
        let head = encode(json!({"alg": "ES256"}).to_string().as_bytes());
        let message = format!("{head}.{}", encode(claims().to_string().as_bytes()));
        let signature = pair.sign(&random, message.as_bytes()).unwrap();
        let token = format!("{message}.{}", encode(signature.as_ref()));
        assert!(verify(&token, &keys, EXPECTED).is_ok());
    }
}
