use proptest::prelude::*;
use rollbook_engine::record::Cell;

use super::*;

/// The records of a body as `line:text`, `line!reason` for those that cannot be read, `error` at the end.
fn read(body: &str) -> Vec<String> {
    read_as(body.as_bytes(), form_of(body.as_bytes()))
}

fn read_as(body: &[u8], form: JsonForm) -> Vec<String> {
    records(body, form, 1_000)
        .map(|item| match item {
            Ok(JsonRecord {
                line,
                problem: Some(problem),
                ..
            }) => format!("{line}!{}", problem.message("")),
            Ok(record) => format!("{}:{}", record.line, record.raw),
            Err(error) => error.to_string(),
        })
        .collect()
}

#[test]
fn bodies_are_split_into_records() {
    for (body, expected) in [
        ("{\"a\":1}", vec!["1:{\"a\":1}"]),
        (" \n{\"a\":\n1}\n", vec!["2:{\"a\":\n1}"]),
        ("[]", vec![]),
        (
            "[{\"a\":1},\n {\"b\":\"],{\"} ]",
            vec!["1:{\"a\":1}", "2:{\"b\":\"],{\"}"],
        ),
        (
            "{\"a\":1}\n\n{\"a\":2}\r\n",
            vec!["1:{\"a\":1}", "3:{\"a\":2}"],
        ),
        ("\u{FEFF}{\"a\":1}", vec!["1:{\"a\":1}"]),
        (
            "{\"a\":1}\n{\"a\":}\n{\"a\":3}",
            vec![
                "1:{\"a\":1}",
                "2!The record cannot be read: it is not JSON at its column 6: expected value.",
                "3:{\"a\":3}",
            ],
        ),
        (
            "{\"a\":}\n{\"a\":3}",
            vec![
                "1!The record cannot be read: it is not JSON at its column 6: expected value.",
                "2:{\"a\":3}",
            ],
        ),
        (
            "[{\"a\":1},{\"b\":},7]",
            vec![
                "1:{\"a\":1}",
                "1!The record cannot be read: it is not JSON at its column 6: expected value.",
                "1!The record cannot be read: it is not a JSON object.",
            ],
        ),
        (
            "[{\"a\":1},\n{\"b\":",
            vec![
                "1:{\"a\":1}",
                "the body is not JSON at line 2, column 5: EOF while parsing a value",
            ],
        ),
        (
            "[{\"a\":1}] x",
            vec![
                "1:{\"a\":1}",
                "the body is not JSON at line 1, column 11: text follows the end of the array",
            ],
        ),
        (
            "[{\"a\":1},]",
            vec![
                "1:{\"a\":1}",
                "the body is not JSON at line 1, column 10: an element is missing after the comma",
            ],
        ),
        (
            "",
            vec!["the body is empty; send an object, or an array of objects"],
        ),
        (
            "42",
            vec!["the body is a number; send an object, or an array of objects"],
        ),
        (
            "{\"a\":\"\\uD800\"}",
            vec!["1!The record cannot be read: it is not JSON: unexpected end of hex escape."],
        ),
    ] {
        assert_eq!(read(body), expected, "{body}");
    }
}

#[test]
fn lines_that_are_no_text_are_bad_records() {
    assert_eq!(
        read_as(b"{\"a\":1}\n{\"a\":\"\xFF\"}\n{\"a\":3}", JsonForm::Lines),
        vec![
            "1:{\"a\":1}",
            "2!The record cannot be read: it is not UTF-8 at its byte 6.",
            "3:{\"a\":3}",
        ]
    );
    assert_eq!(
        read_as(b"{\"a\":\"\xFF\"}", JsonForm::Document),
        vec!["the body is not UTF-8 at byte 6; send JSON in UTF-8"]
    );
}

#[test]
fn depth_and_size_are_limited() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(MAX_DEPTH - 1))[0].starts_with("1:"));
    assert!(read(&nested(MAX_DEPTH))[0].contains("nested deeper"));
    assert!(read(&"[".repeat(100_000))[0].contains("nested deeper"));
    assert!(read(&"[{\"\":".repeat(50_000))[0].contains("nested deeper"));
    let large = format!("{{\"a\":\"{}\"}}\n{{\"a\":1}}", "x".repeat(2_000));
    assert!(read(&large)[0].contains("larger than 1000 bytes"));
    assert_eq!(read(&large)[1], "2:{\"a\":1}");
}

