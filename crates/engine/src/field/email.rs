//! Email addresses: the `addr-spec` of RFC 5321 and 5322 as mail systems accept it, with RFC 6531's letters.
//!
//! Quoted local parts and internationalised addresses are read. Comments, obsolete forms, address literals and domains
//! without a dot are not: nobody receives mail there. No dot or plus tricks: two spellings are two addresses.

use std::borrow::Cow;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::fold::lower;
use super::text::is_space;
use crate::issue::Problem;

/// The most bytes before the @ (RFC 5321).
const MAX_LOCAL: usize = 64;
/// The most bytes of a whole address (RFC 5321 with its erratum).
const MAX_ADDRESS: usize = 254;

/// A usable email address: as it was written, with its domain in lower case and in its own letters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Reads an address.
    ///
    /// ```
    /// use rollbook_engine::field::email::EmailAddress;
    /// let address = EmailAddress::parse("Anna.Weber@Example.COM").unwrap();
    /// assert_eq!(address.as_str(), "Anna.Weber@example.com");
    /// assert_eq!(address.key(), "anna.weber@example.com");
    /// ```
    pub fn parse(text: &str) -> Result<EmailAddress, Problem> {
        if let Some(address) = parse_plain(text) {
            return Ok(address);
        }
        parse_any(text).map_err(|reason| Problem::EmailInvalid {
            reason: reason.into_owned(),
        })
    }

    /// The address as it is stored and sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address as it is stored and sent, taken out.
    pub fn into_string(self) -> String {
        self.0
    }

    /// The address as it is compared and found: all of it in lower case.
    pub fn key(&self) -> Cow<'_, str> {
        lower(&self.0)
    }
}

/// Reads the addresses that nearly all are: letters, digits and a few signs around one @.
fn parse_plain(text: &str) -> Option<EmailAddress> {
    let bytes = text.as_bytes();
    let at = bytes.iter().position(|&byte| byte == b'@')?;
    let (local, domain) = (&bytes[..at], &bytes[at + 1..]);
    if text.len() > MAX_ADDRESS || at > MAX_LOCAL || !is_dot_atom(local) || !is_plain_domain(domain)
    {
        return None;
    }
    let mut address = text.to_owned();
    address[at + 1..].make_ascii_lowercase();
    Some(EmailAddress(address))
}

fn is_dot_atom(local: &[u8]) -> bool {
    let mut before = b'.';
    for &byte in local {
        if !(ATEXT[usize::from(byte)] || byte == b'.' && before != b'.') {
            return false;
        }
        before = byte;
    }
    before != b'.'
}

/// Whether the domain is letters, digits and hyphens, has a dot, ends in a word, and hides no encoded label.
fn is_plain_domain(domain: &[u8]) -> bool {
    let (mut start, mut dots, mut word) = (0, 0, false);
    for position in 0..=domain.len() {
        match domain.get(position) {
            Some(b'.') | None => {
                let label = &domain[start..position];
                let fits = !label.is_empty()
                    && label.len() <= 63
                    && label[0] != b'-'
                    && label[label.len() - 1] != b'-'
                    && !(label.len() > 4 && label[..4].eq_ignore_ascii_case(b"xn--"));
                if !fits {
                    return false;
                }
                if position < domain.len() {
                    dots += 1;
                    word = false;
                }
                start = position + 1;
            }
            Some(byte) if byte.is_ascii_alphabetic() => word = true,
            Some(byte) if byte.is_ascii_digit() || *byte == b'-' => {}
            Some(_) => return false,
        }
    }
    dots > 0 && word
}

/// The characters of an atom (RFC 5322), by byte.
const ATEXT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let signs = b"!#$%&'*+-/=?^_`{|}~";
    let mut sign = 0;
    while sign < signs.len() {
        table[signs[sign] as usize] = true;
        sign += 1;
    }
    table
};

type Reason = Cow<'static, str>;

