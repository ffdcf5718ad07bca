//! How people come in and get back in: invitations to a workspace, and links for a new password.
//!
//! A link is 256 random bits, of which we keep the hash; it works once and for a while. It travels by mail; where no
//! mail can be sent, an invitation is shown once to whoever made it, to be handed over.

use rollbook_store::accounts::Role;
use rollbook_store::invitations::{Invitation, TicketKind};
use rollbook_store::outbox::MailKind;
use rollbook_store::workspaces::Workspace;
use rollbook_store::{StoreError, Timestamp};

use crate::access::{hash_secret, new_token};
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::clock;
use crate::mail::invitation::Invitation as InvitationMail;
use crate::mail::password_reset::PasswordReset;
use crate::mail::{self, Letter};

/// How long an invitation can be accepted: a week.
pub(crate) const INVITATION_MILLIS: i64 = 7 * 24 * 60 * 60 * 1000;

/// How long a link for a new password works: an hour.
const RESET_MILLIS: i64 = 60 * 60 * 1000;

/// What became of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Handed {
    /// It is on its way by mail.
    Mailed,
    /// No mail can be sent: whoever made it hands it over.
    Link(String),
}

/// Whether links can be mailed: there is a mail server, and it was said where Rollbook is reached.
pub(crate) fn can_mail(app: &App) -> bool {
    app.config.mail.is_some() && app.config.public_url.is_some()
}

/// Invites somebody to a workspace, in place of an earlier invitation; [`StoreError::Exists`] if they belong to it.
pub(crate) async fn invite(
    app: &App,
    workspace: &Workspace,
    actor: &Actor,
    email: &str,
    role: Role,
) -> Result<Handed, StoreError> {
    let (token, now) = (new_token(), clock::now());
    let invitation = Invitation {
        workspace: workspace.id,
        email: email.to_owned(),
        role,
        invited_by: actor.name.clone(),
        created_at: now,
        expires_at: Timestamp(now.0 + INVITATION_MILLIS),
    };
    app.store.invite(invitation, hash_secret(&token)).await?;
    let about = format!("{email}, {}", role.key());
    app.audit(workspace.id, actor, Act::Invited, &about).await?;
    let url = url(app, &format!("/join/{token}"));
    if !can_mail(app) {
        return Ok(Handed::Link(url));
    }
    let mail = InvitationMail {
        letter: Letter {
            workspace: workspace.settings.name.clone(),
            why: format!("You get this because {} invited you.", actor.name),
            settings: None,
        },
        by: actor.name.clone(),
        role: role.key(),
        url,
    };
    let mail = mail.mail().map_err(|error| damaged(&error))?;
    mail::enqueue(app, workspace.id, MailKind::Invite, email, &mail, now).await?;
    Ok(Handed::Mailed)
}

/// Sends a link for a new password to somebody who has an account; for anybody else it does nothing.
pub(crate) async fn send_reset(app: &App, email: &str) -> Result<(), StoreError> {
    let Some(user) = app.store.user_by_email(email).await? else {
        return Ok(());
    };
    // A mail belongs to a workspace; any of theirs will do.
    let memberships = app.store.memberships(user.id).await?;
    let Some(membership) = memberships.first() else {
        return Ok(());
    };
    let (token, now) = (new_token(), clock::now());
    let expires_at = Timestamp(now.0 + RESET_MILLIS);
    app.store
        .add_ticket(
            TicketKind::PasswordReset,
            user.id,
            hash_secret(&token),
            now,
            expires_at,
        )
        .await?;
    let mail = PasswordReset {
        letter: Letter {
            workspace: String::new(),
            why: "You get this because your address was typed at “Forgot your password?”."
                .to_owned(),
            settings: None,
        },
        email: user.email.clone(),
        url: url(app, &format!("/reset/{token}")),
    };
    let mail = mail.mail().map_err(|error| damaged(&error))?;
    let (workspace, kind) = (membership.workspace, MailKind::PasswordReset);
    mail::enqueue(app, workspace, kind, &user.email, &mail, now).await?;
    Ok(())
}

/// An address that people can open.
fn url(app: &App, path: &str) -> String {
    match &app.config.public_url {
        Some(public) => format!("{public}{path}"),
        None => format!("http://{}{path}", app.config.listen),
    }
}

fn damaged(error: &askama::Error) -> StoreError {
    StoreError::Damaged(error.to_string())
}
