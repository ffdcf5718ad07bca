//! Where mail is handed in: a mail server, or a folder while one develops. The password is never shown.

use std::fmt;
use std::path::PathBuf;

use lettre::message::Mailbox;

/// Where mail is handed in, and in whose name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailSettings {
    /// Where.
    pub(crate) way: Way,
    /// The sender's address.
    pub(crate) from: Mailbox,
}

/// Where mail is handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// Each mail becomes a file of this folder.
    Folder(PathBuf),
    /// A mail server takes it.
    Smtp(SmtpServer),
}

/// A mail server.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SmtpServer {
    /// Its name or address.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// How the connection is secured.
    pub(crate) security: Security,
    /// Name and password, if it wants to know.
    pub(crate) login: Option<(String, String)>,
}

/// How a connection to a mail server is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// TLS from the first byte on.
    Tls,
    /// It begins in the clear and must be secured before anything is said.
    StartTls,
    /// It is secured if the server offers it.
    IfOffered,
    /// Not at all.
    Nothing,
}

const FORMS: &str = "write smtp://USER:PASSWORD@HOST:PORT (secured by STARTTLS), smtps://USER:PASSWORD@HOST (TLS), or \
                     folder:PATH";

impl Way {
    /// Reads `smtp://…`, `smtps://…` or `folder:PATH`. Errors complete "…, but".
    pub(crate) fn parse(text: &str) -> Result<Way, String> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("folder:") {
            if path.is_empty() {
                return Err(format!("it names no folder; {FORMS}"));
            }
            return Ok(Way::Folder(path.into()));
        }
        let (tls, rest) = match text.split_once("://") {
            Some(("smtp", rest)) => (false, rest),
            Some(("smtps", rest)) => (true, rest),
            _ => return Err(format!("it is no mail address of that kind; {FORMS}")),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let rest = rest.trim_end_matches('/');
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(read_login(login)?), place),
            None => (None, rest),
        };
        let security = match (tls, query) {
            (true, "") => Security::Tls,
            (false, "" | "tls=starttls") => Security::StartTls,
            (false, "tls=if-offered") => Security::IfOffered,
            (false, "tls=none") => Security::Nothing,
            _ => {
                // It is not repeated: a `?` of the password may have begun it.
                return Err(
                    "what follows its `?` cannot be understood; behind smtp:// use ?tls=starttls, ?tls=if-offered or \
                     ?tls=none, behind smtps:// nothing, and write a `?` of the password as %3F"
                        .to_owned(),
                );
            }
        };
        let (host, port) = read_place(place)?;
        if login.is_some()
            && matches!(security, Security::Nothing | Security::IfOffered)
            && !is_this_machine(&host)
        {
            return Err(
                "a password must not travel in the clear; leave `?tls=…` away so that STARTTLS is required, or use \
                 smtps://"
                    .to_owned(),
            );
        }
        Ok(Way::Smtp(SmtpServer {
            host,
            port: port.unwrap_or(if tls { 465 } else { 587 }),
            security,
            login,
        }))
    }
}

fn read_login(text: &str) -> Result<(String, String), String> {
    let wrong = || {
        "its name and password cannot be read; write USER:PASSWORD and every other character than letters and digits \
         as %XX"
            .to_owned()
    };
    let (user, password) = text.split_once(':').ok_or_else(wrong)?;
    match (decode(user), decode(password)) {
        (Some(user), Some(password)) if !user.is_empty() && !password.is_empty() => {
            Ok((user, password))
        }
        _ => Err(wrong()),
    }
}

fn read_place(text: &str) -> Result<(String, Option<u16>), String> {
    // It is not repeated: without a host this may be name and password.
    let wrong = || format!("it names no HOST:PORT; {FORMS}");
    // An address of IPv6 stands in brackets.
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(wrong)?;
        (host, rest.strip_prefix(':'))
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let port = port
        .map(str::parse::<u16>)
        .transpose()
        .map_err(|_| wrong())?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    if host.is_empty() || !host.chars().all(fits) {
        return Err(wrong());
    }
    Ok((host.to_owned(), port))
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// A text in which `%XX` stands for a byte.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut half = || char::from(rest.next()?).to_digit(16);
            let byte = half()? * 16 + half()?;
            bytes.push(u8::try_from(byte).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

impl fmt::Display for Way {
    /// As people may read it: without name and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::Folder(path) => write!(f, "folder {}", path.display()),
            Way::Smtp(server) => write!(f, "{}:{}", server.host, server.port),
        }
    }
}

impl fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpServer")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("security", &self.security)
            .field("login", &self.login.as_ref().map(|_| "…"))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smtp(host: &str, port: u16, security: Security, login: Option<(&str, &str)>) -> Way {
        Way::Smtp(SmtpServer {
            host: host.to_owned(),
            port,
            security,
            login: login.map(|(user, password)| (user.to_owned(), password.to_owned())),
        })
    }

    #[test]
    fn servers_and_folders_are_read() {
        let login = Some(("me@x.example", "p:a@ss/"));
        for (text, expected) in [
            ("folder:mail", Way::Folder("mail".into())),
            (
                "smtp://mail.example",
                smtp("mail.example", 587, Security::StartTls, None),
            ),
            (
                "smtp://me%40x.example:p%3Aa%40ss%2F@mail.example:2525",
                smtp("mail.example", 2525, Security::StartTls, login),
            ),
            (
                "smtps://me%40x.example:p%3Aa%40ss%2F@mail.example/",
                smtp("mail.example", 465, Security::Tls, login),
            ),
            (
                "smtp://[::1]:25?tls=none",
                smtp("::1", 25, Security::Nothing, None),
            ),
            (
                "smtp://a:b@127.0.0.1:25?tls=if-offered",
                smtp("127.0.0.1", 25, Security::IfOffered, Some(("a", "b"))),
            ),
        ] {
            assert_eq!(Way::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, part) in [
            ("", "smtp://"),
            ("mail.example", "smtp://"),
            ("http://mail.example", "smtp://"),
            ("folder:", "no folder"),
            ("smtp://", "HOST:PORT"),
            ("smtp://mail.example:x", "HOST:PORT"),
            ("smtp://mail example", "HOST:PORT"),
            ("smtp://me@mail.example", "name and password"),
            ("smtp://me:%zz@mail.example", "name and password"),
            ("smtp://mail.example?tls=maybe", "tls=starttls"),
            ("smtps://mail.example?tls=none", "smtps://"),
            ("smtp://a:b@mail.example?tls=none", "in the clear"),
        ] {
            let problem = Way::parse(text).unwrap_err();
            assert!(problem.contains(part), "{text:?}: {problem}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let way = Way::parse("smtp://robot:hunter2@mail.example").unwrap();
        assert!(!format!("{way:?} {way}").contains("hunter2"));
        assert!(!format!("{way}").contains("robot"));
        for wrong in [
            "smtp://robot:hunter2@mail.example?tls=none",
            "smtp://robot:hunter2",
            "smtp://robot:x?hunter2@mail.example",
            "smtp://robot:hunter2@",
            "robot:hunter2@mail.example",
        ] {
            let refused = Way::parse(wrong).unwrap_err();
            assert!(!refused.contains("hunter2"), "{wrong}: {refused}");
        }
    }
}
