//! Secrets at rest: what has to be stored so that it can be read again is sealed with a key that is not in the database.
//!
//! Passwords, keys and tokens are only kept as hashes. What is left is what second factors are made of, what webhooks are
//! signed with, and the links in mails that wait. Each is sealed with XChaCha20-Poly1305 and bound to the place where it is stored, so that it opens
//! nothing anywhere else. A sealed secret names its key, so keys can be changed: `old_secret_keys` still open what was
//! sealed before, and [`seal_all`] seals it anew.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rollbook_store::sources::SourceId;
use rollbook_store::webhooks::StoredSecret;
use rollbook_store::{StoreError, WorkspaceId};
use sha2::{Digest, Sha256};

use crate::app::App;

/// What a sealed secret begins with; nothing else that is stored as a secret does.
const MARK: &[u8] = b"\0rollbook sealed 1\0";

/// The same for texts.
const TEXT_MARK: &str = "sealed:";

const KEY_ID: usize = 4;
const NONCE: usize = 24;

/// The keys, from the settings.
#[derive(Clone, Default)]
pub(crate) struct Vault {
    /// The first one seals; all of them open.
    keys: Vec<Key>,
    seals: bool,
}

#[derive(Clone)]
struct Key {
    id: [u8; KEY_ID],
    cipher: XChaCha20Poly1305,
}

/// A key as it stands in the settings: 32 random bytes in base64.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretKey([u8; 32]);

/// Why a secret cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    /// The key is not in the settings.
    #[error(
        "a stored secret is sealed with the key `{0}`, which is not in the settings; set `secret_key` to it, or add it \
         to `old_secret_keys`"
    )]
    NoKey(String),
    /// It was changed, or moved from where it belongs.
    #[error("a stored secret is damaged; restore it from a backup, or set it up again")]
    Damaged,
}

/// How secrets are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// With the key in force.
    pub(crate) current: usize,
    /// With an old key that is in the settings.
    pub(crate) old: usize,
    /// With a key that is not in the settings.
    pub(crate) unreadable: usize,
    /// As they are.
    pub(crate) plain: usize,
}

impl FromStr for SecretKey {
    type Err = String;

    /// The text itself never shows in the error.
    fn from_str(text: &str) -> Result<SecretKey, String> {
        let text = text.trim();
        let read = STANDARD
            .decode(text)
            .or_else(|_| STANDARD_NO_PAD.decode(text))
            .or_else(|_| URL_SAFE_NO_PAD.decode(text));
        let bytes = read.ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(SecretKey).ok_or_else(|| {
            "it is not 32 bytes in base64; make one with: rollbook secrets new-key".to_owned()
        })
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault of {} keys", self.keys.len())
    }
}

impl SecretKey {
    /// A new key.
    pub(crate) fn random() -> SecretKey {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
        SecretKey(bytes)
    }

    /// As it is written into settings.
    pub(crate) fn text(&self) -> String {
        STANDARD.encode(self.0)
    }

    fn key(&self) -> Key {
        let digest = Sha256::new()
            .chain_update(b"rollbook key id")
            .chain_update(self.0)
            .finalize();
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&digest[..KEY_ID]);
        Key {
            id,
            cipher: XChaCha20Poly1305::new(&self.0.into()),
        }
    }
}

impl Vault {
    /// Seals with `current`, if there is one, and opens with all.
    pub(crate) fn new(current: Option<&SecretKey>, old: &[SecretKey]) -> Vault {
        Vault {
            keys: current.into_iter().chain(old).map(SecretKey::key).collect(),
            seals: current.is_some(),
        }
    }

    /// Whether secrets are sealed at all.
    pub(crate) fn seals(&self) -> bool {
        self.seals
    }

