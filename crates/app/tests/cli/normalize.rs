//! `rollbook normalize`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Workspace, shared};

type Row = BTreeMap<String, String>;

/// What `normalize` prints for these lines.
#[track_caller]
fn check(arguments: &[&str], lines: &str, expected: &str) {
    let workspace = Workspace::new();
    let all: Vec<&str> = ["normalize"].iter().chain(arguments).copied().collect();
    let ran = workspace.run_with(&all, lines.as_bytes()).code(0);
    assert_eq!(ran.out, expected, "{arguments:?}");
}

#[test]
fn values_of_each_kind_are_read() {
    check(
        &["phone", "--region", "de"],
        "0171 3920012\n+1 650 253 0000 ext. 12\n12\n",
        "ok\t+491713920012\nok\t+16502530000\nerror\tphone.invalid\n",
    );
    check(&["phone"], "0171 3920012\n", "error\tphone.no_region\n");
    check(
        &["email"],
        "Anna@EXAMPLE.com\r\nanna\n",
        "ok\tAnna@example.com\nerror\temail.invalid\n",
    );
    check(
        &["date", "--date-order", "dmy"],
        "3/4/2020\n",
        "ok\t2020-04-03\n",
    );
    check(
        &["date", "--date-order", "mdy"],
        "3/4/2020\n",
        "ok\t2020-03-04\n",
    );
    check(
        &["date"],
        "3/4/2020\n1990-05\n",
        "error\tdate.ambiguous\nok\t1990-05\n",
    );
    check(
        &["date", "--date-order", "hl7"],
        "19800423\n",
        "ok\t1980-04-23\n",
    );
    check(
        &["time"],
        "2:30 pm\nnoonish\n",
        "ok\t14:30\nerror\ttime.invalid\n",
    );
    check(
        &["number"],
        "1.234.567,5\nmany\n",
        "ok\t1234567.5\nerror\tnumber.invalid\n",
    );
    check(
        &["boolean"],
        "ja\nno\nperhaps\n",
        "ok\ttrue\nok\tfalse\nerror\tboolean.invalid\n",
    );
    check(&["language"], "German\n", "ok\tde\n");
    check(
        &["country"],
        "Deutschland\nAtlantis\n",
        "ok\tDE\nerror\tcountry.unknown\n",
    );
    check(
        &["url"],
        "example.com\njavascript:1\n",
        "ok\thttps://example.com\nerror\turl.invalid\n",
    );
    check(
        &["external_id"],
        " 001 \n1.23457E+11\n",
        "ok\t001\nerror\tvalue.precision_lost\n",
    );
    check(&["text"], "\u{a0}a  b \nn/a\n", "ok\ta  b\nok\tn/a\n");
    check(&["tags"], "vip; spa, VIP\n", "ok\tvip, spa\n");
    check(
        &["choice", "--option", "gold=Gold", "--option", "silver"],
        "GOLD\nSilver\nbronze\n",
        "ok\tgold\nok\tsilver\nerror\tchoice.unknown\n",
    );
}

#[test]
fn an_empty_value_is_an_error_where_a_value_has_a_form() {
    for (kind, expected) in [
        ("phone", "error\tphone.invalid\n"),
        ("email", "error\temail.invalid\n"),
        ("date", "error\tdate.invalid\n"),
        ("time", "error\ttime.invalid\n"),
        ("country", "error\tcountry.unknown\n"),
        ("text", "ok\t\n"),
        ("external_id", "ok\t\n"),
        ("tags", "ok\t\n"),
    ] {
        check(&[kind], "\n", expected);
        check(&[kind], " \u{a0}\n", expected);
    }
}

#[test]
fn json_lines_are_answered_in_json() {
    check(
        &["phone", "--json-lines"],
        "\"+1 650 253 0000 ext. 12\"\n\"a\\nb\"\n12\nnot json\n\"\\ud800\"\n",
        "{\"ok\":\"+16502530000\",\"extension\":\"12\"}\n{\"error\":\"phone.invalid\"}\n\
         {\"error\":\"record.unreadable\"}\n{\"error\":\"record.unreadable\"}\n{\"error\":\"record.unreadable\"}\n",
    );
    check(
        &["tags", "--json-lines"],
        "\"a, b\"\n",
        "{\"ok\":[\"a\",\"b\"]}\n",
    );
}

