//! Bodies that a JSON endpoint must take or refuse, from a public conformance suite.

mod support;

use rollbook_sources::json::{JsonForm, check, form_of, records};
use support::data;

#[test]
fn bodies_are_taken_or_refused_as_the_suite_says() {
    let Some(folder) = data("json/parsing") else {
        return;
    };
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let body = std::fs::read(&path).unwrap();
        for form in [JsonForm::Document, JsonForm::Lines, form_of(&body)] {
            // No panic, and an end.
            assert!(records(&body, form, 1 << 20).count() <= body.len() + 1);
        }
        let taken = check(&body).is_ok();
        let text = String::from_utf8_lossy(&body);
        let is_container = text.trim_ascii().starts_with(['{', '[']);
        let error_items = records(&body, JsonForm::Document, 1 << 20)
            .filter(|item| match item {
                Ok(record) => record.problem.is_some(),
                Err(_) => true,
            })
            .count();
        match name.as_bytes()[0] {
            b'y' if is_container && !taken => {
                wrong.push(format!("{name} is refused: {:?}", check(&body)));
            }
            b'n' if taken || error_items == 0 => wrong.push(format!("{name} is taken")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
