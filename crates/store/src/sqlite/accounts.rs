//! People and their sessions.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use super::{Sqlite, check_workspace, touched};
use crate::accounts::{Accounts, Role, User};
use crate::{StoreError, Timestamp, WorkspaceId};

#[async_trait]
impl Accounts for Sqlite {
    async fn add_user(
        &self,
        workspace: WorkspaceId,
        email: &str,
        name: &str,
        role: Role,
        password_hash: &str,
        now: Timestamp,
    ) -> Result<User, StoreError> {
        let email = email.to_lowercase();
        let (name, password_hash) = (name.to_owned(), password_hash.to_owned());
        self.writer
            .write(move |writing| {
                check_workspace(&writing.tx, workspace)?;
                if by_email(&writing.tx, &email)?.is_some() {
                    return Err(StoreError::Exists(format!("user `{email}`")));
                }
                writing
                    .tx
                    .prepare_cached(
                        "INSERT INTO user (
                             workspace, email, name, role, password_hash, created_at
                         )
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    )?
                    .execute((
                        workspace.0,
                        &email,
                        &name,
                        role.key(),
                        &password_hash,
                        now.0,
                    ))?;
                by_email(&writing.tx, &email)?.ok_or_else(|| missing(&email))
            })
            .await
    }

    async fn users(&self, workspace: WorkspaceId) -> Result<Vec<User>, StoreError> {
        self.readers
            .read(move |connection| {
                let sql = select(
                    "WHERE workspace = ?1
                     ORDER BY email",
                );
                let mut statement = connection.prepare_cached(&sql)?;
                let rows = statement.query_map([workspace.0], read)?;
                rows.map(|row| row?).collect()
            })
            .await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        let email = email.to_lowercase();
        self.readers
            .read(move |connection| by_email(connection, &email))
            .await
    }

    async fn set_role(
        &self,
        workspace: WorkspaceId,
        email: &str,
        role: Role,
    ) -> Result<(), StoreError> {
        let email = email.to_lowercase();
        self.writer
            .write(move |writing| {
                let rows = writing
                    .tx
                    .prepare_cached(
                        "UPDATE user
                         SET role = ?3
                         WHERE workspace = ?1 AND email = ?2",
                    )?
                    .execute((workspace.0, &email, role.key()))?;
                touched(rows, || format!("user `{email}`"))
            })
            .await
    }

    async fn set_password(
        &self,
        workspace: WorkspaceId,
        email: &str,
        password_hash: &str,
    ) -> Result<(), StoreError> {
        let (email, password_hash) = (email.to_lowercase(), password_hash.to_owned());
        self.writer
            .write(move |writing| {
                let rows = writing
                    .tx
                    .prepare_cached(
                        "UPDATE user
                         SET password_hash = ?3
                         WHERE workspace = ?1 AND email = ?2",
                    )?
                    .execute((workspace.0, &email, &password_hash))?;
                touched(rows, || format!("user `{email}`"))?;
                end_sessions(&writing.tx, &email)
            })
            .await
    }

    async fn remove_user(&self, workspace: WorkspaceId, email: &str) -> Result<(), StoreError> {
        let email = email.to_lowercase();
        self.writer
            .write(move |writing| {
                match by_email(&writing.tx, &email)? {
                    Some(user) if user.workspace == workspace => {}
                    _ => return Err(missing(&email)),
                }
                end_sessions(&writing.tx, &email)?;
                writing
                    .tx
                    .prepare_cached("DELETE FROM user WHERE workspace = ?1 AND email = ?2")?
                    .execute((workspace.0, &email))?;
                Ok(())
            })
            .await
    }

    async fn add_session(
        &self,
        token_hash: [u8; 32],
        user: u32,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                writing
                    .tx
                    .prepare_cached("DELETE FROM session WHERE expires_at <= ?1")?
                    .execute([now.0])?;
                let rows = writing
                    .tx
                    .prepare_cached(
                        "INSERT INTO session (token_hash, user, expires_at)
                         SELECT ?1, id, ?3
                         FROM user
                         WHERE id = ?2",
                    )?
                    .execute((token_hash, user, expires_at.0))?;
                touched(rows, || format!("user {user}"))
            })
            .await
    }

    async fn session_user(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        self.readers
            .read(move |connection| {
                let sql = select(
                    "WHERE id = (
                         SELECT user
                         FROM session
                         WHERE token_hash = ?1 AND expires_at > ?2
                     )",
                );
                connection
                    .prepare_cached(&sql)?
                    .query_row((token_hash, now.0), read)
                    .optional()?
                    .transpose()
            })
            .await
    }

    async fn end_session(&self, token_hash: [u8; 32]) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                writing
                    .tx
                    .prepare_cached("DELETE FROM session WHERE token_hash = ?1")?
                    .execute([token_hash])?;
                Ok(())
            })
            .await
    }
}

fn end_sessions(tx: &Transaction<'_>, email: &str) -> Result<(), StoreError> {
    tx.prepare_cached(
        "DELETE FROM session
         WHERE user = (SELECT id FROM user WHERE email = ?1)",
    )?
    .execute([email])?;
    Ok(())
}

fn by_email(connection: &Connection, email: &str) -> Result<Option<User>, StoreError> {
    connection
        .prepare_cached(&select("WHERE email = ?1"))?
        .query_row([email], read)
        .optional()?
        .transpose()
}

fn missing(email: &str) -> StoreError {
    StoreError::Missing(format!("user `{email}`"))
}

fn select(rest: &str) -> String {
    format!(
        "SELECT id, workspace, email, name, role, password_hash, created_at
         FROM user
         {rest}"
    )
}

fn read(row: &Row<'_>) -> rusqlite::Result<Result<User, StoreError>> {
    let role: String = row.get("role")?;
    let Some(role) = Role::from_key(&role) else {
        return Ok(Err(StoreError::Damaged(format!(
            "a user has the unknown role `{role}`"
        ))));
    };
    Ok(Ok(User {
        id: row.get("id")?,
        workspace: WorkspaceId(row.get("workspace")?),
        email: row.get("email")?,
        name: row.get("name")?,
        role,
        password_hash: row.get("password_hash")?,
        created_at: Timestamp(row.get("created_at")?),
    }))
}
