use std::io::Cursor;

use super::*;

/// What a file's records are: their text, or the beginning of what is wrong with them.
fn read(text: &str, limit: usize) -> Result<(Vec<String>, JsonLayout, Vec<String>), FileError> {
    let (header, layout, _) = JsonFile::columns(Cursor::new(text), limit)?;
    let names = header.names;
    let mut file = JsonFile::reopen(Cursor::new(text), layout, names.clone(), limit)?;
    let mut records = Vec::new();
    let mut record = CsvRecord::default();
    while file.next(&mut record)? {
        let problem = record.problem.as_ref().map_or("", |problem| problem.code());
        records.push(format!("{} {problem}{}", record.line, record.raw));
    }
    // Passing over records ends where reading them does.
    let mut again = JsonFile::reopen(Cursor::new(text), layout, names.clone(), limit)?;
    let mut passed = 0;
    while again.step()? {
        passed += 1;
    }
    assert_eq!(passed, records.len(), "{text}");
    Ok((names, layout, records))
}

#[test]
fn every_layout_is_read() {
    for (text, layout, records) in [
        ("[]", JsonLayout::Array, vec![]),
        (
            "\u{feff}[\n{\"a\":1},\n {\"a\":\"],}\\\"\"} ]\n",
            JsonLayout::Array,
            vec!["2 {\"a\":1}", "3 {\"a\":\"],}\\\"\"}"],
        ),
        (
            "[{\"a\":1},5]",
            JsonLayout::Array,
            vec!["1 {\"a\":1}", "1 record.unreadable5"],
        ),
        (
            "[{\"a\":1} {\"a\":2}, {\"a\":3}]",
            JsonLayout::Array,
            vec!["1 record.unreadable{\"a\":1} {\"a\":2}", "1 {\"a\":3}"],
        ),
        (
            "{\"a\":1}\n\n{\"a\":2\n{\"b\":3}\n",
            JsonLayout::Lines,
            vec!["1 {\"a\":1}", "3 record.unreadable{\"a\":2", "4 {\"b\":3}"],
        ),
        (
            "{\n \"a\": 1\n}",
            JsonLayout::Values,
            vec!["1 {\n \"a\": 1\n}"],
        ),
        (
            "{\n \"a\": 1\n}\n{\n \"a\": 2\n}",
            JsonLayout::Values,
            vec!["1 {\n \"a\": 1\n}", "4 {\n \"a\": 2\n}"],
        ),
        (
            "{\"total\": 2, \"data\": [{\"a\":1}, {\"a\":2}], \"next\": null}",
            JsonLayout::Wrapped,
            vec!["1 {\"a\":1}", "1 {\"a\":2}"],
        ),
        (
            "{\"name\": \"A\", \"phones\": [{\"value\":\"1\"}]}",
            JsonLayout::Values,
            vec!["1 {\"name\": \"A\", \"phones\": [{\"value\":\"1\"}]}"],
        ),
    ] {
        let (_, own, read) = read(text, 1000).unwrap();
        assert_eq!(
            (own, read),
            (layout, records.iter().map(ToString::to_string).collect()),
            "{text}"
        );
    }
}

#[test]
fn columns_are_the_paths_of_all_records() {
    let (names, _, _) = read(r#"[{"a":1,"b":{"c":2}},{"b":{"d":[1,2]}},{"a":3}]"#, 1000).unwrap();
    assert_eq!(names, ["a", "b.c", "b.d"]);
}

#[test]
fn broken_arrays_end_in_an_error() {
    for text in [
        "[",
        "[{\"a\":1}",
        "[{\"a\":1},",
        "[{\"a\":1},]",
        "[{\"a\":1}] x",
        "[,]",
        "[{\"a\":\"",
        "[{\"a\":1},,{\"a\":2}]",
    ] {
        assert!(
            matches!(read(text, 1000), Err(FileError::Json { .. })),
            "{text}"
        );
    }
}

#[test]
fn a_large_record_is_passed_over() {
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(3_000_000));
    for text in [
        format!("[{{\"b\":1}},{large},{{\"b\":2}}]"),
        format!("{{\"b\":1}}\n{large}\n{{\"b\":2}}"),
        format!("{{\n\"b\":1}}{large}{{\"b\":2}}"),
    ] {
        let (_, _, records) = read(&text, 100).unwrap();
        assert_eq!(records.len(), 3, "{}", &text[..20]);
        assert!(records[1].contains("record.too_large") && records[1].len() < 70_000);
        assert!(records[2].ends_with("{\"b\":2}"), "{}", records[2].len());
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[\\[{]([\\[\\]{},:\"\\\\ \n1ae])*") {
        let _ = read(&text, 20);
    }

    #[test]
    fn records_are_those_of_the_whole_array(values in proptest::collection::vec("[a-z\\[\\]{}\",\\\\]{0,9}", 0..9)) {
        let values: Vec<serde_json::Value> = values.iter().map(|value| serde_json::json!({"a": value})).collect();
        let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
        let (_, _, records) = read(&serde_json::Value::from(values).to_string(), 1000).unwrap();
        let records: Vec<&str> = records.iter().map(|record| &record[2..]).collect();
        proptest::prop_assert_eq!(records, texts);
    }
}
