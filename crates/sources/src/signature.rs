//! Whether a webhook's delivery is genuine: who signed it, and when.
//!
//! The bytes are checked as they came, before anything reads them, and every comparison takes the same time whatever
//! is wrong. Nothing here knows the time; the caller says it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// What a secret of Standard Webhooks begins with.
pub const SECRET_PREFIX: &str = "whsec_";

/// How many random bytes a secret of Standard Webhooks stands for.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The shortest and the longest secret that is used as the text that it is.
const SECRET_TEXT: std::ops::RangeInclusive<usize> = 16..=512;

/// How many signatures of one delivery are looked at.
const MAX_SIGNATURES: usize = 20;

type HmacSha256 = Hmac<Sha256>;

/// How a sender signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scheme", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Scheme {
    /// [Standard Webhooks 1.0](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md):
    /// HMAC-SHA256 of `id.timestamp.body`, in the headers `webhook-…` or `svix-…`.
    StandardWebhooks,
    /// HMAC-SHA256 of the body alone, in hex or base64.
    HmacSha256Body {
        /// The header that holds it.
        header: String,
        /// What may stand before it.
        prefix: String,
    },
    /// [`HubSpot`'s version 3](https://developers.hubspot.com/docs/guides/apps/authentication/validating-requests):
    /// HMAC-SHA256 of method, address, body and timestamp.
    HubspotV3,
}

/// A delivery as it came.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The whole address as the sender wrote it.
    pub uri: &'a str,
    /// The value of the header with a name in lower case; none where it is missing, repeated, or no text.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The bytes of the body.
    pub body: &'a [u8],
}

/// Why a delivery is refused. This is for our own log: a sender is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A header that the scheme needs is missing, or comes twice.
    HeaderMissing,
    /// The timestamp is no number.
    TimestampUnreadable,
    /// The signature is not in a form that the scheme has.
    SignatureUnreadable,
    /// It was not signed with a valid secret, or was changed on its way.
    SignatureWrong,
    /// It was signed too long ago.
    TooOld,
    /// It was signed in the future.
    TooNew,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Refusal; 6] = [
        Refusal::HeaderMissing,
        Refusal::TimestampUnreadable,
        Refusal::SignatureUnreadable,
        Refusal::SignatureWrong,
        Refusal::TooOld,
        Refusal::TooNew,
    ];

    /// The word of logs and metrics.
    pub fn key(self) -> &'static str {
        match self {
            Refusal::HeaderMissing => "header_missing",
            Refusal::TimestampUnreadable => "timestamp_unreadable",
            Refusal::SignatureUnreadable => "signature_unreadable",
            Refusal::SignatureWrong => "signature_wrong",
            Refusal::TooOld => "too_old",
            Refusal::TooNew => "too_new",
        }
    }

    /// What an administrator reads.
    pub fn text(self) -> &'static str {
        match self {
            Refusal::HeaderMissing => "a header of the signature was missing",
            Refusal::TimestampUnreadable => "the timestamp was no number",
            Refusal::SignatureUnreadable => "the signature was not in the form of the scheme",
            Refusal::SignatureWrong => {
                "it was not signed with a valid secret, or was changed on its way"
            }
            Refusal::TooOld => {
                "it was signed too long ago: an old delivery was sent again, or a clock is wrong"
            }
            Refusal::TooNew => "it was signed in the future: a clock is wrong",
        }
    }

    /// The one with this word.
    pub fn from_key(key: &str) -> Option<Refusal> {
        Refusal::ALL
            .into_iter()
            .find(|refusal| refusal.key() == key)
    }
}

/// Why a text is no secret of a scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It is not what Standard Webhooks says.
    #[error("a secret of Standard Webhooks is `whsec_` and 24 to 64 bytes in base64")]
    Standard,
    /// It is too short, too long, or has something in it that nobody can type.
    #[error("a secret has 16 to 512 visible ASCII characters")]
    Text,
}

