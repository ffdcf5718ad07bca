//! One-time codes as a second factor: RFC 6238 with the parameters that every authenticator app has (SHA-1, six digits,
//! thirty seconds), the picture that apps scan, and recovery codes for a lost phone.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use qrcode::{Color, EcLevel, QrCode};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use crate::access::hash_secret;

/// How long a code is shown.
const STEP_SECONDS: u64 = 30;

/// Clocks may differ by this many steps.
const SLACK: u64 = 1;

/// How many recovery codes there are.
const RECOVERY_CODES: usize = 10;

/// The letters of RFC 4648's base 32.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A new secret: 160 random bits.
pub(crate) fn new_secret() -> Vec<u8> {
    random(20)
}

/// The time step of a right code; none if the code is wrong. `seconds` since 1970.
pub(crate) fn step_of(secret: &[u8], code: &str, seconds: u64) -> Option<u64> {
    let code: String = code.chars().filter(char::is_ascii_digit).collect();
    let now = seconds / STEP_SECONDS;
    (now.saturating_sub(SLACK)..=now + SLACK).find(|step| {
        code_of(secret, *step)
            .as_bytes()
            .ct_eq(code.as_bytes())
            .into()
    })
}

fn code_of(secret: &[u8], step: u64) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("any length is a key");
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 15);
    let word = [0, 1, 2, 3].map(|place| digest[offset + place]);
    format!(
        "{:06}",
        (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000
    )
}

/// Bytes in base 32, without padding, as apps take a secret that is typed in.
pub(crate) fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in bytes {
        buffer = buffer << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(buffer >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(buffer << (5 - bits) & 31) as usize]));
    }
    text
}

/// The bytes of such a text; none if it is none.
pub(crate) fn from_base32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut buffer, mut bits) = (0_u32, 0);
    for letter in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let letter = letter.to_ascii_uppercase();
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        buffer = buffer << 5 | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits & 255) as u8);
        }
    }
    Some(bytes)
}

/// What apps read from the picture.
pub(crate) fn address(secret: &[u8], email: &str) -> String {
    let account = crate::http::pages::show::encode(email);
    format!(
        "otpauth://totp/Rollbook:{account}?secret={}&issuer=Rollbook",
        base32(secret)
    )
}

/// A picture to be scanned: the width in modules with its quiet border, and the path that fills the dark ones.
pub(crate) fn picture(text: &str) -> Option<(usize, String)> {
    const BORDER: usize = 4;
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (place, colour) in code.to_colors().into_iter().enumerate() {
        if colour == Color::Dark {
            let (x, y) = (place % width + BORDER, place / width + BORDER);
            // Writing into a text cannot fail.
            let _ = write!(path, "M{x} {y}h1v1h-1z");
        }
    }
    Some((width + 2 * BORDER, path))
}

/// New recovery codes: `abcde-fghij`, each opens once.
pub(crate) fn new_recovery_codes() -> Vec<String> {
    let code = |_| {
        let text = base32(&random(7)).to_lowercase();
        format!("{}-{}", &text[..5], &text[5..10])
    };
    (0..RECOVERY_CODES).map(code).collect()
}

/// What is stored of a recovery code, however it is typed.
pub(crate) fn hash_recovery_code(code: &str) -> [u8; 32] {
    let letters = code.chars().filter(char::is_ascii_alphanumeric);
    hash_secret(&letters.collect::<String>().to_ascii_lowercase())
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of RFC 6238, appendix B, for SHA-1; its codes have eight digits, of which ours are the last six.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = b"12345678901234567890";
        for (seconds, code) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(code_of(secret, seconds / 30), code[2..], "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_a_step_before_and_after() {
        let secret = b"12345678901234567890";
        let step = |code: &str, seconds| step_of(secret, code, seconds);
        assert_eq!(step("287082", 59), Some(1));
        assert_eq!(step("287 082", 89), Some(1));
        assert_eq!(step("287082", 0), Some(1));
        assert_eq!(step("287082", 90), None);
        for wrong in ["", "287083", "94287082", "28708"] {
            assert_eq!(step(wrong, 59), None, "{wrong:?}");
        }
    }

    #[test]
    fn base_32_is_that_of_the_standard() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
            assert_eq!(from_base32(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(from_base32("mzxw 6ytb").as_deref(), Some(&b"fooba"[..]));
        assert_eq!(from_base32("M1"), None);
    }

    #[test]
    fn recovery_codes_are_known_however_they_are_typed() {
        let codes = new_recovery_codes();
        assert_eq!(codes.len(), RECOVERY_CODES);
        assert_ne!(codes[0], codes[1]);
        let code = &codes[0];
        assert_eq!(code.len(), 11);
        let typed = format!(" {} ", code.to_uppercase().replace('-', " "));
        assert_eq!(hash_recovery_code(code), hash_recovery_code(&typed));
        assert_ne!(hash_recovery_code(code), hash_recovery_code(&codes[1]));
    }

    #[test]
    fn the_picture_has_a_border_and_dark_modules() {
        let (width, path) = picture(&address(b"12345678901234567890", "a+b@example.com")).unwrap();
        assert!(width > 29);
        assert!(path.starts_with("M4 4h1v1h-1z"), "{path}");
    }
}
