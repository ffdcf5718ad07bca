//! The description of the API: OpenAPI 3.1, made from the routes and their types.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder, ServerBuilder};
use utoipa::{PartialSchema, ToSchema};

use crate::http::api::imports::ProgressJson;
use crate::http::api::routes;
use crate::http::error::{Kind, ProblemSchema};

/// The name of the security scheme.
const KEY: &str = "key";

/// What the endpoints are about, in the order in which they are read.
const TAGS: [(&str, &str); 10] = [
    (
        "Records",
        "Deliver contacts from another system. Every record becomes one attempt in the Contact Import Log.",
    ),
    ("Imports", "Upload files of contacts and follow them."),
    (
        "Log",
        "The Contact Import Log: what happened to every record.",
    ),
    ("Contacts", "The contacts as they stand."),
    (
        "Sources",
        "Where records come from, and by which rules they are judged.",
    ),
    ("Keys", "Who may call this API."),
    ("Fields", "What a contact can have."),
    ("Mail", "Who is told by mail, and what became of the mails."),
    ("Audit", "Who did what, and when."),
    (
        "Privacy",
        "Erase a person, tell everything about one, and say for how long things are kept.",
    ),
];

const ABOUT: &str = "\
Rollbook takes contacts in, matches them to those it has, creates or updates one, and writes down what happened to every \
record.

Every call carries `Authorization: Bearer <key>`, except webhooks, which are signed. A key belongs to one source, or to none. A key of a source may deliver \
to that source, upload files to it, and read its attempts, its imports and the fields; anything else is answered with \
403. A key without a source may do everything. Revoking a key takes effect within a second.

Errors are problem details (RFC 9457): decide by `type`, show `detail`. Unknown parameters and unknown members of \
settings are errors. Lists page by `cursor`: pass `next_cursor` of one page to get the next.";

/// The description.
pub(crate) fn openapi() -> OpenApi {
    let mut document = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Rollbook")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(about()))
                .build(),
        )
        .servers(Some([ServerBuilder::new().url("/api/v1").build()]))
        .tags(Some(TAGS.map(|(name, description)| {
            TagBuilder::new()
                .name(name)
                .description(Some(description))
                .build()
        })))
        .security(Some([SecurityRequirement::new(KEY, [] as [&str; 0])]))
        .build();
    document.merge(routes().into_openapi());
    let components = document.components.get_or_insert_default();
    components
        .schemas
        .insert(ProblemSchema::name().into_owned(), ProblemSchema::schema());
    // What the data of an event holds.
    components
        .schemas
        .insert(ProgressJson::name().into_owned(), ProgressJson::schema());
    components.add_security_scheme(
        KEY,
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some(
                    "An API key, as Admin Settings > Sources, `rollbook key create` or `POST /keys` showed it once",
                ))
                .build(),
        ),
    );
    document
}

/// The introduction with the table of problems.
fn about() -> String {
    let mut text = format!("{ABOUT}\n\n| type | status | title |\n| --- | --- | --- |\n");
    for kind in Kind::ALL {
        let (status, title) = (kind.status().as_u16(), kind.title());
        // Writing into a text cannot fail.
        let _ = writeln!(text, "| `{}` | {status} | {title} |", kind.type_uri());
    }
    text
}