/// Reads any address, or says as a clause what is wrong with it.
fn parse_any(text: &str) -> Result<EmailAddress, Reason> {
    let (local, domain) = split(text)?;
    let quoted = local.starts_with('"');
    if local.is_empty() {
        return Err("there is nothing before the @".into());
    }
    let local: Cow<'_, str> = if local.is_ascii() {
        local.into()
    } else {
        local.nfc().collect::<String>().into()
    };
    if !quoted {
        check_local(&local)?;
    }
    if local.len() > MAX_LOCAL {
        return Err("the part before the @ is longer than 64 characters".into());
    }
    let (domain, ascii_length) = read_domain(domain)?;
    if local.len() + 1 + ascii_length > MAX_ADDRESS {
        return Err("it is longer than 254 characters".into());
    }
    Ok(EmailAddress(format!("{local}@{domain}")))
}

/// What stands before and after the @.
fn split(text: &str) -> Result<(&str, &str), Reason> {
    if text.is_empty() {
        return Err("it is empty".into());
    }
    if text
        .get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case("mailto:"))
    {
        return Err("it begins with “mailto:”, which is not part of the address".into());
    }
    if text.starts_with('"') {
        let end = quoted_end(text)?;
        return match text[end..].strip_prefix('@') {
            Some(domain) => Ok((&text[..end], domain)),
            None if text[end..].contains(['<', '>']) => Err(WITH_NAME.into()),
            None => Err("the closing quotation mark is not followed by the @".into()),
        };
    }
    if text.contains(['<', '>']) {
        return Err(WITH_NAME.into());
    }
    let Some((local, domain)) = text.split_once('@') else {
        return Err(if text.contains('＠') {
            "it has a wide ＠ instead of an @"
        } else {
            "it has no @"
        }
        .into());
    };
    if domain.contains('@') {
        return Err(if text.contains([',', ';', ' ']) {
            "it is more than one address"
        } else {
            "it has more than one @"
        }
        .into());
    }
    Ok((local, domain))
}

const WITH_NAME: &str = "it has angle brackets, and only the address between them belongs here";

/// Where a quoted local part ends, behind its closing quotation mark.
fn quoted_end(text: &str) -> Result<usize, Reason> {
    let mut escaped = false;
    for (position, character) in text.char_indices().skip(1) {
        if is_unseen(character) {
            return Err(not_allowed(character, "before the @"));
        }
        if escaped {
            escaped = false;
        } else if character == '\\' {
            escaped = true;
        } else if character == '"' {
            return Ok(position + 1);
        }
    }
    Err("a quotation mark is not closed".into())
}

fn check_local(local: &str) -> Result<(), Reason> {
    if local.starts_with('.') {
        return Err("it begins with a dot".into());
    }
    if local.ends_with('.') {
        return Err("there is a dot right before the @".into());
    }
    if local.contains("..") {
        return Err("it has two dots in a row".into());
    }
    if local.starts_with(is_combining_mark) {
        return Err("it begins with an accent that belongs to no letter".into());
    }
    for character in local.chars() {
        let fits = match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() => byte == b'.' || ATEXT[usize::from(byte)],
            _ => !is_unseen(character) && !is_space(character),
        };
        if !fits {
            return Err(not_allowed(character, "before the @"));
        }
    }
    Ok(())
}