impl Scheme {
    /// The word for the scheme alone.
    pub fn key(&self) -> &'static str {
        match self {
            Scheme::StandardWebhooks => "standard-webhooks",
            Scheme::HmacSha256Body { .. } => "hmac-sha256-body",
            Scheme::HubspotV3 => "hubspot-v3",
        }
    }

    /// The key that a secret stands for: Standard Webhooks decodes it, the others take its text.
    pub fn key_of(&self, secret: &str) -> Result<Vec<u8>, SecretError> {
        match self {
            Scheme::StandardWebhooks => {
                let text = secret.strip_prefix(SECRET_PREFIX).unwrap_or(secret);
                let bytes = STANDARD
                    .decode(text)
                    .or_else(|_| STANDARD_NO_PAD.decode(text));
                let bytes = bytes.map_err(|_| SecretError::Standard)?;
                if SECRET_BYTES.contains(&bytes.len()) {
                    Ok(bytes)
                } else {
                    Err(SecretError::Standard)
                }
            }
            Scheme::HmacSha256Body { .. } | Scheme::HubspotV3 => {
                let visible = secret.bytes().all(|byte| byte.is_ascii_graphic());
                if visible && SECRET_TEXT.contains(&secret.len()) {
                    Ok(secret.as_bytes().to_vec())
                } else {
                    Err(SecretError::Text)
                }
            }
        }
    }

    /// Checks a delivery: any of the keys may have signed it, no longer ago than `window` seconds and no further in the
    /// future. `now` is in seconds since 1970. Returns the message's id, if the scheme signs one.
    ///
    /// The signature is looked at before the time, so that our log tells a wrong clock from a forger.
    pub fn verify(
        &self,
        signed: Signed<'_>,
        keys: &[Vec<u8>],
        now: i64,
        window: i64,
    ) -> Result<Option<String>, Refusal> {
        match self {
            Scheme::StandardWebhooks => standard(signed, keys, now, window).map(Some),
            Scheme::HmacSha256Body { header, prefix } => {
                of_body(signed, keys, header, prefix).map(|()| None)
            }
            Scheme::HubspotV3 => hubspot(signed, keys, now, window).map(|()| None),
        }
    }
}

fn standard(
    signed: Signed<'_>,
    keys: &[Vec<u8>],
    now: i64,
    window: i64,
) -> Result<String, Refusal> {
    let named = |name: &str| {
        let header = (signed.header)(&format!("webhook-{name}"));
        header.or_else(|| (signed.header)(&format!("svix-{name}")))
    };
    let (Some(id), Some(timestamp), Some(signatures)) =
        (named("id"), named("timestamp"), named("signature"))
    else {
        return Err(Refusal::HeaderMissing);
    };
    // A signature of another version may stand beside: `v1a` is asymmetric.
    let signatures = signatures
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1,"));
    let signatures: Vec<Vec<u8>> = signatures
        .take(MAX_SIGNATURES)
        .filter_map(|one| STANDARD.decode(one).ok())
        .collect();
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", signed.body];
    any(keys, &parts, &signatures)?;
    in_time(seconds(timestamp)?, now, window)?;
    Ok(id.to_owned())
}

fn of_body(
    signed: Signed<'_>,
    keys: &[Vec<u8>],
    header: &str,
    prefix: &str,
) -> Result<(), Refusal> {
    let value = (signed.header)(&header.to_ascii_lowercase()).ok_or(Refusal::HeaderMissing)?;
    let value = value.trim();
    let value = value.strip_prefix(prefix).unwrap_or(value);
    let signature = from_hex(value).or_else(|| {
        let engines = [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD];
        engines.iter().find_map(|engine| engine.decode(value).ok())
    });
    any(keys, &[signed.body], signature.as_slice())
}

fn hubspot(signed: Signed<'_>, keys: &[Vec<u8>], now: i64, window: i64) -> Result<(), Refusal> {
    let header = |name| (signed.header)(name).ok_or(Refusal::HeaderMissing);
    let signature = header("x-hubspot-signature-v3")?;
    let timestamp = header("x-hubspot-request-timestamp")?;
    let uri = hubspot_uri(signed.uri);
    let parts = [
        signed.method.as_bytes(),
        uri.as_bytes(),
        signed.body,
        timestamp.as_bytes(),
    ];
    any(keys, &parts, STANDARD.decode(signature).ok().as_slice())?;
    in_time(seconds(timestamp)? / 1000, now, window)
}