/// Serves the description; it is no secret.
pub(super) async fn show() -> impl IntoResponse {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
        let json = openapi().to_json().expect("the description is JSON");
        Bytes::from(json)
    });
    (
        [(header::CONTENT_TYPE, "application/json")],
        DOCUMENT.clone(),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;

    fn document() -> Value {
        serde_json::to_value(openapi()).unwrap()
    }

    /// Every operation with its path and method.
    fn operations(document: &Value) -> Vec<(String, String, Value)> {
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                operations.push((path.clone(), method.clone(), operation.clone()));
            }
        }
        operations
    }

    /// Calls `each` with every object inside.
    fn walk(value: &Value, each: &mut dyn FnMut(&serde_json::Map<String, Value>)) {
        match value {
            Value::Object(object) => {
                each(object);
                for value in object.values() {
                    walk(value, each);
                }
            }
            Value::Array(items) => {
                for value in items {
                    walk(value, each);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn it_is_openapi_3_1() {
        let document = document();
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(
            document["components"]["securitySchemes"]["key"]["scheme"],
            "bearer"
        );
        assert_eq!(document["security"][0]["key"], serde_json::json!([]));
    }

    #[test]
    fn every_route_is_described() {
        let described: HashSet<String> = operations(&document())
            .iter()
            .map(|(path, method, _)| format!("{method} {path}"))
            .collect();
        let expected = [
            "post /sources/{source}/contacts",
            "post /sources/{source}/contacts/batch",
            "post /sources/{source}/events",
            "options /sources/{source}/events",
            "get /sources/{source}/webhook",
            "put /sources/{source}/webhook",
            "delete /sources/{source}/webhook",
            "post /sources/{source}/webhook/rotate",
            "delete /sources/{source}/webhook/previous",
            "post /imports",
            "get /imports",
            "get /imports/{id}",
            "post /imports/{id}/start",
            "post /imports/{id}/cancel",
            "get /imports/{id}/events",
            "get /imports/{id}/failed-rows.csv",
            "get /imports/{id}/file",
            "get /imports/{id}/review",
            "get /imports/{id}/review/rows",
            "patch /imports/{id}/rows/{row}",
            "post /imports/{id}/fixes",
            "delete /imports/{id}/edits",
            "get /imports/{id}/drift",
            "get /imports/{id}/columns/{column}/check",
            "get /imports/{id}/undo",
            "post /imports/{id}/undo",
            "get /imports/template.csv",
            "get /mapping-profiles",
            "post /mapping-profiles",
            "patch /mapping-profiles/{name}",
            "delete /mapping-profiles/{name}",
            "get /contacts",
            "get /contacts/export",
            "get /contacts/{id}",
            "get /logs",
            "get /logs/summary",
            "get /logs/export",
            "get /logs/{id}",
            "post /logs/{id}/replay",
            "get /logs/replay",
            "post /logs/replay",
            "get /sources",
            "post /sources",
            "get /sources/{source}",
            "patch /sources/{source}",
            "get /keys",
            "post /keys",
            "delete /keys/{id}",
            "post /keys/{id}/rotate",
            "get /fields",
            "post /fields",
            "get /notifications",
            "put /notifications",
            "post /notifications/test",
            "get /outbox",
            "post /outbox/{id}/retry",
            "get /audit",
            "get /contacts/{id}/erasure",
            "post /contacts/{id}/erase",
            "get /contacts/{id}/person",
            "get /erasures",
            "get /erasures/{number}",
            "post /erasures/{number}/lift",
            "get /retention",
            "put /retention",
        ];
        let expected: HashSet<String> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(described, expected);
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_schema_is_used() {
        let document = document();
        let mut used = HashSet::new();
        walk(&document, &mut |object| {
            if let Some(Value::String(reference)) = object.get("$ref") {
                let pointer = reference.strip_prefix('#').expect("references are local");
                assert!(document.pointer(pointer).is_some(), "{reference}");
                used.insert(reference.clone());
            }
        });
        for name in document["components"]["schemas"]
            .as_object()
            .unwrap()
            .keys()
        {
            assert!(
                used.contains(&format!("#/components/schemas/{name}")),
                "{name} is not used"
            );
        }
    }

    #[test]
    fn every_operation_is_complete() {
        let mut ids = HashSet::new();
        let tags: HashSet<&str> = TAGS.iter().map(|(name, _)| *name).collect();
        for (path, method, operation) in operations(&document()) {
            let at = format!("{method} {path}");
            let id = operation["operationId"].as_str().expect(&at);
            assert!(ids.insert(id.to_owned()), "{at}: {id} comes twice");
            for member in ["summary", "description"] {
                assert!(
                    operation[member]
                        .as_str()
                        .is_some_and(|text| !text.is_empty()),
                    "{at}: {member}"
                );
            }
            for tag in operation["tags"].as_array().expect(&at) {
                assert!(tags.contains(tag.as_str().unwrap()), "{at}: {tag}");
            }
            let responses = operation["responses"].as_object().expect(&at);
            let mut expected = vec!["400", "401", "500", "503"];
            // A webhook comes with a signature, which opens nothing else.
            if operation["security"] != serde_json::json!([{}]) {
                expected.push("403");
            }
            let parameters = operation["parameters"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            if path.contains('{') {
                expected.push("404");
            }
            if operation.get("requestBody").is_some() {
                expected.extend(["408", "413", "415"]);
            }
            for status in expected {
                let response = responses
                    .get(status)
                    .unwrap_or_else(|| panic!("{at}: {status}"));
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{at}: {status}");
            }
            assert!(
                responses.keys().any(|status| status.starts_with('2')),
                "{at}"
            );
            for (status, response) in responses {
                assert!(response["description"].is_string(), "{at}: {status}");
            }
            let named: HashSet<&str> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            let inside: HashSet<&str> = path
                .split('{')
                .skip(1)
                .filter_map(|rest| rest.split_once('}'))
                .map(|(name, _)| name)
                .collect();
            assert_eq!(named, inside, "{at}");
            for parameter in &parameters {
                let name = &parameter["name"];
                assert!(parameter["description"].is_string(), "{at}: {name}");
                assert!(parameter["schema"].is_object(), "{at}: {name}");
                assert_eq!(
                    parameter["required"],
                    parameter["in"] == "path",
                    "{at}: {name}"
                );
            }
        }
    }
}