/// The domain as it is stored, and the length of its ASCII form.
fn read_domain(domain: &str) -> Result<(String, usize), Reason> {
    if domain.is_empty() {
        return Err("there is nothing after the @".into());
    }
    if domain.starts_with('[') {
        return Err("the domain is a network address in brackets, not a name".into());
    }
    if let Some(character) = domain.chars().find(|&c| {
        is_unseen(c)
            || is_space(c)
            || c.is_ascii() && !(c.is_ascii_alphanumeric() || ".-".contains(c))
    }) {
        return Err(not_allowed(character, "after the @"));
    }
    let idna = Uts46::new();
    let ascii = if is_plain_domain(domain.as_bytes()) {
        Cow::Borrowed(domain)
    } else {
        check_labels(domain)?;
        idna.to_ascii(
            domain.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Ignore,
        )
        .map_err(|_| "the domain is not a valid international name")?
    };
    // Mapping may bring dots and hyphens that were not there: `．` is a dot, too.
    check_labels(&ascii)?;
    if ascii.len() > 253 {
        return Err("the domain is longer than 253 characters".into());
    }
    let Some((_, last)) = ascii.rsplit_once('.') else {
        return Err("the domain has no dot".into());
    };
    if !last.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return Err("the domain ends in a number".into());
    }
    let (own_letters, valid) = idna.to_unicode(
        ascii.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::CheckFirstLast,
    );
    if valid.is_err() {
        return Err("the domain is not a valid international name".into());
    }
    Ok((own_letters.into_owned(), ascii.len()))
}

fn check_labels(domain: &str) -> Result<(), Reason> {
    if domain.starts_with('.') {
        return Err("there is a dot right after the @".into());
    }
    if domain.ends_with('.') {
        return Err("the domain ends with a dot".into());
    }
    if domain.contains("..") {
        return Err("the domain has two dots in a row".into());
    }
    for label in domain.split('.') {
        if label.starts_with('-') || label.ends_with('-') {
            return Err("a part of the domain begins or ends with a hyphen".into());
        }
        if label.is_ascii() && label.len() > 63 {
            return Err("a part of the domain is longer than 63 characters".into());
        }
    }
    Ok(())
}

/// Says that a character may not be there, by its name where it cannot be seen.
fn not_allowed(character: char, place: &str) -> Reason {
    match character {
        ' ' => format!("it has a space {place}").into(),
        '(' | ')' => "it has a comment in brackets".into(),
        '"' => "it has a quotation mark in the wrong place".into(),
        ',' | ';' => format!("it has a “{character}” {place}").into(),
        '\u{fffd}' => {
            format!("a character {place} was lost when the file was read in the wrong encoding")
                .into()
        }
        _ if character.is_control() => format!(
            "it has the control character U+{:04X} {place}",
            u32::from(character)
        )
        .into(),
        _ if is_space(character) => format!(
            "it has an unusual space (U+{:04X}) {place}",
            u32::from(character)
        )
        .into(),
        _ if is_unseen(character) => format!(
            "it has the invisible character U+{:04X} {place}",
            u32::from(character)
        )
        .into(),
        _ => format!("the character “{character}” is not allowed {place}").into(),
    }
}

