//! Who somebody is at a sign-in provider.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Transaction};

use super::{Sqlite, accounts, touched};
use crate::accounts::User;
use crate::identities::{Identities, Identity};
use crate::{StoreError, Timestamp};

#[async_trait]
impl Identities for Sqlite {
    async fn identity(&self, issuer: &str, subject: &str) -> Result<Option<User>, StoreError> {
        let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
        self.readers
            .read(move |connection| {
                let sql = accounts::select_user(
                    "JOIN identity ON identity.user = user.id
                     WHERE issuer = ?1 AND subject = ?2",
                );
                Ok(connection
                    .prepare_cached(&sql)?
                    .query_row((&issuer, &subject), accounts::read_user)
                    .optional()?)
            })
            .await
    }

    async fn identities(&self, user: u32) -> Result<Vec<Identity>, StoreError> {
        self.readers
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT issuer, subject, email, linked_at
                     FROM identity
                     WHERE user = ?1
                     ORDER BY linked_at, issuer, subject",
                )?;
                let rows = statement.query_map([user], |row| {
                    Ok(Identity {
                        issuer: row.get(0)?,
                        subject: row.get(1)?,
                        email: row.get(2)?,
                        linked_at: Timestamp(row.get(3)?),
                    })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn link_identity(&self, user: u32, identity: Identity) -> Result<(), StoreError> {
        self.writer
            .write(move |writing| {
                let tx = &writing.tx;
                let linked: Option<u32> = tx
                    .prepare_cached("SELECT user FROM identity WHERE issuer = ?1 AND subject = ?2")?
                    .query_row((&identity.issuer, &identity.subject), |row| row.get(0))
                    .optional()?;
                match linked {
                    Some(linked) if linked == user => return Ok(()),
                    Some(_) => {
                        return Err(StoreError::Exists(
                            "this account of the provider".to_owned(),
                        ));
                    }
                    None => {}
                }
                let rows = tx
                    .prepare_cached(
                        "INSERT INTO identity (issuer, subject, user, email, linked_at)
                         SELECT ?1, ?2, id, ?4, ?5
                         FROM user
                         WHERE id = ?3",
                    )?
                    .execute((
                        &identity.issuer,
                        &identity.subject,
                        user,
                        &identity.email,
                        identity.linked_at.0,
                    ))?;
                touched(rows, || format!("user {user}"))
            })
            .await
    }

    async fn unlink_identity(
        &self,
        user: u32,
        issuer: &str,
        subject: &str,
    ) -> Result<(), StoreError> {
        let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
        self.writer
            .write(move |writing| {
                let rows = writing
                    .tx
                    .prepare_cached(
                        "DELETE FROM identity
                         WHERE user = ?1 AND issuer = ?2 AND subject = ?3",
                    )?
                    .execute((user, &issuer, &subject))?;
                touched(rows, || "the link".to_owned())
            })
            .await
    }
}

/// What goes with an account.
pub(super) fn forget_user(tx: &Transaction<'_>, user: u32) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM identity WHERE user = ?1")?
        .execute([user])?;
    Ok(())
}
