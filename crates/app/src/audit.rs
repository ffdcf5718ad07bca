//! The audit: who saw a payload, exported, undid, replayed, or changed a setting, a key or a role, and when.
//!
//! What is to be audited calls [`App::audit`] where it is done, after it was allowed and, for looking, before it is
//! shown: what cannot be written down is not shown. An entry names things by their ids and names; it never holds a
//! secret or what a contact's fields hold.

use rollbook_store::audit::NewAuditEntry;
use rollbook_store::{StoreError, WorkspaceId};

use crate::app::App;
use crate::clock;

/// The longest text about what something was done to.
const MAX_ABOUT: usize = 300;

/// Who does something, as the audit names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Actor {
    /// An email address, a key, or the command line.
    pub(crate) name: String,
    /// The IP address they come from; empty if not over the network.
    pub(crate) address: String,
}

impl Actor {
    /// Whoever runs a command on the server.
    pub(crate) fn command_line() -> Actor {
        Actor {
            name: "command line".to_owned(),
            address: String::new(),
        }
    }
}

macro_rules! acts {
    ($($(#[doc = $doc:literal])* $name:ident = $key:literal, $text:literal;)*) => {
        /// What can be done that is audited.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Act {
            $($(#[doc = $doc])* $name,)*
        }

        impl Act {
            /// All of them.
            pub(crate) const ALL: &[Act] = &[$(Act::$name),*];

            /// The word of API and database; never changed.
            pub(crate) fn key(self) -> &'static str {
                match self { $(Act::$name => $key,)* }
            }

            /// What people read.
            pub(crate) fn text(self) -> &'static str {
                match self { $(Act::$name => $text,)* }
            }
        }
    };
}

acts! {
    /// Somebody signed in.
    SignedIn = "signed_in", "Signed in";
    /// Somebody looked at a record as it was sent.
    SawPayload = "payload.seen", "Saw a payload";
    /// Somebody exported the log.
    ExportedLog = "log.exported", "Exported the log";
    /// Somebody exported contacts.
    ExportedContacts = "contacts.exported", "Exported contacts";
    /// Somebody took the failed rows of an import.
    ExportedFailedRows = "failed_rows.exported", "Downloaded failed rows";
    /// Somebody took the file of an import.
    DownloadedFile = "file.downloaded", "Downloaded a file";
    /// Somebody undid an import.
    Undid = "import.undone", "Undid an import";
    /// Somebody replayed attempts.
    Replayed = "log.replayed", "Replayed attempts";
    /// Somebody erased a person.
    Erased = "contact.erased", "Erased a person";
    /// Somebody let a person who was erased come back.
    LiftedErasure = "erasure.lifted", "Lifted an erasure";
    /// Somebody took everything that is kept about a person.
    ExportedPerson = "person.exported", "Exported everything about a person";
    /// A setting of the workspace was changed.
    ChangedSetting = "setting.changed", "Changed a setting";
    /// A source was added.
    AddedSource = "source.added", "Added a source";
    /// A source was changed, paused or resumed.
    ChangedSource = "source.changed", "Changed a source";
    /// A field was added.
    AddedField = "field.added", "Added a field";
    /// A key was made.
    AddedKey = "key.added", "Created a key";
    /// A key was revoked.
    RevokedKey = "key.revoked", "Revoked a key";
    /// A key was replaced by a new one.
    RotatedKey = "key.rotated", "Rotated a key";
    /// A source's signed webhook was set up, its secret replaced or taken back, or it was removed.
    ChangedWebhook = "webhook.changed", "Changed a webhook";
    /// Somebody was invited.
    Invited = "person.invited", "Invited a person";
    /// An invitation was taken back.
    Uninvited = "person.uninvited", "Took back an invitation";
    /// Somebody joined the workspace.
    Joined = "person.joined", "Joined";
    /// Somebody's role was changed.
    ChangedRole = "role.changed", "Changed a role";
    /// Somebody was removed.
    Removed = "person.removed", "Removed a person";
    /// Somebody has a new password.
    ChangedPassword = "password.changed", "Changed a password";
    /// An account at a sign-in provider was linked to a person.
    Linked = "sign_in.linked", "Linked a sign-in";
    /// Such a link was taken away.
    Unlinked = "sign_in.unlinked", "Took back a sign-in";
    /// A mapping profile was saved, renamed or deleted.
    ChangedProfile = "mapping_profile.changed", "Changed a mapping profile";
    /// A mail that was given up is sent again.
    RetriedMail = "mail.retried", "Sent a mail again";
    /// Everything was copied into a backup.
    MadeBackup = "backup.made", "Made a backup";
    /// Everything was put back from a backup.
    RestoredBackup = "backup.restored", "Restored a backup";
    /// Somebody switched the second factor on or off.
    ChangedSecondFactor = "second_factor.changed", "Changed the second factor";
}

impl Act {
    /// What people read for a word of the database.
    pub(crate) fn text_of(key: &str) -> &str {
        let act = Act::ALL.iter().find(|act| act.key() == key);
        act.map_or(key, |act| act.text())
    }
}

impl App {
    /// Writes down in every workspace that somebody did something to all of them.
    pub(crate) async fn audit_everywhere(
        &self,
        actor: &Actor,
        act: Act,
        about: &str,
    ) -> Result<(), StoreError> {
        for workspace in self.store.workspaces().await? {
            self.audit(workspace.id, actor, act, about).await?;
        }
        Ok(())
    }

    /// Writes down that somebody did something; `about` names what they did it to.
    pub(crate) async fn audit(
        &self,
        workspace: WorkspaceId,
        actor: &Actor,
        act: Act,
        about: &str,
    ) -> Result<(), StoreError> {
        let entry = NewAuditEntry {
            at: clock::now(),
            who: actor.name.clone(),
            what: act.key().to_owned(),
            about: about.chars().take(MAX_ABOUT).collect(),
            address: actor.address.clone(),
        };
        self.store.add_audit(workspace, entry).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart_and_have_a_text() {
        for (position, act) in Act::ALL.iter().enumerate() {
            assert!(
                Act::ALL[..position]
                    .iter()
                    .all(|other| other.key() != act.key())
            );
            assert_eq!(Act::text_of(act.key()), act.text());
        }
        assert_eq!(Act::text_of("gone"), "gone");
    }
}