/// Whether the character is a control, formatting, private or impossible one, or the mark of a lost one.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}'
                | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..
        )
        || u32::from(character) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, expected, key) in [
            ("a@b.co", "a@b.co", "a@b.co"),
            (
                "Anna.Weber+x@Example.COM",
                "Anna.Weber+x@example.com",
                "anna.weber+x@example.com",
            ),
            (
                "o'neil_{x}~@my-host.example",
                "o'neil_{x}~@my-host.example",
                "o'neil_{x}~@my-host.example",
            ),
            (
                "\"A @ b\"@Example.com",
                "\"A @ b\"@example.com",
                "\"a @ b\"@example.com",
            ),
            (
                r#""a\"b"@example.com"#,
                r#""a\"b"@example.com"#,
                r#""a\"b"@example.com"#,
            ),
            (
                "Jürgen@BÜCHER.example",
                "Jürgen@bücher.example",
                "jürgen@bücher.example",
            ),
            (
                "Ju\u{308}rgen@example.com",
                "Jürgen@example.com",
                "jürgen@example.com",
            ),
            ("ÉVA@example.com", "ÉVA@example.com", "éva@example.com"),
            (
                "a@xn--bcher-kva.example",
                "a@bücher.example",
                "a@bücher.example",
            ),
            ("a@straße.example", "a@straße.example", "a@straße.example"),
            ("a@b--c.example", "a@b--c.example", "a@b--c.example"),
            ("a@1.example", "a@1.example", "a@1.example"),
        ] {
            let address = EmailAddress::parse(text).unwrap();
            assert_eq!(address.as_str(), expected, "{text:?}");
            assert_eq!(address.key(), key, "{text:?}");
        }
    }

    #[test]
    fn other_text_is_refused_with_its_reason() {
        for (text, expected) in [
            ("", "it is empty"),
            ("anna", "it has no @"),
            ("anna＠example.com", "it has a wide ＠ instead of an @"),
            ("@example.com", "there is nothing before the @"),
            ("anna@", "there is nothing after the @"),
            ("anna@@example.com", "it has more than one @"),
            ("a@b.co, c@d.co", "it is more than one address"),
            (
                "mailto:a@b.co",
                "it begins with “mailto:”, which is not part of the address",
            ),
            ("Anna <a@b.co>", WITH_NAME),
            ("\"Anna\" <a@b.co>", WITH_NAME),
            (".a@b.co", "it begins with a dot"),
            ("a.@b.co", "there is a dot right before the @"),
            ("a..b@b.co", "it has two dots in a row"),
            ("a b@b.co", "it has a space before the @"),
            ("a@b.co m", "it has a space after the @"),
            (
                "a@b.co\u{a0}m",
                "it has an unusual space (U+00A0) after the @",
            ),
            ("a(x)@b.co", "it has a comment in brackets"),
            ("\"a@b.co", "a quotation mark is not closed"),
            (
                "\"a\"b@b.co",
                "the closing quotation mark is not followed by the @",
            ),
            ("a\"b\"@b.co", "it has a quotation mark in the wrong place"),
            (
                "a\\b@b.co",
                "the character “\\” is not allowed before the @",
            ),
            ("a@b", "the domain has no dot"),
            ("a@b.", "the domain ends with a dot"),
            ("a@.b.co", "there is a dot right after the @"),
            ("a@b..co", "the domain has two dots in a row"),
            (
                "a@-b.co",
                "a part of the domain begins or ends with a hyphen",
            ),
            ("a@b_c.co", "the character “_” is not allowed after the @"),
            ("a@1.2.3.4", "the domain ends in a number"),
            (
                "a@[1.2.3.4]",
                "the domain is a network address in brackets, not a name",
            ),
            (
                "a@b.co\n",
                "it has the control character U+000A after the @",
            ),
            (
                "m\u{fffd}ller@b.co",
                "a character before the @ was lost when the file was read in the wrong encoding",
            ),
            (
                "a@m\u{fffd}ller.co",
                "a character after the @ was lost when the file was read in the wrong encoding",
            ),
            ("a@xn--a.co", "the domain is not a valid international name"),
            ("a@b．．co", "the domain has two dots in a row"),
        ] {
            let reason = match EmailAddress::parse(text) {
                Err(Problem::EmailInvalid { reason }) => reason,
                other => panic!("{text:?}: {other:?}"),
            };
            assert_eq!(reason, expected, "{text:?}");
        }
    }

    #[test]
    fn lengths_are_limited() {
        let local = "l".repeat(64);
        let label = "d".repeat(63);
        assert!(EmailAddress::parse(&format!("{local}@{label}.co")).is_ok());
        assert!(EmailAddress::parse(&format!("{local}l@{label}.co")).is_err());
        assert!(EmailAddress::parse(&format!("{local}@{label}d.co")).is_err());
        let long = format!("a@{label}.{label}.{label}.{}", "d".repeat(60));
        assert_eq!(long.len(), 254);
        assert!(EmailAddress::parse(&long).is_ok());
        assert!(EmailAddress::parse(&format!("a{long}")).is_err());
        assert!(EmailAddress::parse(&format!("{}@example.com", "ü".repeat(33))).is_err());
    }
}
