//! The mail with which somebody who forgot their password chooses a new one.

use crate::mail::{Letter, parts};

/// The mail.
#[derive(Debug, Clone)]
pub(crate) struct PasswordReset {
    pub(crate) letter: Letter,
    /// Whose password.
    pub(crate) email: String,
    /// The link.
    pub(crate) url: String,
}

parts!(
    PasswordReset,
    "mail/password_reset/subject.txt",
    "mail/password_reset/body.txt",
    "mail/password_reset/body.html"
);