    /// What is stored of a secret in a place; without a key in the settings the secret itself.
    pub(crate) fn seal(&self, place: &str, secret: &[u8]) -> Vec<u8> {
        let Some(key) = self.keys.first().filter(|_| self.seals) else {
            return secret.to_vec();
        };
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).expect("the operating system gives random numbers");
        let payload = Payload {
            msg: secret,
            aad: place.as_bytes(),
        };
        let sealed = key
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("only texts of 256 GB are too long");
        [MARK, &key.id, &nonce, &sealed].concat()
    }

    /// The secret that is stored in a place.
    pub(crate) fn open(&self, place: &str, stored: &[u8]) -> Result<Vec<u8>, SealError> {
        let Some(rest) = stored.strip_prefix(MARK) else {
            return Ok(stored.to_vec());
        };
        let Some((id, rest)) = rest.split_first_chunk::<KEY_ID>() else {
            return Err(SealError::Damaged);
        };
        let Some((nonce, sealed)) = rest.split_first_chunk::<NONCE>() else {
            return Err(SealError::Damaged);
        };
        let key = self.keys.iter().find(|key| key.id == *id);
        let key =
            key.ok_or_else(|| SealError::NoKey(format!("{:08x}", u32::from_be_bytes(*id))))?;
        let payload = Payload {
            msg: sealed,
            aad: place.as_bytes(),
        };
        key.cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| SealError::Damaged)
    }

    /// The same for a text.
    pub(crate) fn seal_text(&self, place: &str, secret: String) -> String {
        if !self.seals {
            return secret;
        }
        let sealed = self.seal(place, secret.as_bytes());
        format!("{TEXT_MARK}{}", STANDARD.encode(sealed))
    }

    /// The text that is stored in a place.
    pub(crate) fn open_text(&self, place: &str, stored: &str) -> Result<String, SealError> {
        let Some(sealed) = stored.strip_prefix(TEXT_MARK) else {
            return Ok(stored.to_owned());
        };
        let sealed = STANDARD.decode(sealed).map_err(|_| SealError::Damaged)?;
        let text = String::from_utf8(self.open(place, &sealed)?);
        text.map_err(|_| SealError::Damaged)
    }

    /// How something is stored.
    fn count(&self, stored: &[u8], counts: &mut Counts) {
        let Some(rest) = stored.strip_prefix(MARK) else {
            counts.plain += 1;
            return;
        };
        let position = self.keys.iter().position(|key| rest.starts_with(&key.id));
        match position {
            None => counts.unreadable += 1,
            Some(0) if self.seals => counts.current += 1,
            Some(_) => counts.old += 1,
        }
    }
}

/// Where the secret of a person's second factor is stored.
pub(crate) fn second_factor_of(user: u32) -> String {
    format!("second_factor/{user}")
}

/// Where the secrets of a source's webhook are stored.
pub(crate) fn webhook_of(workspace: WorkspaceId, source: SourceId) -> String {
    format!("webhook/{}/{}", workspace.0, source.0)
}

/// Whose secret it is.
#[derive(Debug, Clone, Copy)]
enum Owner {
    /// A person's second factor.
    SecondFactor(u32),
    /// A source's webhook.
    Webhook(WorkspaceId, SourceId),
}

impl Owner {
    fn place(self) -> String {
        match self {
            Owner::SecondFactor(user) => second_factor_of(user),
            Owner::Webhook(workspace, source) => webhook_of(workspace, source),
        }
    }
}

/// Every secret that is stored.
async fn all(app: &App) -> Result<Vec<(Owner, Vec<u8>)>, StoreError> {
    let factors = app.store.second_factor_secrets().await?.into_iter();
    let mut all: Vec<_> = factors
        .map(|(user, stored)| (Owner::SecondFactor(user), stored))
        .collect();
    for webhook in app.store.webhooks().await? {
        let owner = Owner::Webhook(webhook.workspace, webhook.source);
        all.push((owner, webhook.secret.0));
        all.extend(webhook.previous.map(|(stored, _)| (owner, stored.0)));
    }
    Ok(all)
}

/// How the stored secrets are kept.
pub(crate) async fn count(app: &App) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    for (_, stored) in all(app).await? {
        app.vault.count(&stored, &mut counts);
    }
    Ok(counts)
}

/// How many secrets are damaged: their key is there, but does not open them.
pub(crate) async fn damaged(app: &App) -> Result<usize, StoreError> {
    let all = all(app).await?;
    let damaged = all.iter().filter(|(owner, stored)| {
        app.vault.open(&owner.place(), stored) == Err(SealError::Damaged)
    });
    Ok(damaged.count())
}

/// Seals whatever is stored as it is, or with an old key. Returns how many were sealed.
pub(crate) async fn seal_all(app: &App) -> anyhow::Result<usize> {
    let mut sealed = 0;
    for (owner, stored) in all(app).await? {
        let mut counts = Counts::default();
        app.vault.count(&stored, &mut counts);
        if counts.current > 0 {
            continue;
        }
        let place = owner.place();
        let secret = app.vault.open(&place, &stored)?;
        let anew = app.vault.seal(&place, &secret);
        // What somebody set up anew meanwhile is sealed already.
        let store = &app.store;
        let replaced = match owner {
            Owner::SecondFactor(user) => {
                store
                    .replace_second_factor_secret(user, stored, anew)
                    .await?
            }
            Owner::Webhook(workspace, source) => {
                let (stored, anew) = (StoredSecret(stored), StoredSecret(anew));
                store
                    .replace_webhook_secret(workspace, source, stored, anew)
                    .await?
            }
        };
        if replaced {
            sealed += 1;
        }
    }
    Ok(sealed)
}

