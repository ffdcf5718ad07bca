//! Who gets a mail: addresses that an administrator wrote down, and whoever uploaded the file.

use std::str::FromStr;

use lettre::message::Mailbox;
use rollbook_store::StoreError;
use rollbook_store::accounts::Role;
use rollbook_store::imports::Import;
use rollbook_store::notifications::NotificationSettings;

use crate::app::App;

/// Addresses in one list at most.
pub(crate) const MAX: usize = 50;

/// Who gets the report of an import, each once.
pub(crate) async fn of_import(
    app: &App,
    settings: &NotificationSettings,
    import: &Import,
) -> Result<Vec<String>, StoreError> {
    let mut recipients = settings.recipients_of(import.source);
    if settings.to_uploader && import.created_by.contains('@') {
        let memberships = match app.store.user_by_email(&import.created_by).await? {
            Some(user) => app.store.memberships(user.id).await?,
            None => Vec::new(),
        };
        // The report shows values and brings rows: not for somebody who may only see masked ones by now.
        let may_see = memberships.iter().any(|membership| match membership.role {
            Role::Importer | Role::Admin => membership.workspace == import.workspace,
            Role::Viewer => false,
        });
        if may_see {
            recipients.push(import.created_by.clone());
        }
    }
    Ok(once_each(recipients))
}

/// The addresses in a text, one a line or separated by commas; or what is wrong with one of them.
pub(crate) fn parse(text: &str) -> Result<Vec<String>, String> {
    let addresses = text
        .split([',', ';', '\n', '\r'])
        .map(str::trim)
        .filter(|address| !address.is_empty());
    checked(addresses)
}

/// Addresses that mail can be sent to, each once; or what is wrong with one of them.
pub(crate) fn checked<'a>(
    addresses: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<String>, String> {
    let mut good = Vec::new();
    for address in addresses {
        good.push(checked_one(address)?);
    }
    let good = once_each(good);
    if good.len() > MAX {
        return Err(format!(
            "there are {} addresses, {MAX} at most can be told; use a mailing list",
            good.len()
        ));
    }
    Ok(good)
}

/// An address that mail can be sent to.
pub(crate) fn checked_one(address: &str) -> Result<String, String> {
    let parsed = rollbook_engine::field::email::EmailAddress::parse(address.trim())
        .map_err(|problem| problem.message(address))?;
    let key = parsed.key().into_owned();
    // What the engine knows as an address the mail library must know as one, too.
    lettre::Address::from_str(&key)
        .map_err(|_| format!("`{key}` cannot be written to; use another address"))?;
    Ok(key)
}

/// A stored address as the mail library wants it.
pub(crate) fn mailbox(address: &str) -> Result<Mailbox, String> {
    lettre::Address::from_str(address)
        .map(|address| Mailbox::new(None, address))
        .map_err(|error| format!("`{address}` is not an address that mail can be sent to: {error}"))
}

fn once_each(addresses: Vec<String>) -> Vec<String> {
    let mut once: Vec<String> = Vec::with_capacity(addresses.len());
    for address in addresses {
        if !once
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&address))
        {
            once.push(address);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_lines_and_lists() {
        let read = parse("ada@example.com, Bob@Example.com\r\n\n ada@EXAMPLE.com;c@x.example");
        assert_eq!(
            read,
            Ok(["ada@example.com", "bob@example.com", "c@x.example"]
                .map(str::to_owned)
                .to_vec())
        );
        assert_eq!(parse(" \n "), Ok(Vec::new()));
        assert!(parse("ada@example.com, bob").unwrap_err().contains("bob"));
        let many: Vec<String> = (0..=MAX).map(|n| format!("a{n}@example.com")).collect();
        assert!(
            parse(&many.join("\n"))
                .unwrap_err()
                .contains("mailing list")
        );
    }
}
