//! Handing a mail in: to a mail server, step by step and each with its time, or to a folder.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;

use crate::mail::server::{Security, SmtpServer, Way};

/// How long connecting, securing and signing in may take, each.
const STEP: Duration = Duration::from_secs(20);

/// How long handing in the mail itself may take.
const HAND_IN: Duration = Duration::from_secs(90);

/// How long a goodbye may take. The mail is handed in already, so nothing depends on it.
const GOODBYE: Duration = Duration::from_secs(2);

/// Longer than all steps together and making a mail of a long log, in milliseconds: after that time whoever had the mail
/// is gone.
pub(crate) const LEASE_MILLIS: i64 = 300_000;

/// Why a mail was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotTaken {
    /// Whether trying again is of no use: the server refused this mail or this recipient for good.
    pub(crate) for_good: bool,
    /// What happened.
    pub(crate) why: String,
}

/// Hands in the bytes of one mail for one recipient. `name` is the mail's own and stays the same when it is handed in
/// once more.
pub(crate) async fn hand_in(
    way: &Way,
    from: &Mailbox,
    to: &Mailbox,
    name: &str,
    bytes: &[u8],
) -> Result<(), NotTaken> {
    match way {
        Way::Folder(folder) => write(folder, name, bytes).await,
        Way::Smtp(server) => send(server, from, to, bytes).await,
    }
}

/// Writes a mail as a file; under its own name, so that a second time replaces the first.
async fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), NotTaken> {
    let (file, new) = (
        folder.join(format!("{name}.eml")),
        folder.join(format!("{name}.new")),
    );
    let writing = async {
        tokio::fs::create_dir_all(folder).await?;
        tokio::fs::write(&new, bytes).await?;
        tokio::fs::rename(&new, &file).await
    };
    writing.await.map_err(|error| NotTaken {
        for_good: false,
        why: format!("`{}` cannot be written: {error}", file.display()),
    })
}

/// Tries the place without handing anything in: a folder takes a file, a server a connection and the sign-in.
pub(crate) async fn try_place(way: &Way) -> Result<(), NotTaken> {
    match way {
        Way::Folder(folder) => {
            let trying = async {
                tokio::fs::create_dir_all(folder).await?;
                let folder = folder.clone();
                tokio::task::spawn_blocking(move || {
                    tempfile::NamedTempFile::new_in(folder)?.close()
                })
                .await?
            };
            trying.await.map_err(|error| NotTaken {
                for_good: false,
                why: format!("`{}` cannot be written: {error}", folder.display()),
            })
        }
        Way::Smtp(server) => {
            let mut connection = connect(server).await?;
            let _ = tokio::time::timeout(GOODBYE, connection.abort()).await;
            Ok(())
        }
    }
}

async fn send(
    server: &SmtpServer,
    from: &Mailbox,
    to: &Mailbox,
    bytes: &[u8],
) -> Result<(), NotTaken> {
    let place = format!("{}:{}", server.host, server.port);
    let mut connection = connect(server).await?;
    let envelope =
        Envelope::new(Some(from.email.clone()), vec![to.email.clone()]).map_err(|error| {
            NotTaken {
                for_good: true,
                why: error.to_string(),
            }
        })?;
    let sending = tokio::time::timeout(HAND_IN, connection.send(&envelope, bytes));
    match sending.await {
        Ok(Ok(_)) => {
            let _ = tokio::time::timeout(GOODBYE, connection.abort()).await;
            Ok(())
        }
        Ok(Err(error)) => Err(NotTaken {
            for_good: error.is_permanent(),
            why: format!("{place} did not take it: {}", told(&error)),
        }),
        Err(_) => Err(NotTaken {
            for_good: false,
            why: format!(
                "{place} did not take it within {} seconds",
                HAND_IN.as_secs()
            ),
        }),
    }
}

/// A connection to a mail server that is secured and signed in as the settings say.
async fn connect(server: &SmtpServer) -> Result<AsyncSmtpConnection, NotTaken> {
    let place = format!("{}:{}", server.host, server.port);
    let tls = || {
        TlsParameters::new_rustls(server.host.clone()).map_err(|error| NotTaken {
            for_good: false,
            why: format!("TLS cannot be used: {}", told(&error)),
        })
    };
    let hello = ClientId::default();
    let at_once = match server.security {
        Security::Tls => Some(tls()?),
        Security::StartTls | Security::IfOffered | Security::Nothing => None,
    };
    let address = (server.host.as_str(), server.port);
    let connecting =
        AsyncSmtpConnection::connect_tokio1(address, Some(STEP), &hello, at_once, None);
    let mut connection = step(&format!("{place} cannot be reached"), STEP, connecting).await?;
    let secure = match server.security {
        Security::StartTls => true,
        Security::IfOffered => connection.can_starttls(),
        Security::Tls | Security::Nothing => false,
    };
    if secure {
        let securing = connection.starttls(tls()?, &hello);
        step(&format!("{place} cannot be secured"), STEP, securing).await?;
    }
    if let Some((user, password)) = &server.login {
        let credentials = Credentials::new(user.clone(), password.clone());
        let signing_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
        step(&format!("{place} refused the sign-in"), STEP, signing_in).await?;
    }
    Ok(connection)
}

/// One step before the mail itself: whatever is wrong there is wrong with the settings or the server, not the mail.
async fn step<T>(
    trouble: &str,
    limit: Duration,
    step: impl Future<Output = Result<T, lettre::transport::smtp::Error>>,
) -> Result<T, NotTaken> {
    let why = match tokio::time::timeout(limit, step).await {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => told(&error),
        Err(_) => format!("no answer within {} seconds", limit.as_secs()),
    };
    Err(NotTaken {
        for_good: false,
        why: format!("{trouble}: {why}"),
    })
}

/// An error with its causes, in one line.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    if text.ends_with("incomplete response") {
        return "the connection ended before it answered".to_owned();
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(500)
        .collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mail_in_a_folder_is_a_file_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let way = Way::Folder(folder.path().join("mail"));
        let address: Mailbox = "a@example.com".parse().unwrap();
        for bytes in [b"one", b"two"] {
            hand_in(&way, &address, &address, "1", bytes).await.unwrap();
        }
        let files: Vec<_> = std::fs::read_dir(folder.path().join("mail"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(files, ["1.eml"]);
        let bytes = std::fs::read(folder.path().join("mail/1.eml")).unwrap();
        assert_eq!(bytes, b"two");
    }

    #[tokio::test]
    async fn a_server_that_is_down_is_tried_again() {
        // A port that was free a moment ago.
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let way = Way::parse(&format!("smtp://127.0.0.1:{port}?tls=none")).unwrap();
        let address: Mailbox = "a@example.com".parse().unwrap();
        let refused = hand_in(&way, &address, &address, "1", b"x")
            .await
            .unwrap_err();
        assert!(!refused.for_good);
        assert!(refused.why.contains("cannot be reached"), "{refused:?}");
    }
}
