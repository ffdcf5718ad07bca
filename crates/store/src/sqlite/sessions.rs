//! Who is signed in, from where, and in which workspace they are.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row, Transaction};

use super::{Sqlite, accounts, touched};
use crate::sessions::{NewSession, Session, Sessions, SignedIn};
use crate::{StoreError, Timestamp, WorkspaceId};

const MINUTE: i64 = 60_000;

/// How many browsers of a person are known.
const KNOWN_DEVICES: u32 = 20;

#[async_trait]
impl Sessions for Sqlite {
    async fn add_session(&self, session: NewSession) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                let tx = &writing.tx;
                tx.prepare_cached("DELETE FROM session WHERE expires_at <= ?1")?
                    .execute([session.now.0])?;
                let rows = tx
                    .prepare_cached(
                        "INSERT INTO session (
                             token_hash, user, workspace, address, device, created_at, seen_at, expires_at
                         )
                         SELECT ?1, user.id, membership.workspace, ?3, ?4, ?5, ?5, ?6
                         FROM user
                         JOIN membership ON membership.user = user.id
                         WHERE user.id = ?2
                         ORDER BY membership.workspace <> user.last_workspace, membership.workspace
                         LIMIT 1",
                    )?
                    .execute((
                        session.token_hash,
                        session.user,
                        &session.address,
                        &session.device,
                        session.now.0,
                        session.expires_at.0,
                    ))?;
                touched(rows, || format!("user {}", session.user))
            })
            .await
    }

    async fn session(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<SignedIn>, StoreError> {
        self.readers
            .read(move |connection| {
                let found = connection
                    .prepare_cached(
                        "SELECT token_hash, address, device, created_at, seen_at, user, workspace
                         FROM session
                         WHERE token_hash = ?1 AND expires_at > ?2",
                    )?
                    .query_row((token_hash, now.0), |row| {
                        Ok((read(row)?, row.get::<_, u32>(5)?, row.get::<_, u32>(6)?))
                    })
                    .optional()?;
                let Some((session, user, workspace)) = found else {
                    return Ok(None);
                };
                let member = connection
                    .prepare_cached(&accounts::select_member(
                        "WHERE membership.workspace = ?1 AND membership.user = ?2",
                    ))?
                    .query_row((workspace, user), accounts::read_member)
                    .optional()?
                    .transpose()?;
                let Some(member) = member else {
                    return Ok(None);
                };
                Ok(Some(SignedIn {
                    member,
                    session,
                    memberships: accounts::memberships(connection, user)?,
                }))
            })
            .await
    }

    async fn touch_session(
        &self,
        token_hash: [u8; 32],
        address: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let address = address.to_owned();
        self.writer
            .write(move |writing| {
                let minute = now.0 - now.0.rem_euclid(MINUTE);
                writing
                    .tx
                    .prepare_cached(
                        "UPDATE session
                         SET seen_at = max(seen_at, ?2), address = ?3
                         WHERE token_hash = ?1",
                    )?
                    .execute((token_hash, minute, &address))?;
                Ok(())
            })
            .await
    }

    async fn switch_session(
        &self,
        token_hash: [u8; 32],
        workspace: WorkspaceId,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                let tx = &writing.tx;
                let rows = tx
                    .prepare_cached(
                        "UPDATE session
                         SET workspace = ?2
                         WHERE token_hash = ?1
                           AND EXISTS (
                               SELECT 1
                               FROM membership
                               WHERE membership.workspace = ?2 AND membership.user = session.user
                           )",
                    )?
                    .execute((token_hash, workspace.0))?;
                touched(rows, || format!("workspace {}", workspace.0))?;
                tx.prepare_cached(
                    "UPDATE user
                     SET last_workspace = ?2
                     WHERE id = (SELECT user FROM session WHERE token_hash = ?1)",
                )?
                .execute((token_hash, workspace.0))?;
                Ok(())
            })
            .await
    }

    async fn sessions(&self, user: u32, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.readers
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT token_hash, address, device, created_at, seen_at
                     FROM session
                     WHERE user = ?1 AND expires_at > ?2
                     ORDER BY seen_at DESC, created_at DESC",
                )?;
                let rows = statement.query_map((user, now.0), read)?;
                Ok(rows.collect::<Result<_, _>>()?)
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

    async fn end_sessions(&self, user: u32, keep: Option<[u8; 32]>) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| end_all(&writing.tx, user, keep))
            .await
    }

    async fn remember_device(
        &self,
        user: u32,
        token_hash: [u8; 32],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                let tx = &writing.tx;
                tx.prepare_cached(
                    "INSERT INTO known_device (user, token_hash, seen_at, expires_at)
                     VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (user, token_hash)
                     DO UPDATE SET seen_at = excluded.seen_at, expires_at = excluded.expires_at",
                )?
                .execute((user, token_hash, now.0, expires_at.0))?;
                tx.prepare_cached(
                    "DELETE FROM known_device
                     WHERE user = ?1 AND token_hash NOT IN (
                         SELECT token_hash
                         FROM known_device
                         WHERE user = ?1 AND expires_at > ?2
                         ORDER BY seen_at DESC, token_hash = ?3 DESC
                         LIMIT ?4
                     )",
                )?
                .execute((user, now.0, token_hash, KNOWN_DEVICES))?;
                Ok(())
            })
            .await
    }

    async fn knows_device(
        &self,
        user: u32,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.readers
            .read(move |connection| {
                let known = connection
                    .prepare_cached(
                        "SELECT 1
                         FROM known_device
                         WHERE user = ?1 AND token_hash = ?2 AND expires_at > ?3",
                    )?
                    .exists((user, token_hash, now.0))?;
                Ok(known)
            })
            .await
    }

    async fn end_session_of(&self, user: u32, token_hash: [u8; 32]) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                let rows = writing
                    .tx
                    .prepare_cached("DELETE FROM session WHERE token_hash = ?1 AND user = ?2")?
                    .execute((token_hash, user))?;
                touched(rows, || "the session".to_owned())
            })
            .await
    }
}

/// Ends all sessions of a person, but for one.
pub(super) fn end_all(
    tx: &Transaction<'_>,
    user: u32,
    keep: Option<[u8; 32]>,
) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM session WHERE user = ?1 AND token_hash IS NOT ?2")?
        .execute((user, keep))?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        token_hash: row.get("token_hash")?,
        address: row.get("address")?,
        device: row.get("device")?,
        created_at: Timestamp(row.get("created_at")?),
        seen_at: Timestamp(row.get("seen_at")?),
    })
}
