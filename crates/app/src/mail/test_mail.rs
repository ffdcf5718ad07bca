//! A mail that shows that mail arrives.

use rollbook_store::StoreError;
use rollbook_store::workspaces::Workspace;

use crate::app::App;
use crate::mail::{Letter, Mail, link, parts};

/// The mail.
#[derive(Debug, Clone)]
pub(crate) struct TestMail {
    pub(crate) letter: Letter,
    /// Who asked for it.
    pub(crate) by: String,
}

parts!(
    TestMail,
    "mail/test_mail/subject.txt",
    "mail/test_mail/body.txt",
    "mail/test_mail/body.html"
);

/// The mail that `by` asked for.
pub(crate) fn compose(app: &App, workspace: &Workspace, by: &str) -> Result<Mail, StoreError> {
    let mail = TestMail {
        letter: Letter {
            workspace: workspace.settings.name.clone(),
            why: format!("You get this because {by} sent a test."),
            settings: link(app, "/settings/notifications"),
        },
        by: by.to_owned(),
    };
    mail.mail()
        .map_err(|error| StoreError::Damaged(error.to_string()))
}
