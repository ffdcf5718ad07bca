//! A mail as it travels: headers, a text and an HTML part that say the same, and what is attached.

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Attachment as Attached, Mailbox, MultiPart, SinglePart};
use rollbook_store::Timestamp;
use rollbook_store::outbox::MailId;
use serde::{Deserialize, Serialize};

/// A mail ready to be sent, whoever it goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mail {
    /// One line that says the outcome.
    pub(crate) subject: String,
    /// The text part.
    pub(crate) text: String,
    /// The HTML part; it says the same.
    pub(crate) html: String,
    /// A file, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attachment: Option<Attachment>,
}

/// A file of CSV.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attachment {
    /// Its name.
    pub(crate) name: String,
    /// What is in it.
    pub(crate) csv: String,
}

/// Tells vacation programs not to answer (RFC 3834).
#[derive(Debug, Clone, Copy)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(AutoSubmitted)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The bytes of a mail. The Message-ID is made of the mail's name in the outbox, so that it is the same each time.
pub(crate) fn bytes(
    mail: &Mail,
    id: MailId,
    from: &Mailbox,
    to: &Mailbox,
    now: Timestamp,
) -> Result<Vec<u8>, lettre::error::Error> {
    let date = SystemTime::UNIX_EPOCH + Duration::from_millis(now.0.unsigned_abs());
    let subject: String = mail
        .subject
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let message = Message::builder()
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .date(date)
        .from(from.clone())
        .to(to.clone())
        .subject(subject.trim())
        .header(AutoSubmitted);
    let body = MultiPart::alternative()
        .singlepart(SinglePart::plain(mail.text.clone()))
        .singlepart(SinglePart::html(mail.html.clone()));
    let message = match &mail.attachment {
        Some(file) => {
            let csv = "text/csv; charset=utf-8; header=present"
                .parse::<ContentType>()
                .unwrap_or(ContentType::TEXT_PLAIN);
            // As bytes: line ends stay as they are.
            let attached =
                Attached::new(file.name.clone()).body(file.csv.clone().into_bytes(), csv);
            message.multipart(MultiPart::mixed().multipart(body).singlepart(attached))?
        }
        None => message.multipart(body)?,
    };
    Ok(message.formatted())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn mail() -> Mail {
        Mail {
            subject: "3 of 1,200 rows failed: gäste.csv".to_owned(),
            text: "Hallo, Gäste\n".to_owned(),
            html: "<p>Hallo, Gäste</p>".to_owned(),
            attachment: None,
        }
    }

    fn sent(mail: &Mail) -> String {
        let from = "Rollbook <rollbook@hotel.example>".parse().unwrap();
        let to = "ada@example.com".parse().unwrap();
        let id = MailId(Uuid::from_u128(7));
        String::from_utf8(bytes(mail, id, &from, &to, Timestamp(1_763_806_602_108)).unwrap())
            .unwrap()
    }

    #[test]
    fn a_mail_has_its_own_name_and_two_parts() {
        let text = sent(&mail());
        for line in [
            "Message-ID: <00000000-0000-0000-0000-000000000007@hotel.example>",
            "From: Rollbook <rollbook@hotel.example>",
            "To: ada@example.com",
            "Date: Sat, 22 Nov 2025 10:16:42 +0000",
            "Auto-Submitted: auto-generated",
        ] {
            assert!(text.contains(&format!("{line}\r\n")), "{line}: {text}");
        }
        assert!(text.contains("multipart/alternative") && !text.contains("multipart/mixed"));
        assert!(text.is_ascii(), "what is no ASCII is encoded");
    }

    #[test]
    fn a_subject_cannot_bring_headers_of_its_own() {
        let mut mail = mail();
        mail.subject = "x\r\nBcc: evil@example.com\r\n\r\nbody".to_owned();
        let text = sent(&mail);
        assert!(!text.contains("\r\nBcc:"), "{text}");
        let head = text.split("\r\n\r\n").next().unwrap();
        assert!(head.contains("Subject: x"), "{text}");
    }
}
