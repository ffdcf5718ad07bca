//! People, and the workspaces they belong to.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use super::{Sqlite, check_workspace, identities, invitations, sessions, touched};
use crate::accounts::{Accounts, Member, Membership, Role, User};
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
    ) -> Result<Member, StoreError> {
        let email = email.to_lowercase();
        let (name, password_hash) = (name.to_owned(), password_hash.to_owned());
        self.writer
            .write(move |writing| {
                let tx = &writing.tx;
                check_workspace(tx, workspace)?;
                let user = insert(tx, workspace, &email, &name, &password_hash, now)?;
                join(tx, workspace, user.id, role, now)?;
                member(tx, workspace, &email)
            })
            .await
    }

    async fn add_member(
        &self,
        workspace: WorkspaceId,
        email: &str,
        role: Role,
        now: Timestamp,
    ) -> Result<Member, StoreError> {
        let email = email.to_lowercase();
        self.writer
            .write(move |writing| {
                let tx = &writing.tx;
                check_workspace(tx, workspace)?;
                let user = by_email(tx, &email)?.ok_or_else(|| missing(&email))?;
                if role_in(tx, workspace, user.id)?.is_some() {
                    return Err(StoreError::Exists(format!("user `{email}`")));
                }
                join(tx, workspace, user.id, role, now)?;
                member(tx, workspace, &email)
            })
            .await
    }

    async fn has_users(&self) -> Result<bool, StoreError> {
        self.readers
            .read(|connection| {
                let mut statement = connection.prepare_cached("SELECT 1 FROM membership")?;
                Ok(statement.exists([])?)
            })
            .await
    }

    async fn users(&self, workspace: WorkspaceId) -> Result<Vec<Member>, StoreError> {
        self.readers
            .read(move |connection| {
                let sql = select_member(
                    "WHERE membership.workspace = ?1
                     ORDER BY email",
                );
                let mut statement = connection.prepare_cached(&sql)?;
                let rows = statement.query_map([workspace.0], read_member)?;
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

    async fn memberships(&self, user: u32) -> Result<Vec<Membership>, StoreError> {
        self.readers
            .read(move |connection| memberships(connection, user))
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
                let tx = &writing.tx;
                let member = member(tx, workspace, &email)?;
                tx.prepare_cached(
                    "UPDATE membership
                     SET role = ?3
                     WHERE workspace = ?1 AND user = ?2",
                )?
                .execute((workspace.0, member.user.id, role.key()))?;
                keep_an_admin(tx, &member)
            })
            .await
    }

    async fn set_user_name(&self, user: u32, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.writer
            .write(move |writing| {
                let rows = writing
                    .tx
                    .prepare_cached("UPDATE user SET name = ?2 WHERE id = ?1")?
                    .execute((user, &name))?;
                touched(rows, || format!("user {user}"))
            })
            .await
    }

    async fn set_password(
        &self,
        user: u32,
        password_hash: &str,
        keep: Option<[u8; 32]>,
    ) -> Result<(), StoreError> {
        let password_hash = password_hash.to_owned();
        self.writer
            .write(move |writing| set_password(&writing.tx, user, &password_hash, keep))
            .await
    }

    async fn remove_user(&self, workspace: WorkspaceId, email: &str) -> Result<(), StoreError> {
        let email = email.to_lowercase();
        self.writer
            .write(move |writing| {
                let tx = &writing.tx;
                let member = member(tx, workspace, &email)?;
                let user = member.user.id;
                tx.prepare_cached("DELETE FROM membership WHERE workspace = ?1 AND user = ?2")?
                    .execute((workspace.0, user))?;
                keep_an_admin(tx, &member)?;
                sessions::end_all(tx, user, None)?;
                if memberships(tx, user)?.is_empty() {
                    invitations::forget_user(tx, user)?;
                    identities::forget_user(tx, user)?;
                    tx.prepare_cached("DELETE FROM user WHERE id = ?1")?
                        .execute([user])?;
                }
                Ok(())
            })
            .await
    }
}

/// Makes an account that belongs nowhere yet.
pub(super) fn insert(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    email: &str,
    name: &str,
    password_hash: &str,
    now: Timestamp,
) -> Result<User, StoreError> {
    if by_email(tx, email)?.is_some() {
        return Err(StoreError::Exists(format!("user `{email}`")));
    }
    tx.prepare_cached(
        "INSERT INTO user (last_workspace, email, name, password_hash, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((workspace.0, email, name, password_hash, now.0))?;
    by_email(tx, email)?.ok_or_else(|| missing(email))
}

/// Gives an account a role in a workspace, in place of the one it may have there.
pub(super) fn join(
    tx: &Transaction<'_>,
    workspace: WorkspaceId,
    user: u32,
    role: Role,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO membership (workspace, user, role, created_at)
         VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET role = excluded.role",
    )?
    .execute((workspace.0, user, role.key(), now.0))?;
    Ok(())
}

