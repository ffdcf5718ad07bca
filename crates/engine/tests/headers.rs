//! Header rows of well-known programs against what other projects say they mean.

mod shared_data;

use std::collections::BTreeMap;

use rollbook_engine::guess::guess_header;
use serde_json::Value;

/// Our field for a generic one; none where there is no such built-in field.
fn our_field(generic: &str) -> Option<&'static str> {
    match generic {
        "full_name" => Some("name"),
        "given_name" => Some("first_name"),
        "family_name" => Some("last_name"),
        "prefix" => Some("title"),
        "birth_date" => Some("birthday"),
        "company" => Some("company"),
        "notes" => Some("notes"),
        "tags" => Some("tags"),
        "email" => Some("email"),
        "phone" => Some("phone"),
        // No built-in fields: they become custom fields or stay out, and must never be taken for another field.
        "middle_name" | "suffix" | "nickname" | "job_title" => None,
        other => panic!("an unknown generic field: {other}"),
    }
}

/// Words of columns that describe another column, or that nothing here can hold.
const NEVER_MAPPED: &[&str] = &[
    "Label",
    "Type",
    "Yomi",
    "Phonetic",
    "Fax",
    "Pager",
    "Telex",
    "Assistant",
    "Formatted",
    "PO Box",
    "Extended",
    "Suffix",
    "Job",
    "Birth ",
    "Website",
    "Custom",
    "Event",
    "Relation",
    "OPTIN",
    "CONFIRM",
];

#[test]
fn headers_of_known_exports_are_understood() {
    let Some(table) = shared_data::read("contacts/export_headers.json") else {
        return;
    };
    let table: Value = serde_json::from_str(&table).unwrap();
    for (export, names) in table["headers"].as_object().unwrap() {
        let names: Vec<&str> = names
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        let guesses: BTreeMap<&str, Option<&str>> = names
            .iter()
            .copied()
            .zip(
                guess_header(&names)
                    .into_iter()
                    .map(|guess| guess.map(|guess| guess.field)),
            )
            .collect();
        for (name, generic) in table["must_map"][export].as_object().unwrap() {
            assert_eq!(
                guesses[name.as_str()],
                our_field(generic.as_str().unwrap()),
                "{export}: {name}"
            );
        }
        for (name, field) in &guesses {
            let never = NEVER_MAPPED.iter().any(|word| name.contains(word)) && *name != "Labels";
            assert!(
                !never || field.is_none(),
                "{export}: {name} is taken for {field:?}"
            );
        }
    }
}
