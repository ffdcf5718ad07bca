//! How people come in: invitations, links that are used once, and second factors.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use super::{Sqlite, accounts, check_workspace, stored, touched};
use crate::accounts::{Member, User};
use crate::invitations::{Invitation, Invitations, SecondFactor, TicketKind};
use crate::{StoreError, Timestamp, WorkspaceId};

#[async_trait]
impl Invitations for Sqlite {
    async fn invite(&self, invitation: Invitation, token_hash: [u8; 32]) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                let tx = &writing.tx;
                let (workspace, email) = (invitation.workspace, invitation.email.to_lowercase());
                check_workspace(tx, workspace)?;
                match accounts::member(tx, workspace, &email) {
                    Ok(_) => return Err(StoreError::Exists(format!("user `{email}`"))),
                    Err(StoreError::Missing(_)) => {}
                    Err(error) => return Err(error),
                }
                tx.prepare_cached(
                    "DELETE FROM invitation
                     WHERE (workspace = ?1 AND email = ?2) OR expires_at <= ?3",
                )?
                .execute((workspace.0, &email, invitation.created_at.0))?;
                tx.prepare_cached(
                    "INSERT INTO invitation (
                         token_hash, workspace, email, role, invited_by, created_at, expires_at
                     )
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute((
                    token_hash,
                    workspace.0,
                    &email,
                    invitation.role.key(),
                    &invitation.invited_by,
                    invitation.created_at.0,
                    invitation.expires_at.0,
                ))?;
                Ok(())
            })
            .await
    }

    async fn invitations(
        &self,
        workspace: WorkspaceId,
        now: Timestamp,
    ) -> Result<Vec<Invitation>, StoreError> {
        self.readers
            .read(move |connection| {
                let sql = select_invitation(
                    "WHERE workspace = ?1 AND expires_at > ?2
                     ORDER BY email",
                );
                let mut statement = connection.prepare_cached(&sql)?;
                let rows = statement.query_map((workspace.0, now.0), read_invitation)?;
                rows.map(|row| row?).collect()
            })
            .await
    }

    async fn invitation(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<Invitation>, StoreError> {
        self.readers
            .read(move |connection| invitation(connection, token_hash, now))
            .await
    }

    async fn cancel_invitation(
        &self,
        workspace: WorkspaceId,
        email: &str,
    ) -> Result<(), StoreError> {
        let email = email.to_lowercase();
        self.writer
            .write(move |writing| {
                let rows = writing
                    .tx
                    .prepare_cached("DELETE FROM invitation WHERE workspace = ?1 AND email = ?2")?
                    .execute((workspace.0, &email))?;
                touched(rows, || format!("the invitation of `{email}`"))
            })
            .await
    }

    async fn accept_invitation(
        &self,
        token_hash: [u8; 32],
        name: &str,
        password_hash: &str,
        now: Timestamp,
    ) -> Result<Member, StoreError> {
        let (name, password_hash) = (name.to_owned(), password_hash.to_owned());
        self.writer
            .write(move |writing| {
                let tx = &writing.tx;
                let invitation = invitation(tx, token_hash, now)?
                    .ok_or_else(|| StoreError::Missing("the invitation".to_owned()))?;
                let Invitation {
                    workspace,
                    email,
                    role,
                    ..
                } = invitation;
                let user = match accounts::by_email(tx, &email)? {
                    Some(user) => user,
                    None => accounts::insert(tx, workspace, &email, &name, &password_hash, now)?,
                };
                accounts::join(tx, workspace, user.id, role, now)?;
                tx.prepare_cached("DELETE FROM invitation WHERE token_hash = ?1")?
                    .execute([token_hash])?;
                accounts::member(tx, workspace, &email)
            })
            .await
    }

    async fn add_ticket(
        &self,
        kind: TicketKind,
        user: u32,
        token_hash: [u8; 32],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                let tx = &writing.tx;
                tx.prepare_cached(
                    "DELETE FROM ticket
                     WHERE (user = ?1 AND kind = ?2) OR expires_at <= ?3",
                )?
                .execute((user, kind.key(), now.0))?;
                let rows = tx
                    .prepare_cached(
                        "INSERT INTO ticket (token_hash, kind, user, expires_at)
                         SELECT ?1, ?2, id, ?4
                         FROM user
                         WHERE id = ?3",
                    )?
                    .execute((token_hash, kind.key(), user, expires_at.0))?;
                touched(rows, || format!("user {user}"))
            })
            .await
    }

    async fn ticket(
        &self,
        kind: TicketKind,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        self.readers
            .read(move |connection| ticket(connection, kind, token_hash, now, u32::MAX))
            .await
    }

    async fn try_ticket(
        &self,
        kind: TicketKind,
        token_hash: [u8; 32],
        now: Timestamp,
        tries: u32,
    ) -> Result<Option<User>, StoreError> {
        self.writer
            .write(move |writing| {
                let user = ticket(&writing.tx, kind, token_hash, now, tries)?;
                writing
                    .tx
                    .prepare_cached("UPDATE ticket SET tries = tries + 1 WHERE token_hash = ?1")?
                    .execute([token_hash])?;
                Ok(user)
            })
            .await
    }

    async fn end_ticket(&self, token_hash: [u8; 32]) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| end_ticket(&writing.tx, token_hash))
            .await
    }

    async fn reset_password(
        &self,
        token_hash: [u8; 32],
        password_hash: &str,
        now: Timestamp,
    ) -> Result<User, StoreError> {
        let password_hash = password_hash.to_owned();
        self.writer
            .write(move |writing| {
                let tx = &writing.tx;
                let kind = TicketKind::PasswordReset;
                let user = ticket(tx, kind, token_hash, now, u32::MAX)?
                    .ok_or_else(|| StoreError::Missing("the link".to_owned()))?;
                accounts::set_password(tx, user.id, &password_hash, None)?;
                end_ticket(tx, token_hash)?;
                Ok(user)
            })
            .await
    }

    async fn second_factor(&self, user: u32) -> Result<Option<SecondFactor>, StoreError> {
        self.readers
            .read(move |connection| {
                let secret = connection
                    .prepare_cached("SELECT secret FROM second_factor WHERE user = ?1")?
                    .query_row([user], |row| row.get(0))
                    .optional()?;
                let recovery_codes = connection
                    .prepare_cached("SELECT count(*) FROM recovery_code WHERE user = ?1")?
                    .query_row([user], |row| row.get(0))?;
                Ok(secret.map(|secret| SecondFactor {
                    secret,
                    recovery_codes,
                }))
            })
            .await
    }

    async fn second_factor_secrets(&self) -> Result<Vec<(u32, Vec<u8>)>, StoreError> {
        self.readers
            .read(|connection| {
                let mut statement = connection
                    .prepare_cached("SELECT user, secret FROM second_factor ORDER BY user")?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn replace_second_factor_secret(
        &self,
        user: u32,
        stored: Vec<u8>,
        anew: Vec<u8>,
    ) -> Result<bool, StoreError> {
        self.writer
            .write(move |writing| {
                let rows = writing
                    .tx
                    .prepare_cached(
                        "UPDATE second_factor
                         SET secret = ?3
                         WHERE user = ?1 AND secret = ?2",
                    )?
                    .execute((user, &stored, &anew))?;
                Ok(rows > 0)
            })
            .await
    }

    async fn set_second_factor(
        &self,
        user: u32,
        secret: Option<Vec<u8>>,
        recovery_codes: Vec<[u8; 32]>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                let tx = &writing.tx;
                remove_second_factor(tx, user)?;
                let Some(secret) = &secret else {
                    return Ok(());
                };
                tx.prepare_cached(
                    "INSERT INTO second_factor (user, secret, created_at)
                     VALUES (?1, ?2, ?3)",
                )?
                .execute((user, secret, now.0))?;
                for hash in &recovery_codes {
                    tx.prepare_cached("INSERT INTO recovery_code (user, hash) VALUES (?1, ?2)")?
                        .execute((user, hash))?;
                }
                Ok(())
            })
            .await
    }

    async fn use_step(&self, user: u32, step: u64) -> Result<bool, StoreError> {
        self.writer
            .write(move |writing| {
                let rows = writing
                    .tx
                    .prepare_cached(
                        "UPDATE second_factor
                         SET last_step = ?2
                         WHERE user = ?1 AND last_step < ?2",
                    )?
                    .execute((user, stored(step)))?;
                Ok(rows > 0)
            })
            .await
    }

    async fn use_recovery_code(&self, user: u32, hash: [u8; 32]) -> Result<bool, StoreError> {
        self.writer
            .write(move |writing| {
                let rows = writing
                    .tx
                    .prepare_cached("DELETE FROM recovery_code WHERE user = ?1 AND hash = ?2")?
                    .execute((user, hash))?;
                Ok(rows > 0)
            })
            .await
    }
}