/// Replaces a password hash and ends the person's sessions, but for one.
pub(super) fn set_password(
    tx: &Transaction<'_>,
    user: u32,
    password_hash: &str,
    keep: Option<[u8; 32]>,
) -> Result<(), StoreError> {
    let rows = tx
        .prepare_cached("UPDATE user SET password_hash = ?2 WHERE id = ?1")?
        .execute((user, password_hash))?;
    touched(rows, || format!("user {user}"))?;
    sessions::end_all(tx, user, keep)
}

/// Refuses what left a workspace without anybody who can change its settings.
fn keep_an_admin(tx: &Transaction<'_>, changed: &Member) -> Result<(), StoreError> {
    let there = tx
        .prepare_cached("SELECT 1 FROM membership WHERE workspace = ?1 AND role = ?2")?
        .exists((changed.workspace.0, Role::Admin.key()))?;
    if there || changed.role != Role::Admin {
        return Ok(());
    }
    Err(StoreError::Conflict(format!(
        "`{}` is the only admin; make somebody else one first",
        changed.user.email
    )))
}

/// Somebody in a workspace; an error if they are not in it.
pub(super) fn member(
    connection: &Connection,
    workspace: WorkspaceId,
    email: &str,
) -> Result<Member, StoreError> {
    connection
        .prepare_cached(&select_member(
            "WHERE membership.workspace = ?1 AND email = ?2",
        ))?
        .query_row((workspace.0, email), read_member)
        .optional()?
        .unwrap_or_else(|| Err(missing(email)))
}

pub(super) fn memberships(
    connection: &Connection,
    user: u32,
) -> Result<Vec<Membership>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT workspace, role
         FROM membership
         WHERE user = ?1
         ORDER BY workspace",
    )?;
    let rows = statement.query_map([user], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.map(|row| {
        let (workspace, key): (u32, String) = row?;
        Ok(Membership {
            workspace: WorkspaceId(workspace),
            role: role(&key)?,
        })
    })
    .collect()
}

fn role_in(
    connection: &Connection,
    workspace: WorkspaceId,
    user: u32,
) -> Result<Option<Role>, StoreError> {
    let found = memberships(connection, user)?.into_iter();
    let mut here = found.filter(|membership| membership.workspace == workspace);
    Ok(here.next().map(|membership| membership.role))
}

pub(super) fn by_email(connection: &Connection, email: &str) -> Result<Option<User>, StoreError> {
    Ok(connection
        .prepare_cached(&select_user("WHERE email = ?1"))?
        .query_row([email], read_user)
        .optional()?)
}

fn missing(email: &str) -> StoreError {
    StoreError::Missing(format!("user `{email}`"))
}

pub(super) fn role(key: &str) -> Result<Role, StoreError> {
    Role::from_key(key)
        .ok_or_else(|| StoreError::Damaged(format!("a user has the unknown role `{key}`")))
}

/// The columns of [`read_user`].
const USER_COLUMNS: &str = "user.id, user.email, name, password_hash, user.created_at,
    EXISTS (SELECT 1 FROM second_factor WHERE second_factor.user = user.id) AS has_second_factor";

/// Accounts.
pub(super) fn select_user(rest: &str) -> String {
    format!("SELECT {USER_COLUMNS} FROM user {rest}")
}

/// Members with their accounts.
pub(super) fn select_member(rest: &str) -> String {
    format!(
        "SELECT {USER_COLUMNS},
             membership.workspace, role, membership.created_at AS joined_at
         FROM membership
         JOIN user ON user.id = membership.user
         {rest}"
    )
}

pub(super) fn read_member(row: &Row<'_>) -> rusqlite::Result<Result<Member, StoreError>> {
    let key: String = row.get("role")?;
    let role = match role(&key) {
        Ok(role) => role,
        Err(error) => return Ok(Err(error)),
    };
    Ok(Ok(Member {
        user: read_user(row)?,
        workspace: WorkspaceId(row.get("workspace")?),
        role,
        joined_at: Timestamp(row.get("joined_at")?),
    }))
}

pub(super) fn read_user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get("id")?,
        email: row.get("email")?,
        name: row.get("name")?,
        password_hash: row.get("password_hash")?,
        has_second_factor: row.get("has_second_factor")?,
        created_at: Timestamp(row.get("created_at")?),
    })
}