#[test]
fn every_line_has_an_answer_whatever_its_bytes() {
    let workspace = Workspace::new();
    let ran = workspace
        .run_with(&["normalize", "text"], b"a\n\xff\xfe\nb\x00c\nlast")
        .code(0);
    assert_eq!(
        ran.out,
        "ok\ta\nerror\trecord.unreadable\nerror\ttext.control_character\nok\tlast\n"
    );
    assert_eq!(workspace.run(&["normalize", "email"]).code(0).out, "");
}

#[test]
fn it_needs_no_database() {
    let workspace = Workspace::new();
    workspace.run_with(&["normalize", "phone"], b"1\n").code(0);
    let left: Vec<_> = std::fs::read_dir(workspace.path("")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn wrong_arguments_are_refused() {
    let workspace = Workspace::new();
    for arguments in [
        &["normalize"][..],
        &["normalize", "colour"],
        &["normalize", "phone", "--region", "Germany"],
        &["normalize", "date", "--date-order", "dym"],
        &["normalize", "choice"],
    ] {
        workspace.run(arguments).code(2);
    }
}

#[test]
fn other_projects_phones_are_read() {
    let Some(rows) = rows("phone/phone_cases.csv") else {
        return;
    };
    let (mut right, mut all) = (0, 0);
    for (region, rows) in by(rows, "default_region") {
        let arguments: &[&str] = if region.is_empty() {
            &["phone"]
        } else {
            &["phone", "--region", &region]
        };
        for (row, answer) in answers(arguments, rows, "input") {
            if row["strictness"] == "exact" {
                all += 1;
                right += usize::from(answer["ok"].as_str().unwrap_or("invalid") == row["expected"]);
            }
        }
    }
    println!("phones: {right} of {all}");
    assert!(right * 1000 >= all * 999, "{right} of {all}");
}

#[test]
fn other_projects_emails_are_read() {
    let Some(rows) = rows("email/email_cases.csv") else {
        return;
    };
    let (mut right, mut all) = (0, 0);
    for (row, answer) in answers(&["email"], rows, "address") {
        if row["expected"] != "debatable" {
            all += 1;
            let valid = answer["ok"].is_string();
            right += usize::from(valid == (row["expected"] == "valid"));
        }
    }
    println!("emails: {right} of {all}");
    assert!(right * 100 >= all * 99, "{right} of {all}");
}

#[test]
fn other_projects_dates_are_read() {
    let Some(rows) = rows("dates/date_cases.csv") else {
        return;
    };
    let (mut right, mut all) = (0, 0);
    for (hint, rows) in by(rows, "order_hint") {
        let hint = hint.to_lowercase();
        let arguments: &[&str] = if hint.is_empty() {
            &["date"]
        } else {
            &["date", "--date-order", &hint]
        };
        for (row, answer) in answers(arguments, rows, "input") {
            let found = answer["ok"].as_str().unwrap_or("invalid");
            let agrees = found == row["expected"];
            assert!(agrees || row["expected"] != "invalid", "{row:?} is {found}");
            if row["tier"] == "core" {
                all += 1;
                right += usize::from(agrees);
            }
        }
    }
    println!("dates: {right} of {all}");
    assert!(right * 100 >= all * 97, "{right} of {all}");
}

fn rows(name: &str) -> Option<Vec<Row>> {
    let path = shared(name)?;
    let rows = csv::Reader::from_path(path).unwrap().into_deserialize();
    Some(rows.map(|row| row.unwrap()).collect())
}

fn by(rows: Vec<Row>, column: &str) -> BTreeMap<String, Vec<Row>> {
    let mut groups: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in rows {
        groups.entry(row[column].clone()).or_default().push(row);
    }
    groups
}

/// Each row with what the binary answers to it.
fn answers(arguments: &[&str], rows: Vec<Row>, column: &str) -> Vec<(Row, Value)> {
    let mut input = String::new();
    for row in &rows {
        match row[&format!("{column}_json")].as_str() {
            "" => input.push_str(&serde_json::to_string(&row[column]).unwrap()),
            json => input.push_str(json),
        }
        input.push('\n');
    }
    let all: Vec<&str> = ["normalize", "--json-lines"]
        .iter()
        .chain(arguments)
        .copied()
        .collect();
    let answers = Workspace::new()
        .run_with(&all, input.as_bytes())
        .code(0)
        .json_lines();
    assert_eq!(answers.len(), rows.len());
    rows.into_iter().zip(answers).collect()
}