/// Makes sure at the start that every secret can be read, and seals what is not sealed with the key in force.
pub(crate) async fn prepare(app: &App) -> anyhow::Result<()> {
    let counts = count(app).await?;
    if app.vault.seals() && counts.plain + counts.old > 0 && counts.unreadable == 0 {
        let sealed = seal_all(app).await?;
        tracing::info!("{sealed} stored secrets were sealed with `secret_key`");
        return Ok(());
    }
    if counts.unreadable > 0 {
        anyhow::bail!(
            "{} stored secrets are sealed with a key that is not in the settings; set `secret_key` to it, or add it to \
             `old_secret_keys`; if it is lost, take the second factors away with `rollbook user reset-second-factor`, and \
             set the signed webhooks up anew with `rollbook webhook set-up`",
            counts.unreadable
        );
    }
    if counts.plain > 0 {
        tracing::warn!(
            "{} secrets are stored as they are, so whoever copies the database can make codes of second factors and sign \
             as senders of webhooks; set ROLLBOOK_SECRET_KEY to a key from: rollbook secrets new-key",
            counts.plain
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_with_its_key_in_its_place() {
        let key = SecretKey::random();
        let vault = Vault::new(Some(&key), &[]);
        let sealed = vault.seal("second_factor/1", b"a secret of somebody");
        assert!(!sealed.windows(8).any(|part| part == b"a secret"));
        assert_eq!(
            vault.open("second_factor/1", &sealed).unwrap(),
            b"a secret of somebody"
        );
        assert_eq!(
            vault.open("second_factor/2", &sealed),
            Err(SealError::Damaged)
        );
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            let opened = vault.open("second_factor/1", &changed);
            assert_ne!(
                opened.as_deref(),
                Ok(&b"a secret of somebody"[..]),
                "{place}"
            );
        }
        for length in MARK.len()..sealed.len() {
            assert!(vault.open("second_factor/1", &sealed[..length]).is_err());
        }
        assert_ne!(
            sealed,
            vault.seal("second_factor/1", b"a secret of somebody")
        );
    }

    #[test]
    fn an_old_key_opens_and_no_key_seals_nothing() {
        let (old, new) = (SecretKey::random(), SecretKey::random());
        let sealed = Vault::new(Some(&old), &[]).seal("x", b"secret");
        let both = Vault::new(Some(&new), std::slice::from_ref(&old));
        assert_eq!(both.open("x", &sealed).unwrap(), b"secret");
        let error = Vault::new(Some(&new), &[]).open("x", &sealed).unwrap_err();
        assert!(matches!(error, SealError::NoKey(_)), "{error}");
        let none = Vault::default();
        assert_eq!(none.seal("x", b"secret"), b"secret");
        assert_eq!(none.open("x", b"secret").unwrap(), b"secret");
        assert!(matches!(none.open("x", &sealed), Err(SealError::NoKey(_))));
        let only_old = Vault::new(None, &[old]);
        assert_eq!(only_old.seal("x", b"secret"), b"secret");
        assert_eq!(only_old.open("x", &sealed).unwrap(), b"secret");
        let mut counts = Counts::default();
        for stored in [&sealed[..], b"plain", &both.seal("x", b"secret")] {
            both.count(stored, &mut counts);
        }
        assert_eq!((counts.current, counts.old, counts.plain), (1, 1, 1));
    }

    #[test]
    fn texts_are_sealed_as_texts() {
        let key = SecretKey::random();
        let vault = Vault::new(Some(&key), &[]);
        let sealed = vault.seal_text("mail", "{\"text\":\"https://…\"}".to_owned());
        assert!(sealed.is_ascii() && !sealed.contains("https"));
        assert_eq!(
            vault.open_text("mail", &sealed).unwrap(),
            "{\"text\":\"https://…\"}"
        );
        assert_eq!(vault.open_text("mail", "{}").unwrap(), "{}");
        assert_eq!(vault.open_text("mail", "sealed:x"), Err(SealError::Damaged));
    }

    #[test]
    fn keys_are_read_and_never_shown() {
        let key = SecretKey::random();
        assert_eq!(key.text().parse(), Ok(key.clone()));
        assert_eq!(key.text().trim_end_matches('=').parse(), Ok(key.clone()));
        assert_eq!(format!("{key:?}"), "…");
        for wrong in ["", "c2hvcnQ=", "not a key"] {
            let error = wrong.parse::<SecretKey>().unwrap_err();
            assert!(error.contains("new-key"), "{error}");
        }
    }
}
