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
