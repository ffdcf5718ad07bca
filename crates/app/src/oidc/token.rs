//! ID tokens: whether one is genuine, meant for us, and of this sign-in (OpenID Connect Core 1.0, 3.1.3.7).
//!
//! `openidconnect` reads and verifies them; here is what we take beyond its defaults, and what it leaves to its users.

use std::time::{Duration, UNIX_EPOCH};

use openidconnect::core::{
    CoreIdToken, CoreIdTokenVerifier, CoreJwsSigningAlgorithm, CoreUserInfoClaims,
};
use openidconnect::{
    ClaimsVerificationError, EndUserEmail, EndUserName, LocalizedClaim, Nonce,
    SignatureVerificationError,
};

/// How far clocks may be apart, in seconds.
const SLACK: i64 = 120;

/// How a token may be signed: not with `none`, and not with the client's secret as the key.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 7] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Who somebody is, as far as the provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Who it is, in the provider's words.
    pub(crate) sub: String,
    /// What they are called.
    pub(crate) name: Option<String>,
    email: Option<String>,
    email_verified: bool,
}

/// What a token has to say beside the provider's name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'e> {
    pub(crate) client_id: &'e str,
    pub(crate) nonce: &'e str,
    /// Seconds since 1970.
    pub(crate) now: i64,
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
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

impl From<ClaimsVerificationError> for TokenError {
    fn from(error: ClaimsVerificationError) -> TokenError {
        use SignatureVerificationError::{DisallowedAlg, NoSignature, UnsupportedAlg};
        match error {
            ClaimsVerificationError::Expired(_) => TokenError::Expired,
            ClaimsVerificationError::Unsupported(_)
            | ClaimsVerificationError::SignatureVerification(
                DisallowedAlg(_) | NoSignature | UnsupportedAlg(_),
            ) => TokenError::Algorithm,
            ClaimsVerificationError::SignatureVerification(_) => TokenError::Signature,
            _ => TokenError::Claims,
        }
    }
}

impl Claims {
    /// Whether the token says an email address, verified or not.
    pub(crate) fn has_email(&self) -> bool {
        self.email.is_some()
    }

    /// Adds what was told beside the token about the same person.
    pub(crate) fn add(&mut self, info: &CoreUserInfoClaims) {
        self.email = email(info.email());
        self.email_verified = info.email_verified() == Some(true);
        self.name = self.name.take().or_else(|| name(info.name()));
    }

    /// The email address, if the provider made sure that it is theirs.
    pub(crate) fn verified_email(&self) -> Option<String> {
        let email = self.email.as_deref()?.trim().to_lowercase();
        (self.email_verified && email.contains('@')).then_some(email)
    }
}

fn email(claim: Option<&EndUserEmail>) -> Option<String> {
    claim.map(|email| email.as_str().to_owned())
}

/// A name in whatever language it is said.
fn name(claim: Option<&LocalizedClaim<EndUserName>>) -> Option<String> {
    claim?.get(None).map(|name| name.as_str().to_owned())
}

