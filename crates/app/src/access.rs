//! Who may come in: passwords of people, keys of other systems, and the names of the sources those keys belong to.
//!
//! A secret is shown once, to the person who made it; we keep only its hash. Passwords are short and guessable, so they
//! are hashed slowly (argon2id); tokens and keys are 256 random bits, so a plain SHA-256 is enough and is found by index.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rollbook_engine::policy::Mode;
use rollbook_store::sources::{ApiKey, NewSource, Source};
use rollbook_store::{StoreError, Timestamp, WorkspaceId};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::clock;

/// How many characters of a key are kept to tell it from others: `rb_` and five more.
const PREFIX_CHARS: usize = 8;

/// The longest name of a source.
const MAX_SOURCE_NAME: usize = 64;

/// Why a source cannot be added.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// The name is not one that fits into an address.
    #[error("{0}")]
    Name(String),
    /// The region is not a country.
    #[error("`{0}` is not a country we know; use a code such as DE or US, or leave it blank")]
    Region(String),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A new API key: `rb_` and 43 characters that stand for 256 random bits.
pub(crate) fn new_secret() -> String {
    format!("rb_{}", new_token())
}

/// 256 random bits in 43 characters that may stand in addresses and cookies.
pub(crate) fn new_token() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What is stored of a key or a token.
pub(crate) fn hash_secret(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Makes a key for a source, or with none a key that may do everything an administrator can. Returns it with the
/// secret, which nobody can see again.
pub(crate) async fn create_key(
    app: &App,
    workspace: WorkspaceId,
    source: Option<&Source>,
    name: &str,
) -> Result<(ApiKey, String), StoreError> {
    let secret = new_secret();
    let prefix: String = secret.chars().take(PREFIX_CHARS).collect();
    let key = app
        .store
        .add_key(
            workspace,
            source.map(|source| source.id),
            name,
            &prefix,
            hash_secret(&secret),
            clock::now(),
        )
        .await?;
    Ok((key, secret))
}

/// How long a key may stay valid once a new one has replaced it.
pub(crate) const MAX_OVERLAP_HOURS: u32 = 30 * 24;

/// Replaces a key by a new one with the same name and source. The old one stays valid for some hours, so that the
/// system that uses it can be changed over without a gap. Returns the new one with the secret.
pub(crate) async fn rotate_key(
    app: &App,
    workspace: WorkspaceId,
    id: u32,
    overlap_hours: u32,
) -> Result<(ApiKey, String), StoreError> {
    const HOUR: i64 = 60 * 60 * 1000;
    let secret = new_secret();
    let prefix: String = secret.chars().take(PREFIX_CHARS).collect();
    let now = clock::now();
    let old_until = Timestamp(now.0 + i64::from(overlap_hours.min(MAX_OVERLAP_HOURS)) * HOUR);
    let hash = hash_secret(&secret);
    let rotated = app
        .store
        .rotate_key(workspace, id, &prefix, hash, now, old_until);
    Ok((rotated.await?, secret))
}

/// How the audit names a key that has replaced another.
pub(crate) fn about_rotation(key: &ApiKey, old: u32, overlap_hours: u32) -> String {
    format!(
        "key {} ({}…) replaces key {old}, which is valid for {overlap_hours} more hours",
        key.name, key.prefix
    )
}

/// Hashes a password with argon2id, slowly: call it from a blocking thread.
pub(crate) fn hash_password(password: &str) -> anyhow::Result<String> {
    let hash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| anyhow::anyhow!("the password cannot be hashed: {error}"))?;
    Ok(hash.to_string())
}

/// Whether the password is the one that was hashed; slow, too.
pub(crate) fn verify_password(hash: &str, password: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

/// Whether the name can stand in addresses and on the command line; else what is wrong with it.
pub(crate) fn check_source_name(name: &str) -> Result<(), SourceError> {
    let fits = |character: char| {
        character.is_ascii_lowercase() || character.is_ascii_digit() || "-_".contains(character)
    };
    let problem = if name.is_empty() {
        "a source needs a name; use lower-case letters, digits, - and _, for example `front-desk`"
            .to_owned()
    } else if name.len() > MAX_SOURCE_NAME {
        format!("the name is longer than {MAX_SOURCE_NAME} characters; choose a shorter one")
    } else if let Some(other) = name.chars().find(|character| !fits(*character)) {
        format!("`{other}` cannot be part of a name; use lower-case letters, digits, - and _")
    } else if name == "new" {
        "`new` is taken by the page that adds sources; choose another name".to_owned()
    } else if !name.starts_with(|character: char| character.is_ascii_alphanumeric()) {
        "a name begins with a letter or a digit".to_owned()
    } else {
        return Ok(());
    };
    Err(SourceError::Name(problem))
}

/// The name that a label suggests: `Mews – Harbour Hotel` becomes `mews-harbour-hotel`. Empty if nothing is left.
pub(crate) fn source_name_for(label: &str) -> String {
    let mut name = String::new();
    for character in label.to_lowercase().chars() {
        if character.is_ascii_alphanumeric() || character == '_' {
            name.push(character);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(MAX_SOURCE_NAME);
    name.trim_matches(['-', '_']).to_owned()
}

/// Adds a source after checking what it is told. A blank label becomes the name, a blank namespace `default`.
pub(crate) async fn add_source(
    app: &App,
    workspace: WorkspaceId,
    name: &str,
    label: &str,
    mode: Mode,
    namespace: &str,
    region: &str,
) -> Result<Source, SourceError> {
    let name = name.trim();
    check_source_name(name)?;
    let or = |text: &str, blank: &str| match text.trim() {
        "" => blank.to_owned(),
        text => text.to_owned(),
    };
    let source = NewSource {
        name: name.to_owned(),
        label: or(label, name),
        mode,
        namespace: or(namespace, "default"),
        region: checked_region(region)?,
        mapping: None,
    };
    Ok(app
        .store
        .add_source(workspace, source, clock::now())
        .await?)
}

/// The code of the country whose phone rules apply, given as a code or a name; none for a blank one.
pub(crate) fn checked_region(region: &str) -> Result<Option<String>, SourceError> {
    let region = region.trim();
    if region.is_empty() {
        return Ok(None);
    }
    rollbook_engine::field::country::parse(region)
        .map(|code| Some(code.to_owned()))
        .map_err(|_| SourceError::Region(region.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_and_never_the_same() {
        let (one, other) = (new_secret(), new_secret());
        assert!(one.starts_with("rb_"));
        assert_eq!(one.len(), 46);
        assert_ne!(one, other);
        assert_ne!(hash_secret(&one), hash_secret(&other));
    }

    #[test]
    fn a_password_is_known_again() {
        let hash = hash_password("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify_password(&hash, "correct horse"));
        assert!(!verify_password(&hash, "correct horse "));
        assert!(!verify_password("", "correct horse"));
    }

    #[test]
    fn names_of_sources_fit_into_addresses() {
        for name in ["front-desk", "a", "7-up", "mews_2"] {
            assert!(check_source_name(name).is_ok(), "{name}");
        }
        for name in ["", "new", "Front", "a b", "-a", "ä", "a/b", &"a".repeat(65)] {
            assert!(check_source_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_label_suggests_a_name() {
        let cases = [
            ("Mews – Harbour Hotel", "mews-harbour-hotel"),
            ("  Booking desk API ", "booking-desk-api"),
            ("Café", "caf"),
            ("予約", ""),
        ];
        for (label, name) in cases {
            assert_eq!(source_name_for(label), name);
        }
    }
}
