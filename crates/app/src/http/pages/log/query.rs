//! What the address of the log page says: range, filters, search. Everything that is shown is in it.

use rollbook_engine::attempt::{Action, ImportResult};
use rollbook_engine::contact::{ContactId, IdentifierKind};
use rollbook_store::imports::ImportId;
use rollbook_store::log::LogFilter;
use rollbook_store::sources::Source;
use serde::Deserialize;

use crate::http::pages::log::range::{Preset, Range};
use crate::http::pages::show::{Zone, encode};
use crate::masking::Sight;
use crate::search::search;

/// The address of the log page.
pub(crate) const PATH: &str = "/settings/logs";

/// The query as it stands in the address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LogQuery {
    pub(crate) range: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) result: String,
    pub(crate) source: String,
    pub(crate) action: String,
    pub(crate) matched_on: String,
    pub(crate) import: String,
    pub(crate) contact: String,
    pub(crate) q: String,
    /// For older rows: the number of the oldest attempt shown.
    pub(crate) before: String,
    /// For live pages: the number of the latest attempt they have.
    pub(crate) after: String,
    /// For exports.
    pub(crate) format: String,
}

/// A query that was understood.
#[derive(Debug, Clone)]
pub(crate) struct LogView {
    /// The time shown.
    pub(crate) range: Range,
    /// Everything but the time.
    pub(crate) filter: LogFilter,
    /// Attempts with lower numbers than this.
    pub(crate) before: Option<u64>,
    /// Attempts with higher numbers than this.
    pub(crate) after: Option<u64>,
    /// What was not understood and left out.
    pub(crate) problems: Vec<String>,
}

impl LogQuery {
    /// The parts that name something, in the order of addresses.
    fn parts(&self) -> [(&'static str, &str); 10] {
        [
            ("range", &self.range),
            ("from", &self.from),
            ("to", &self.to),
            ("result", &self.result),
            ("source", &self.source),
            ("action", &self.action),
            ("matched_on", &self.matched_on),
            ("import", &self.import),
            ("contact", &self.contact),
            ("q", &self.q),
        ]
    }

    /// The query of an address with some parts set to other values; blank ones are left out.
    pub(crate) fn with(&self, changes: &[(&str, &str)]) -> String {
        let mut query = String::new();
        let mut add = |name: &str, value: &str| {
            if !value.is_empty() {
                query.push(if query.is_empty() { '?' } else { '&' });
                query.push_str(name);
                query.push('=');
                query.push_str(&encode(value));
            }
        };
        let new_value = |name: &str| changes.iter().find(|(part, _)| *part == name);
        for (name, value) in self.parts() {
            add(name, new_value(name).map_or(value, |(_, value)| value));
        }
        for (name, value) in changes {
            if !self.parts().iter().any(|(part, _)| part == name) {
                add(name, value);
            }
        }
        query
    }

    /// The address of the page with some parts changed.
    pub(crate) fn url(&self, changes: &[(&str, &str)]) -> String {
        format!("{PATH}{}", self.with(changes))
    }

    /// The parts as hidden fields of a form that sets the named ones itself.
    pub(crate) fn hidden(&self, except: &[&str]) -> Vec<(&'static str, String)> {
        self.parts()
            .into_iter()
            .filter(|(name, value)| !value.is_empty() && !except.contains(name))
            .map(|(name, value)| (name, value.to_owned()))
            .collect()
    }

    /// Reads the query. What is not understood is left out, and said.
    pub(crate) fn read(&self, sources: &[Source], zone: &Zone, sight: &Sight) -> LogView {
        let mut problems = Vec::new();
        let range =
            Range::parse(&self.range, &self.from, &self.to, zone).unwrap_or_else(|problem| {
                problems.push(problem);
                Range::Preset(Preset::QuarterHour)
            });
        let filter = LogFilter {
            from: None,
            to: None,
            result: read_part(&self.result, "result", &mut problems, result_from_key),
            source: read_part(&self.source, "source", &mut problems, |name| {
                let source = sources.iter().find(|source| source.settings.name == name)?;
                Some(source.id)
            }),
            action: read_part(&self.action, "action", &mut problems, action_from_key),
            matched_on: read_part(
                &self.matched_on,
                "matched on",
                &mut problems,
                IdentifierKind::from_key,
            ),
            import: read_part(&self.import, "import", &mut problems, |id| {
                id.parse().ok().map(ImportId)
            }),
            contact: read_part(&self.contact, "contact", &mut problems, |id| {
                id.parse().ok().map(ContactId)
            }),
            search: search(&self.q).map(|found| sight.search(found)),
        };
        LogView {
            range,
            filter,
            before: self.before.parse().ok(),
            after: self.after.parse().ok(),
            problems,
        }
    }
}

/// The words of addresses for results.
pub(crate) fn result_key(result: ImportResult) -> &'static str {
    match result {
        ImportResult::Success => "success",
        ImportResult::Warning => "warning",
        ImportResult::Failure => "failure",
    }
}

fn result_from_key(key: &str) -> Option<ImportResult> {
    use ImportResult::{Failure, Success, Warning};
    [Success, Warning, Failure]
        .into_iter()
        .find(|result| result_key(*result) == key)
}

fn action_from_key(key: &str) -> Option<Action> {
    match key {
        "created" => Some(Action::Created),
        "updated" => Some(Action::Updated),
        "removed" => Some(Action::Removed),
        _ => None,
    }
}

fn read_part<T>(
    text: &str,
    what: &str,
    problems: &mut Vec<String>,
    read: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    if text.is_empty() {
        return None;
    }
    let value = read(text);
    if value.is_none() {
        problems.push(format!(
            "There is no {what} “{text}” to filter by, so this filter was left out."
        ));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_what_is_not_changed() {
        let query = LogQuery {
            range: "1h".to_owned(),
            q: "a&b".to_owned(),
            before: "17".to_owned(),
            ..LogQuery::default()
        };
        assert_eq!(
            query.url(&[("result", "failure")]),
            "/settings/logs?range=1h&result=failure&q=a%26b"
        );
        assert_eq!(
            query.url(&[("q", ""), ("before", "9")]),
            "/settings/logs?range=1h&before=9"
        );
        assert_eq!(LogQuery::default().url(&[]), "/settings/logs");
        assert_eq!(query.hidden(&["q"]), [("range", "1h".to_owned())]);
    }

    #[test]
    fn what_does_not_exist_is_left_out_and_said() {
        let query = LogQuery {
            result: "perfect".to_owned(),
            source: "gone".to_owned(),
            import: "17".to_owned(),
            action: "created".to_owned(),
            ..LogQuery::default()
        };
        let view = query.read(&[], &Zone::named("UTC"), &Sight::Full);
        assert_eq!(view.problems.len(), 3);
        assert_eq!(view.filter.action, Some(Action::Created));
        assert_eq!(view.filter.result, None);
    }
}