#[test]
fn paths_become_cells() {
    let raw = r#"{"id":12345678901234567890,"email":"a\u0040b.example","vip":true,"note":null,
        "address":{"city":"Köln","geo.lat":1.50},"phones":[{"value":"1"},{"value":"2"}],
        "tags":["x",7,null,false],"none":[],"a":1,"a":2,"a/b":{"~":3}, "e":1E400}"#;
    let cell = |path: &str| {
        let record = to_record(raw, &[path.to_owned()]).unwrap();
        match record.cell(0) {
            Cell::Absent => "absent".to_owned(),
            Cell::Null => "null".to_owned(),
            Cell::Text(text) => format!("={text}"),
            Cell::List(items) => format!("{items:?}"),
        }
    };
    for (path, expected) in [
        ("id", "=12345678901234567890"),
        ("email", "=a@b.example"),
        ("vip", "=true"),
        ("note", "null"),
        ("address.city", "=Köln"),
        ("address.geo.lat", "=1.50"),
        ("address", r#"={"city":"Köln","geo.lat":1.50}"#),
        ("/phones/0/value", "=1"),
        ("phones.1.value", "=2"),
        ("phones.2.value", "absent"),
        ("phones.+1.value", "absent"),
        ("phones", r#"=[{"value":"1"},{"value":"2"}]"#),
        ("tags", r#"["x", "7", "false"]"#),
        ("none", "[]"),
        ("a", "=2"),
        ("/a~1b/~0", "=3"),
        ("a/b.~", "=3"),
        ("e", "=1E400"),
        ("missing", "absent"),
        ("email.x", "absent"),
        ("", "absent"),
    ] {
        assert_eq!(cell(path), expected, "{path}");
    }
}

#[test]
fn paths_are_listed_in_order_and_lead_back() {
    let raw = r#"{"b":{"y":1,"x.z":"t"},"a":[{"v":null},{"v":true}],"tags":["p","q"],"":0}"#;
    let paths = paths_of(raw).unwrap();
    let shown: Vec<String> = paths
        .iter()
        .map(|(path, text)| format!("{path}={text}"))
        .collect();
    assert_eq!(
        shown,
        [
            "b.y=1",
            "/b/x.z=t",
            "a.0.v=",
            "a.1.v=true",
            "tags=p, q",
            "/=0"
        ]
    );
    let value = Value::parse(raw).unwrap();
    for (path, _) in paths {
        assert!(value.at(&path).is_some(), "{path}");
    }
}

/// JSON texts: nested, with keys that come twice, numbers of all kinds, escapes and white space.
fn json_text() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,3})?(e-?[0-9]{1,2})?",
        Just("\"a\\u00e4\\ud83d\\ude00\\n\"".to_owned()),
        // Half of a pair.
        Just("\"\\ud83d\"".to_owned()),
        "\"[a-zä ]{0,6}\"",
    ];
    scalar.prop_recursive(4, 64, 24, |inner| {
        let key = prop_oneof!["[a-d]", "[a-z]{0,3}"];
        let members = prop::collection::vec((key, inner.clone()), 0..40);
        prop_oneof![
            prop::collection::vec(inner, 0..6)
                .prop_map(|items| format!("[ {} ]", items.join(" ,"))),
            members.prop_map(|members| {
                let members = members
                    .iter()
                    .map(|(key, value)| format!("\"{key}\" : {value}"));
                format!("{{\n{}}}", members.collect::<Vec<_>>().join(", "))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn one_pass_reads_what_several_read(text in json_text()) {
        let slow = parse_raw(&text).ok().and_then(|raw| Value::of(raw).ok());
        match serde_json::from_str::<Value<'_>>(&text) {
            Ok(value) => prop_assert_eq!(Some(value), slow),
            // Only numbers may be too much for it.
            Err(error) => prop_assert!(
                slow.is_none() || error.to_string().contains("floating point"), "{} in {}", error, text
            ),
        }
    }

    #[test]
    fn every_path_of_a_record_is_a_cell_of_it(text in json_text(), missing in "[a-d./]{0,3}") {
        let mut paths: Vec<String> = paths_of(&text).unwrap_or_default().into_iter().map(|(path, _)| path).collect();
        paths.push(missing);
        let Ok(record) = to_record(&text, &paths) else {
            prop_assert!(Value::parse(&text).is_err());
            return Ok(());
        };
        let value = Value::parse(&text).unwrap();
        for (column, path) in paths.iter().enumerate() {
            prop_assert_eq!(record.cell(column) == Cell::Absent, value.at(path).is_none(), "{} in {}", path, text);
        }
    }
}