/// What goes with an account.
pub(super) fn forget_user(tx: &Transaction<'_>, user: u32) -> Result<(), StoreError> {
    remove_second_factor(tx, user)?;
    for sql in [
        "DELETE FROM ticket WHERE user = ?1",
        "DELETE FROM known_device WHERE user = ?1",
    ] {
        tx.prepare_cached(sql)?.execute([user])?;
    }
    Ok(())
}

fn remove_second_factor(tx: &Transaction<'_>, user: u32) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM second_factor WHERE user = ?1")?
        .execute([user])?;
    tx.prepare_cached("DELETE FROM recovery_code WHERE user = ?1")?
        .execute([user])?;
    Ok(())
}

fn end_ticket(tx: &Transaction<'_>, token_hash: [u8; 32]) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM ticket WHERE token_hash = ?1")?
        .execute([token_hash])?;
    Ok(())
}

fn ticket(
    connection: &Connection,
    kind: TicketKind,
    token_hash: [u8; 32],
    now: Timestamp,
    tries: u32,
) -> Result<Option<User>, StoreError> {
    let sql = accounts::select_user(
        "JOIN ticket ON ticket.user = user.id
         WHERE token_hash = ?1 AND kind = ?2 AND expires_at > ?3 AND tries < ?4",
    );
    Ok(connection
        .prepare_cached(&sql)?
        .query_row((token_hash, kind.key(), now.0, tries), accounts::read_user)
        .optional()?)
}

fn invitation(
    connection: &Connection,
    token_hash: [u8; 32],
    now: Timestamp,
) -> Result<Option<Invitation>, StoreError> {
    connection
        .prepare_cached(&select_invitation(
            "WHERE token_hash = ?1 AND expires_at > ?2",
        ))?
        .query_row((token_hash, now.0), read_invitation)
        .optional()?
        .transpose()
}

fn select_invitation(rest: &str) -> String {
    format!(
        "SELECT workspace, email, role, invited_by, created_at, expires_at
         FROM invitation
         {rest}"
    )
}

fn read_invitation(row: &Row<'_>) -> rusqlite::Result<Result<Invitation, StoreError>> {
    let key: String = row.get("role")?;
    let role = match accounts::role(&key) {
        Ok(role) => role,
        Err(error) => return Ok(Err(error)),
    };
    Ok(Ok(Invitation {
        workspace: WorkspaceId(row.get("workspace")?),
        email: row.get("email")?,
        role,
        invited_by: row.get("invited_by")?,
        created_at: Timestamp(row.get("created_at")?),
        expires_at: Timestamp(row.get("expires_at")?),
    }))
}