/// The address as `HubSpot` signs it: some characters are not escaped there, whatever the sender's client made of them.
fn hubspot_uri(uri: &str) -> String {
    const PLAIN: [(&str, &str); 12] = [
        ("%3A", ":"),
        ("%2F", "/"),
        ("%3F", "?"),
        ("%40", "@"),
        ("%21", "!"),
        ("%24", "$"),
        ("%27", "'"),
        ("%28", "("),
        ("%29", ")"),
        ("%2A", "*"),
        ("%2C", ","),
        ("%3B", ";"),
    ];
    let mut plain = uri.to_owned();
    for (escaped, character) in PLAIN {
        for escaped in [escaped, &escaped.to_ascii_lowercase()] {
            if plain.contains(escaped) {
                plain = plain.replace(escaped, character);
            }
        }
    }
    plain
}

/// Whether any of the keys made any of the signatures of a text in parts. All of them are tried, so that how long it
/// takes says nothing.
fn any(keys: &[Vec<u8>], parts: &[&[u8]], signatures: &[Vec<u8>]) -> Result<(), Refusal> {
    if signatures.is_empty() {
        return Err(Refusal::SignatureUnreadable);
    }
    let mut right = false;
    for key in keys {
        let mut mac = HmacSha256::new_from_slice(key).expect("any length is a key");
        for part in parts {
            mac.update(part);
        }
        for signature in signatures {
            right |= mac.clone().verify_slice(signature).is_ok();
        }
    }
    if right {
        Ok(())
    } else {
        Err(Refusal::SignatureWrong)
    }
}

fn seconds(timestamp: &str) -> Result<i64, Refusal> {
    let digits = timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let number = timestamp.parse().ok().filter(|_| digits);
    number.ok_or(Refusal::TimestampUnreadable)
}

