//! Web addresses: http and https, kept as they were written.
//!
//! Any other scheme is an issue: a stored value may become a link on a page, and `javascript:` is one.

use std::borrow::Cow;

use crate::issue::Problem;

/// The longest address in characters.
pub const MAX_CHARS: usize = 2048;

/// Reads a web address; a bare `example.com` becomes `https://example.com`.
pub fn parse(text: &str) -> Result<Cow<'_, str>, Problem> {
    super::text::check(text, MAX_CHARS, false)?;
    if text
        .contains(|c: char| super::text::is_space(c) || matches!(c, '<' | '>' | '"' | '\\' | '`'))
    {
        return Err(Problem::UrlInvalid);
    }
    match text.split_once("://") {
        Some((scheme, rest)) if is_web(scheme) => {
            if is_authority(authority(rest), false) {
                Ok(Cow::Borrowed(text))
            } else {
                Err(Problem::UrlInvalid)
            }
        }
        // A bare address may carry another one in its path or query: `example.com/?next=https://…`.
        _ if is_authority(authority(text), true) => Ok(Cow::Owned(format!("https://{text}"))),
        _ => Err(Problem::UrlInvalid),
    }
}

fn is_web(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// What stands before the path, the query or the fragment.
fn authority(rest: &str) -> &str {
    rest.find(['/', '?', '#']).map_or(rest, |end| &rest[..end])
}

/// Whether this is a host with perhaps a port. A bare one must end in a word, lest `1.5` become an address.
fn is_authority(authority: &str, bare: bool) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port_fits = port
        .is_none_or(|port| port.parse::<u16>().is_ok() && port.bytes().all(|b| b.is_ascii_digit()));
    if !port_fits {
        return false;
    }
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        return !bare && address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let labels_fit = name.split('.').all(|label| {
        !label.is_empty()
            && label.len() <= 63 * 4
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| {
                c.is_ascii_alphanumeric()
                    || matches!(c, '-' | '_')
                    || (!c.is_ascii() && !c.is_control())
            })
    });
    let ends_in_word = name.rsplit_once('.').is_some_and(|(_, last)| {
        last.chars().count() > 1 && !last.chars().all(|c| c.is_ascii_digit())
    });
    labels_fit && (ends_in_word || !bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(parse(text).ok().as_deref(), expected, "{text:?}");
    }

    #[test]
    fn addresses_are_read() {
        for same in [
            "https://example.com",
            "http://example.com/",
            "HTTPS://Example.COM/Path?q=1#f",
            "http://localhost:8080/x",
            "http://127.0.0.1/",
            "http://[::1]:80/",
            "https://bücher.example/ä",
            "https://example.com/?next=http://other.example",
            "https://a_b.example.com",
        ] {
            check(same, Some(same));
        }
        for (text, expected) in [
            ("example.com", "https://example.com"),
            ("www.example.com/a", "https://www.example.com/a"),
            ("example.com:8080/a", "https://example.com:8080/a"),
            (
                "example.com/?next=http://x.example",
                "https://example.com/?next=http://x.example",
            ),
        ] {
            check(text, Some(expected));
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "example",
            "1.5",
            "3.12.2024",
            "javascript:alert(1)",
            "javascript://example.com/%0aalert(1)",
            "mailto:a@example.com",
            "ftp://example.com",
            "a@example.com",
            "https://user:password@example.com",
            "https://",
            "https:///path",
            "https://exa mple.com",
            "https://example.com/a b",
            "https://example.com/<b>",
            "http://example..com",
            "http://-example.com",
            "http://example.com:99999",
            "http://example.com:+80",
            "//example.com",
            "/path",
            "http://[::1",
            "https://example.com/\u{200b}",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn control_characters_are_named() {
        assert_eq!(
            parse("https://example.com/\u{0}").unwrap_err().code(),
            "text.control_character"
        );
    }
}