/// What a token says, if it is to be believed.
pub(crate) fn verify(
    token: &CoreIdToken,
    verifier: CoreIdTokenVerifier<'_>,
    expected: Expected<'_>,
) -> Result<Claims, TokenError> {
    let Expected { now, client_id, .. } = expected;
    let earliest = Duration::from_secs(u64::try_from(now - SLACK).unwrap_or_default());
    let verifier = verifier
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || (UNIX_EPOCH + earliest).into())
        .set_issue_time_verifier_fn(move |issued| {
            let past = issued.timestamp() - SLACK <= now;
            past.then_some(())
                .ok_or_else(|| "it is of the future".to_owned())
        })
        // A token for several is for us if we are the one who asked for it, which is looked at below.
        .set_other_audience_verifier_fn(|_| true);
    let claims = token.claims(&verifier, &Nonce::new(expected.nonce.to_owned()))?;
    let asked = claims.authorized_party();
    let by_us = asked.is_none_or(|party| party.as_str() == client_id);
    if !by_us || (asked.is_none() && claims.audiences().len() > 1) || claims.subject().is_empty() {
        return Err(TokenError::Claims);
    }
    Ok(Claims {
        sub: claims.subject().to_string(),
        name: name(claims.name()),
        email: email(claims.email()),
        email_verified: claims.email_verified() == Some(true),
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use openidconnect::core::{
        CoreEdDsaPrivateSigningKey, CoreHmacKey, CoreJsonWebKey, CoreJsonWebKeySet,
    };
    use openidconnect::{
        ClientId, ClientSecret, IssuerUrl, JsonWebKeyId, PrivateSigningKey, SubjectIdentifier,
    };
    use serde_json::{Value, json};

    use super::*;
    use crate::outgoing::OutgoingError;

    const EXPECTED: Expected<'static> = Expected {
        client_id: "rollbook",
        nonce: "n-1",
        now: 1_000_000,
    };

    /// Why a token was not taken, or nothing if it could not even be read.
    type Refused = Option<TokenError>;

    fn claims() -> Value {
        json!({
            "iss": "https://login.example", "sub": "17", "aud": "rollbook", "exp": 1_000_300, "iat": 1_000_000,
            "nonce": "n-1", "email": "Anna@Hotel.example", "email_verified": true,
        })
    }

    fn encode(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn message(head: &Value, claims: &Value) -> String {
        let part = |value: &Value| encode(value.to_string().as_bytes());
        format!("{}.{}", part(head), part(claims))
    }

    /// What comes of a token where these are the provider's keys.
    fn verified(token: &str, keys: CoreJsonWebKeySet) -> Result<Claims, Refused> {
        let verifier = CoreIdTokenVerifier::new_confidential_client(
            ClientId::new("rollbook".to_owned()),
            ClientSecret::new("our secret".to_owned()),
            IssuerUrl::new("https://login.example".to_owned()).unwrap(),
            keys,
        );
        let token: CoreIdToken = token.parse().map_err(|_| None)?;
        verify(&token, verifier, EXPECTED).map_err(Some)
    }

    /// A provider that signs with Ed25519.
    struct Provider(CoreEdDsaPrivateSigningKey);

    impl Provider {
        fn new(seed: u8) -> Provider {
            // The frame of a key in PKCS #8, around its 32 bytes.
            let frame = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
            let key = STANDARD.encode([&frame[..], &[seed; 32]].concat());
            let label = "PRIVATE KEY";
            let pem = format!("-----BEGIN {label}-----\n{key}\n-----END {label}-----\n");
            let id = Some(JsonWebKeyId::new("1".to_owned()));
            Provider(CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, id).unwrap())
        }

        fn keys(&self) -> CoreJsonWebKeySet {
            let unknown = json!({"kty": "oct", "k": "AAAA"});
            let key = self.0.as_verification_key();
            serde_json::from_value(json!({"keys": [unknown, key]})).unwrap()
        }

        fn token(&self, head: &Value, claims: &Value) -> String {
            let message = message(head, claims);
            let algorithm = CoreJwsSigningAlgorithm::EdDsa;
            let signature = self.0.sign(&algorithm, message.as_bytes()).unwrap();
            format!("{message}.{}", encode(&signature))
        }

        fn verify(&self, claims: &Value) -> Result<Claims, Refused> {
            let token = self.token(&json!({"alg": "EdDSA", "kid": "1"}), claims);
            verified(&token, self.keys())
        }
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    fn several(azp: Value) -> Value {
        let mut claims = with("aud", json!(["rollbook", "other"]));
        claims["azp"] = azp;
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
            several(json!("rollbook")),
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
            let told = json!({"sub": sub, "email": "a@b.example", "email_verified": true});
            let whose = SubjectIdentifier::new("17".to_owned());
            let told = told.to_string();
            CoreUserInfoClaims::from_json::<OutgoingError>(told.as_bytes(), Some(&whose))
        };
        assert!(info("18").is_err());
        claims.add(&info("17").unwrap());
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
            (with("aud", json!([])), TokenError::Claims),
            (several(Value::Null), TokenError::Claims),
            (several(json!("other")), TokenError::Claims),
            (with("azp", json!("other")), TokenError::Claims),
            (with("nonce", json!("n-2")), TokenError::Claims),
            (with("nonce", Value::Null), TokenError::Claims),
            (with("sub", json!("")), TokenError::Claims),
            (with("exp", json!(999_880)), TokenError::Expired),
            (with("iat", json!(1_000_121)), TokenError::Expired),
        ] {
            assert_eq!(provider.verify(&wrong), Err(Some(error)), "{wrong}");
        }
        for unreadable in [with("exp", json!("soon")), with("exp", Value::Null)] {
            assert_eq!(provider.verify(&unreadable), Err(None), "{unreadable}");
        }
    }

    #[test]
    fn a_token_that_somebody_else_signed_is_not_believed() {
        let (provider, other) = (Provider::new(1), Provider::new(2));
        let head = json!({"alg": "EdDSA", "kid": "1"});
        let verify = |token: &str| verified(token, provider.keys());
        let token = provider.token(&head, &claims());
        assert!(verify(&token).is_ok());
        let forged = other.token(&head, &claims());
        assert_eq!(verify(&forged), Err(Some(TokenError::Signature)));
        for (head, error) in [
            (json!({"alg": "none"}), Some(TokenError::Algorithm)),
            (json!({"alg": "HS256"}), Some(TokenError::Algorithm)),
            (
                json!({"alg": "RS256", "kid": "1"}),
                Some(TokenError::Signature),
            ),
            (
                json!({"alg": "ES256", "kid": "1"}),
                Some(TokenError::Signature),
            ),
            (
                json!({"alg": "EdDSA", "kid": "2"}),
                Some(TokenError::Signature),
            ),
            (
                json!({"alg": "EdDSA", "kid": "1", "crit": ["exp"]}),
                Some(TokenError::Algorithm),
            ),
            (json!({"alg": "rot13", "kid": "1"}), None),
            (json!({"kid": "1"}), None),
        ] {
            let token = provider.token(&head, &claims());
            assert_eq!(verify(&token), Err(error), "{head}");
        }
        // Without a signature, and signed with what is a secret between us and the provider.
        let unsigned = format!("{}.", message(&json!({"alg": "none"}), &claims()));
        assert_eq!(verify(&unsigned), Err(Some(TokenError::Algorithm)));
        let shared = message(&json!({"alg": "HS256"}), &claims());
        let signature = CoreHmacKey::new("our secret")
            .sign(&CoreJwsSigningAlgorithm::HmacSha256, shared.as_bytes())
            .unwrap();
        let shared = format!("{shared}.{}", encode(&signature));
        assert_eq!(verify(&shared), Err(Some(TokenError::Algorithm)));
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
            Err(Some(TokenError::Signature))
        );
    }

    /// Signatures that OpenSSL made, with keys that were thrown away.
    #[test]
    fn the_usual_algorithms_are_taken() {
        let rsa = json!({"kty": "RSA", "e": "AQAB", "n": "6YtJhy_GDMRVQms1gQSSh9czN-zrnv0Ma_mP8tNf3OiOcxEqT7wghnz12HrSmPpi8MKdij2gCggeJ_69wqfq\
                VC4zGDwPlTlz77zuPunNT_BR7B6U0GqjrN-rpvAny1ZHiHHVoEb2gsO7OQKbkqwdT5xFRV5RjNEzu88aTzLQ\
                -HxG3yonns3Vjo5Du6Y11ubn7ZPaWITZnTkFd4v01vjfNmC_9AS8eDxaj2pexhrGWFH2gKjFqJwTvlpBRshV\
                AIwsTCE68MkG2ck5unr2XxWflUo__mPZVCZqYT-9ewodbBI6LUDpgs6vucAhnr08U2m8YmkXQ0n4reWI8MJk\
                5Ggo7w"});
        let p256 = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256",
            "x": "YRwbhyH_T1KmC6kGNDHQjCDR0yhHh6wAM7inR3ZQzzo", "y": "ichf_35zmo6CaV1LSpnNTmOaaWfdRZbTtgfEk9dE5ZE",
        });
        let p384 = json!({
            "kty": "EC", "crv": "P-384",
            "x": "F75PgyjJJHI3e6rYR3-bsNSzn05G8VIC9Xv7qQSBgv-52oXvP092PvuofKnQjH8r",
            "y": "MyUWDKYT5w2RX1gXohQVNWbovyV-fI2p-BVVaeY1wy-iPHCGs7MG3klmoti9PY0Q",
        });
        for (algorithm, key, signature) in [
            (
                "RS256",
                &rsa,
                "vGWyHoORmmdCIDj1dPW1BHHeCVGKDpME4EZBPS6uXwcy7NM2SEK1SnY2hEcd7liiKp9BB7SZShkKw5HVJWp9\
                utJBiZsQgd7_-egTtyrD3p5FZo1CvxsNrL0NEFuLLWLPXdu5ETmYlKdGoZbGAtbetHoIOBdAf2jCIAah_dUy\
                DV3UJ1s3Y3x-5lhwxK9KAyBclbGMHFpxum0aBUuDC-kCC9TLDzjxesgTgM1tFU3PzDq6kCh7tlNe8CEiQ1PI\
                NHevz2f9i9raQDdzKF-oYlOF6R19ciD9_xXJPDcA5v0PKbwbGd4HaTXjfrDyLwvDsULGds8g8TyyOaT8foui\
                -c07PQ",
            ),
            (
                "PS256",
                &rsa,
                "rQXNPyuZdBUADSN-gI7r-uknfsM5g0hcW-g99hv48PIO3hpNlogHm3Ao252y32tHGCDhQcmXCdWi5SDTIxJj\
                mRFCiaWiXV7BDKNhG2GLut5LKXhUP6ejlJl9PKbT6Q7TaQJPV5y094vSHCfLBbEm6hgJbcO9pgyYxsC8hHpQ\
                yK_srqxcBHhivMMlmjpsD8ITZE3AI7ExbwqS9YvzXSfxnYghwgPI1_TLVF6xeAYtjXkH98D3whD2OfsjuaiH\
                bf5Q_gmy7trxAH3d0ucoux8xjw6N02e6Vn-bseIPF7aSzam8hRA7pAeXcoafpg2ZohAkLr2X-9JF84dWHts5\
                Y6hq_w",
            ),
            (
                "ES256",
                &p256,
                "jcwUn3CV6EAz8IADO3NDc8Mje-k38rLG9Ss0oKLuCUTD0JjEFBE6uyOSR0JSQ9dYsAnjYyNoD0Z0oznY14wl\
                QA",
            ),
            (
                "ES384",
                &p384,
                "HUTKWvT5bMAzWjnHpwSo6gh1WoVEoL76CxhPHl7So8Pm1fi7qiV9JisgdH_8mXlqCKAXoRVfqSJhMbSMaKHa\
                v5O98yNluIKA6GSkIJPUXSoxU9uecp26fzwoQ53Ayw5l",
            ),
        ] {
            let key: CoreJsonWebKey = serde_json::from_value(key.clone()).unwrap();
            let verify = |token: &str| verified(token, CoreJsonWebKeySet::new(vec![key.clone()]));
            let head = json!({"alg": algorithm});
            let token = format!("{}.{signature}", message(&head, &claims()));
            assert!(verify(&token).is_ok(), "{algorithm}");
            let other = message(&head, &with("sub", json!("18")));
            let refused = verify(&format!("{other}.{signature}"));
            assert_eq!(refused, Err(Some(TokenError::Signature)), "{algorithm}");
        }
    }
}
