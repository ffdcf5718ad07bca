//! The mail with which somebody joins a workspace.

use crate::mail::{Letter, parts};

/// The mail.
#[derive(Debug, Clone)]
pub(crate) struct Invitation {
    pub(crate) letter: Letter,
    /// Who invites.
    pub(crate) by: String,
    /// As what.
    pub(crate) role: &'static str,
    /// The link that accepts.
    pub(crate) url: String,
}

parts!(
    Invitation,
    "mail/invitation/subject.txt",
    "mail/invitation/body.txt",
    "mail/invitation/body.html"
);
