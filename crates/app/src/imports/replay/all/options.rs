//! What an import of the kind replay stores.

use rollbook_engine::attempt::{Action, ImportResult};
use rollbook_engine::contact::{ContactId, IdentifierKind};
use rollbook_engine::mapping::Mapping;
use rollbook_store::Timestamp;
use rollbook_store::imports::ImportId;
use rollbook_store::log::{LogFilter, Reach, Search};
use serde::{Deserialize, Serialize};

use crate::imports::options::ImportOptions;

/// What an import of the kind replay stores. Never mistaken for how a file is read: it names no reading.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayOptions {
    pub(super) filter: StoredFilter,
    pub(super) up_to: u64,
    #[serde(default)]
    pub(super) again: bool,
    pub(super) records: u64,
    #[serde(default)]
    pub(super) mapping: Option<Mapping>,
    /// How the records are read, if all of them are rows of one file.
    #[serde(default)]
    pub(crate) file: Option<ImportOptions>,
}

/// A filter as stored.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StoredFilter {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    result: Option<ImportResult>,
    action: Option<Action>,
    matched_on: Option<String>,
    import: Option<String>,
    contact: Option<u64>,
    text: Option<String>,
    phone_digits: Option<String>,
    /// Whether the search looks in names and External IDs alone.
    names_and_ids: bool,
}

impl StoredFilter {
    /// The source is the import's.
    pub(super) fn of(filter: &LogFilter) -> StoredFilter {
        StoredFilter {
            from: filter.from,
            to: filter.to,
            result: filter.result,
            action: filter.action,
            matched_on: filter.matched_on.map(|kind| kind.key().to_owned()),
            import: filter.import.map(|id| id.to_string()),
            contact: filter.contact.map(|id| id.0),
            text: filter.search.as_ref().map(|search| search.text.clone()),
            phone_digits: filter
                .search
                .as_ref()
                .and_then(|search| search.phone_digits.clone()),
            names_and_ids: filter
                .search
                .as_ref()
                .is_some_and(|search| search.reach == Reach::NamesAndIds),
        }
    }

    pub(super) fn read(&self) -> LogFilter {
        let phone_digits = self.phone_digits.clone();
        LogFilter {
            from: self.from,
            to: self.to,
            result: self.result,
            source: None,
            action: self.action,
            matched_on: self
                .matched_on
                .as_deref()
                .and_then(IdentifierKind::from_key),
            import: self
                .import
                .as_deref()
                .and_then(|id| id.parse().ok())
                .map(ImportId),
            contact: self.contact.map(ContactId),
            search: self.text.clone().map(|text| Search {
                text,
                phone_digits,
                reach: if self.names_and_ids {
                    Reach::NamesAndIds
                } else {
                    Reach::Everything
                },
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_stored_whole_and_is_no_way_to_read_a_file() {
        let filter = LogFilter {
            from: Some(Timestamp(1)),
            to: Some(Timestamp(2)),
            result: Some(ImportResult::Failure),
            source: None,
            action: Some(Action::Updated),
            matched_on: Some(IdentifierKind::Phone),
            import: Some(ImportId(uuid::Uuid::from_u128(7))),
            contact: Some(ContactId(3)),
            search: Some(Search {
                text: "weber".to_owned(),
                phone_digits: Some("171".to_owned()),
                reach: Reach::NamesAndIds,
            }),
        };
        let options = ReplayOptions {
            filter: StoredFilter::of(&filter),
            up_to: 9,
            again: true,
            records: 4,
            mapping: Some(Mapping::default()),
            file: None,
        };
        let json = serde_json::to_string(&options).unwrap();
        let read: ReplayOptions = serde_json::from_str(&json).unwrap();
        assert_eq!(read.filter.read(), filter);
        assert!(serde_json::from_str::<ImportOptions>(&json).is_err());
    }
}
