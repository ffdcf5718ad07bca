//! What empty pages teach: how the first contact gets in.

use crate::app::App;
use crate::http::session::Person;

/// The two ways in: a file, or a call from another system.
#[derive(Debug, Clone, Default)]
pub(crate) struct Teach {
    /// Whether the person may upload files.
    pub(crate) may_import: bool,
    /// Whether the person may create keys.
    pub(crate) may_administer: bool,
    /// A command to try.
    pub(crate) curl: String,
}

impl Teach {
    /// What a person can do.
    pub(crate) fn new(app: &App, person: &Person) -> Teach {
        Teach {
            may_import: person.may_import(),
            may_administer: person.may_administer(),
            curl: curl(app, "SOURCE", "YOUR_KEY"),
        }
    }
}

/// A command that posts one contact to a source.
pub(crate) fn curl(app: &App, source: &str, key: &str) -> String {
    let address = app.config.address();
    format!(
        "curl {address}/api/v1/sources/{source}/contacts \\\n  -H 'Authorization: Bearer {key}' \\\n  -H 'Content-Type: application/json' \\\n  -d '{{\"external_id\": \"1001\", \"name\": \"Ana Souza\", \"email\": \"ana@souza.example\"}}'"
    )
}