fn in_time(signed_at: i64, now: i64, window: i64) -> Result<(), Refusal> {
    let age = now.saturating_sub(signed_at);
    if age > window {
        Err(Refusal::TooOld)
    } else if age < -window {
        Err(Refusal::TooNew)
    } else {
        Ok(())
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let digits = (0..text.len()).step_by(2);
    let bytes = digits.map(|at| u8::from_str_radix(&text[at..at + 2], 16));
    bytes.collect::<Result<_, _>>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_342_500;
    const BODY: &[u8] = br#"{"type":"contact.updated","data":{"id":"1"}}"#;
    const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let mut mac = HmacSha256::new_from_slice(key).unwrap();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().to_vec()
    }

    fn check(
        scheme: &Scheme,
        keys: &[&str],
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Option<String>, Refusal> {
        let keys: Vec<Vec<u8>> = keys.iter().map(|key| scheme.key_of(key).unwrap()).collect();
        let header = |name: &str| {
            headers
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| *value)
        };
        let signed = Signed {
            method: "POST",
            uri: "https://import.example.com/hooks/crm?a=1",
            header: &header,
            body,
        };
        scheme.verify(signed, &keys, NOW, 300)
    }

    /// A delivery of Standard Webhooks, signed at a time.
    fn standard_at(timestamp: &str) -> Result<Option<String>, Refusal> {
        let key = Scheme::StandardWebhooks.key_of(SECRET).unwrap();
        let parts = [b"msg_1", &b"."[..], timestamp.as_bytes(), b".", BODY];
        let signature = format!("v1,{}", STANDARD.encode(hmac(&key, &parts)));
        let headers = [
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", &*signature),
        ];
        check(&Scheme::StandardWebhooks, &[SECRET], &headers, BODY)
    }

    #[test]
    fn the_window_is_as_wide_on_both_sides() {
        for (offset, expected) in [
            (0, Ok(Some("msg_1".to_owned()))),
            (-300, Ok(Some("msg_1".to_owned()))),
            (300, Ok(Some("msg_1".to_owned()))),
            (-301, Err(Refusal::TooOld)),
            (301, Err(Refusal::TooNew)),
        ] {
            assert_eq!(
                standard_at(&(NOW + offset).to_string()),
                expected,
                "{offset}"
            );
        }
        for timestamp in [
            "",
            "soon",
            "-5",
            "+1795342500",
            "1795342500.0",
            "99999999999999999999",
        ] {
            assert_eq!(
                standard_at(timestamp),
                Err(Refusal::TimestampUnreadable),
                "{timestamp}"
            );
        }
        assert_eq!(standard_at(&i64::MAX.to_string()), Err(Refusal::TooNew));
    }

    #[test]
    fn whatever_is_changed_makes_the_signature_wrong() {
        let key = Scheme::StandardWebhooks.key_of(SECRET).unwrap();
        let timestamp = NOW.to_string();
        let parts = [b"msg_1", &b"."[..], timestamp.as_bytes(), b".", BODY];
        let signature = format!("v1,{}", STANDARD.encode(hmac(&key, &parts)));
        let other = format!("whsec_{}", STANDARD.encode([7; 32]));
        let wrong = |id: &str, timestamp: &str, signature: &str, body: &[u8], secret: &str| {
            let headers = [
                ("webhook-id", id),
                ("webhook-timestamp", timestamp),
                ("webhook-signature", signature),
            ];
            check(&Scheme::StandardWebhooks, &[secret], &headers, body)
        };
        assert!(wrong("msg_1", &timestamp, &signature, BODY, SECRET).is_ok());
        let later = (NOW + 1).to_string();
        for refused in [
            wrong("msg_2", &timestamp, &signature, BODY, SECRET),
            wrong("msg_1", &later, &signature, BODY, SECRET),
            wrong("msg_1", &timestamp, &signature, b"{}", SECRET),
            wrong("msg_1", &timestamp, &signature, BODY, &other),
            wrong("msg_1", &timestamp, "v1,AAAA", BODY, SECRET),
        ] {
            assert_eq!(refused, Err(Refusal::SignatureWrong));
        }
        for unreadable in ["", "v1", "v1,", "v1,%", "v2,AAAA", &signature[3..]] {
            let refused = wrong("msg_1", &timestamp, unreadable, BODY, SECRET);
            assert!(
                matches!(
                    refused,
                    Err(Refusal::SignatureUnreadable | Refusal::SignatureWrong)
                ),
                "{unreadable}: {refused:?}"
            );
        }
    }

    #[test]
    fn any_valid_secret_may_have_signed() {
        let scheme = Scheme::HmacSha256Body {
            header: "X-Signature".to_owned(),
            prefix: "sha256=".to_owned(),
        };
        let (old, new) = ("the-secret-before", "the-secret-in-force");
        let signature = STANDARD.encode(hmac(old.as_bytes(), &[BODY]));
        let headers = [("x-signature", &*signature)];
        assert_eq!(check(&scheme, &[new, old], &headers, BODY), Ok(None));
        assert_eq!(
            check(&scheme, &[new], &headers, BODY),
            Err(Refusal::SignatureWrong)
        );
        assert_eq!(
            check(&scheme, &[], &headers, BODY),
            Err(Refusal::SignatureWrong)
        );
        assert_eq!(
            check(&scheme, &[old], &[], BODY),
            Err(Refusal::HeaderMissing)
        );
    }

    #[test]
    fn hubspot_signs_some_characters_as_they_are() {
        assert_eq!(
            hubspot_uri("https://a.example/x%3ay?q=%40%2C%20%3F"),
            "https://a.example/x:y?q=@,%20?"
        );
    }

    #[test]
    fn secrets_have_a_form() {
        let standard = Scheme::StandardWebhooks;
        assert_eq!(
            standard.key_of(SECRET).unwrap(),
            b"0123456789abcdef0123456789abcdef"
        );
        assert_eq!(standard.key_of(&SECRET[6..]), standard.key_of(SECRET));
        let short = format!("whsec_{}", STANDARD.encode([1; 23]));
        for wrong in ["", "whsec_", "whsec_not base64", &short] {
            assert_eq!(
                standard.key_of(wrong),
                Err(SecretError::Standard),
                "{wrong}"
            );
        }
        let text = Scheme::HubspotV3;
        assert_eq!(text.key_of(SECRET).unwrap(), SECRET.as_bytes());
        for wrong in [
            "",
            "fifteen letters",
            "a secret with blanks",
            "geheimnis-größer",
            &"x".repeat(513),
        ] {
            assert_eq!(text.key_of(wrong), Err(SecretError::Text), "{wrong}");
        }
    }

    #[test]
    fn words_lead_back() {
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::from_key(refusal.key()), Some(refusal));
        }
        let scheme = Scheme::HmacSha256Body {
            header: "X-Signature".to_owned(),
            prefix: String::new(),
        };
        let json = serde_json::to_string(&scheme).unwrap();
        assert!(json.contains(scheme.key()), "{json}");
        assert_eq!(serde_json::from_str::<Scheme>(&json).unwrap(), scheme);
    }
}
