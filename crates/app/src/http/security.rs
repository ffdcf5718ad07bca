//! What browsers are told with every answer, unless a page says it otherwise.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::config::Config;

/// With every answer.
const ALWAYS: [(HeaderName, HeaderValue); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
        ),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    // For browsers that do not know `frame-ancestors`.
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // Forms need an origin: `no-referrer` would take it from them.
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static(
            "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
        ),
    ),
    (
        HeaderName::from_static("x-permitted-cross-domain-policies"),
        HeaderValue::from_static("none"),
    ),
];

/// Only where people come over TLS: that they always shall, for a year.
const OVER_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Whether people reach Rollbook over TLS.
pub(crate) fn over_tls(config: &Config) -> bool {
    let public = config.public_url.as_deref();
    public.is_some_and(|url| url.starts_with("https:"))
}

/// Adds what is missing.
pub(crate) fn guard(headers: &mut HeaderMap, over_tls: bool) {
    for (name, value) in &ALWAYS {
        if !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    if over_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, OVER_TLS);
    }
}
