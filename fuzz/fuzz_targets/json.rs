//! JSON of any bytes: nothing panics, what passes the check is JSON to others too, and a record's paths lead to values.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rollbook_sources::json::{JsonForm, check, form_of, paths_of, records, to_record};

fuzz_target!(|data: &[u8]| {
    let whole = check(data).is_ok();
    if whole {
        let body = data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(data);
        serde_json::from_slice::<&serde_json::value::RawValue>(body)
            .expect("what passes the check is JSON");
    }
    for form in [form_of(data), JsonForm::Document, JsonForm::Lines] {
        let mut row = 0;
        for record in records(data, form, 64 * 1024) {
            let Ok(record) = record else {
                assert!(
                    !whole || form == JsonForm::Lines || data.trim_ascii().ends_with(b"]"),
                    "a whole document"
                );
                break;
            };
            row += 1;
            assert_eq!(record.row, row);
            if record.problem.is_some() {
                continue;
            }
            let Ok(paths) = paths_of(&record.raw) else {
                continue;
            };
            let names: Vec<String> = paths.into_iter().map(|(path, _)| path).collect();
            to_record(&record.raw, &names).expect("what has paths has values");
        }
    }
});
