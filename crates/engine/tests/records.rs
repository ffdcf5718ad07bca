//! Records against bindings: what cells of every shape become.

use std::sync::Arc;

use rollbook_engine::candidate::{Candidate, Given};
use rollbook_engine::contact::{Text, Texts, Value};
use rollbook_engine::field::choice::ChoiceOption;
use rollbook_engine::field::date::DateOrder;
use rollbook_engine::mapping::{Binding, BlankRule, Locale, Mapping, MappingError, WriteMode};
use rollbook_engine::normalise::Normaliser;
use rollbook_engine::record::{Header, Record};
use rollbook_engine::schema::{FieldDef, FieldId, FieldKind, Schema};

fn schema() -> Arc<Schema> {
    let options = ["gold", "silver"].map(|code| ChoiceOption {
        code: code.to_owned(),
        label: code.to_uppercase(),
    });
    let kinds = [
        ("stars", FieldKind::Number),
        ("vip", FieldKind::Boolean),
        ("arrival", FieldKind::Date { partial: false }),
        ("arrival_time", FieldKind::Time),
        ("check_in", FieldKind::DateTime),
        ("level", FieldKind::Choice(options.to_vec())),
        ("perks", FieldKind::Choices(options.to_vec())),
        ("web", FieldKind::Url),
        ("remark", FieldKind::Text),
    ];
    let custom = kinds
        .into_iter()
        .zip(FieldId::FIRST_CUSTOM.0..)
        .map(|((key, kind), id)| FieldDef {
            id: FieldId(id),
            key: key.to_owned(),
            label: key.to_owned(),
            kind,
        });
    Arc::new(Schema::with_custom(custom.collect()))
}

fn header(names: &[&str]) -> Header {
    Header {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn bind(names: &[&str]) -> Binding {
    let header = header(names);
    let locale = Locale {
        region: Some("DE".to_owned()),
        date_order: Some(DateOrder::Dmy),
        ..Locale::default()
    };
    Mapping::guess(&header, &[], &schema())
        .0
        .bind(&header, &schema(), &locale)
        .expect("keys are fields")
}

fn read(cells: &[(&str, &str)]) -> Candidate {
    let names: Vec<&str> = cells.iter().map(|(name, _)| *name).collect();
    let record: Record = cells.iter().map(|(_, text)| *text).collect();
    Normaliser::new().normalise(&record, &bind(&names))
}

/// The value of one cell in canonical text, `code: …` for an issue, `blank` for nothing, `clear` for clearing.
fn cell(field: &str, text: &str) -> String {
    let candidate = read(&[(field, text)]);
    if let Some(issue) = candidate.issues.first() {
        assert_eq!(issue.field.as_deref(), Some(field));
        assert!(issue.message.len() > 20, "{}", issue.message);
        return format!("code: {}", issue.code);
    }
    match candidate.given.first() {
        None => "blank".to_owned(),
        Some((_, Given::Clear)) => "clear".to_owned(),
        Some((_, given)) => given.texts().join(" + "),
    }
}

#[test]
fn every_kind_of_field_reads_its_values() {
    let table = [
        ("external_id", " 00A-7 ", "00A-7"),
        ("external_id", "1.23457E+11", "code: value.precision_lost"),
        ("name", "  Zoë\u{a0}", "Zoë"),
        ("name", "Na", "Na"),
        ("name", "N/A", "blank"),
        ("city", "NA", "blank"),
        ("city", "'t Hooft", "'t Hooft"),
        ("city", "'=1", "=1"),
        ("city", "a\u{0}b", "code: text.control_character"),
        ("notes", "one\ntwo", "one\ntwo"),
        (
            "phone",
            "030 1234567 / +44 7400 123456",
            "+49301234567 + +447400123456",
        ),
        ("phone", "'+49 30 1234567", "+49301234567"),
        ("phone", "4.41E+11", "code: value.precision_lost"),
        ("phone", "4,91521E+11", "code: value.precision_lost"),
        ("phone", "12", "code: phone.invalid"),
        ("email", "Anna@Hotel.EXAMPLE", "Anna@hotel.example"),
        (
            "email",
            "a@x.example; b@x.example",
            "a@x.example + b@x.example",
        ),
        ("email", "a@", "code: email.invalid"),
        ("birthday", "17.05.1990", "1990-05-17"),
        ("birthday", "1990-05", "1990-05"),
        ("birthday", "31.02.1990", "code: date.invalid"),
        ("language", "Deutsch", "de"),
        ("language", "Klingonisch", "code: language.unknown"),
        ("country", "Allemagne", "DE"),
        ("country", "Atlantis", "code: country.unknown"),
        ("tags", "VIP, Stammgast;vip", "VIP + Stammgast"),
        ("stars", "4,5", "4.5"),
        ("stars", "four", "code: number.invalid"),
        ("vip", "oui", "true"),
        ("vip", "maybe", "code: boolean.invalid"),
        ("arrival", "2026-11-22", "2026-11-22"),
        ("arrival", "2026-11", "code: date.invalid"),
        ("arrival_time", "2:30 pm", "14:30"),
        ("arrival_time", "25:00", "code: time.invalid"),
        ("check_in", "22.11.2026 15:00", "2026-11-22T15:00:00"),
        ("level", "Gold", "gold"),
        ("level", "bronze", "code: choice.unknown"),
        ("perks", "gold, SILVER", "gold + silver"),
        ("web", "https://hotel.example/a", "https://hotel.example/a"),
        ("web", "javascript:alert(1)", "code: url.invalid"),
        ("city", "__CLEAR__", "clear"),
        ("city", "", "blank"),
        ("city", "\u{200b}\u{feff} \u{3000}", "blank"),
    ];
    for (field, text, expected) in table {
        assert_eq!(cell(field, text), expected, "{field}: {text:?}");
    }
    assert_eq!(cell("city", &"x".repeat(256)), "code: text.too_long");
}

#[test]
fn a_blank_word_is_noted_and_a_restored_zero_too() {
    let candidate = read(&[("city", "unknown"), ("phone", "301234567")]);
    let notes: Vec<_> = candidate.notes.iter().map(|note| &*note.code).collect();
    assert_eq!(
        notes,
        ["value.treated_as_blank"],
        "a German number without its zero is valid as it stands"
    );
    assert!(candidate.issues.is_empty());
}

#[test]
fn the_records_own_country_decides_how_its_phone_is_read() {
    let candidate = read(&[("phone", "07400 123456"), ("country", "GB")]);
    assert_eq!(
        candidate.field(FieldId::PHONE).map(Given::texts),
        Some(&["+447400123456".into()][..])
    );
}

#[test]
fn columns_of_one_list_field_collect_and_of_a_single_one_the_last_filled_counts() {
    let candidate = read(&[
        ("phone", "030 1234567"),
        ("city", "Kiel"),
        ("phone", "+49301234567"),
        ("city", ""),
    ]);
    assert_eq!(
        candidate.field(FieldId::PHONE).map(Given::texts),
        Some(&["+49301234567".into()][..])
    );
    assert_eq!(
        candidate.field(FieldId::CITY),
        Some(&Given::Set(Value::One("Kiel".into())))
    );
    let candidate = read(&[("email", "a@x.example"), ("email", "b@x.example")]);
    let both = ["a@x.example", "b@x.example"].map(Text::from);
    assert_eq!(
        candidate.field(FieldId::EMAIL),
        Some(&Given::Set(Value::Many(Texts::from_iter(both))))
    );
}

#[test]
fn json_cells_may_be_absent_null_and_lists() {
    let mut record = Record::new();
    record.push_absent();
    record.push_null();
    record.push_list(["030 1234567", "n/a", "12"]);
    record.push_list(["a", "b"]);
    record.push_list([]);
    let binding = bind(&["name", "city", "phone", "company", "email"]);
    let candidate = Normaliser::new().normalise(&record, &binding);
    assert_eq!(candidate.field(FieldId::NAME), None);
    assert_eq!(candidate.field(FieldId::CITY), Some(&Given::Clear));
    assert_eq!(
        candidate.field(FieldId::PHONE).map(Given::texts),
        Some(&["+49301234567".into()][..])
    );
    assert_eq!(
        candidate.field(FieldId::COMPANY),
        Some(&Given::Set(Value::One("a, b".into())))
    );
    assert_eq!(candidate.field(FieldId::EMAIL), None);
    assert_eq!(candidate.issues.len(), 1);
}

#[test]
fn the_order_of_dates_is_decided_once_per_column() {
    let header = header(&["birthday"]);
    let mapping = Mapping::guess(&header, &[], &schema()).0;
    let read = |values: &[&str], fallback| {
        let locale = Locale {
            date_order: fallback,
            ..Locale::default()
        };
        let mut binding = mapping
            .bind(&header, &schema(), &locale)
            .expect("it is a field");
        let mut evidence = binding.evidence();
        let records: Vec<Record> = values
            .iter()
            .map(|value| Record::from_iter([*value]))
            .collect();
        for record in &records {
            evidence.observe(record);
        }
        binding.decide_dates(&evidence);
        let normaliser = Normaliser::new();
        records
            .iter()
            .map(|record| {
                let candidate = normaliser.normalise(record, &binding);
                match (candidate.issues.first(), candidate.field(FieldId::BIRTHDAY)) {
                    (Some(issue), _) => issue.code.clone().into_owned(),
                    (None, Some(given)) => given.texts().concat(),
                    (None, None) => String::new(),
                }
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        read(&["01/02/1990", "02/28/1990"], Some(DateOrder::Dmy)),
        ["1990-01-02", "1990-02-28"]
    );
    assert_eq!(
        read(&["01/02/1990", "03/04/1991"], Some(DateOrder::Dmy)),
        ["1990-02-01", "1991-04-03"]
    );
    assert_eq!(
        read(&["01/02/1990", "1990-03-04"], None),
        ["date.ambiguous", "1990-03-04"]
    );
    assert_eq!(
        read(
            &["28/02/1990", "02/28/1990", "01/02/1990", "5 May 1990"],
            Some(DateOrder::Dmy)
        ),
        [
            "date.ambiguous",
            "date.ambiguous",
            "date.ambiguous",
            "1990-05-05"
        ],
        "a column that contradicts itself is not read row by row"
    );
}

#[test]
fn a_mapping_that_does_not_fit_says_what_there_is() {
    let header = header(&["Gast", "Ort"]);
    let mut mapping = Mapping::guess(&header, &[], &schema()).0;
    for column in &mut mapping.columns {
        column.field = None;
    }
    let locale = Locale::default();
    let errors = mapping
        .bind(&header, &schema(), &locale)
        .expect_err("nothing is mapped");
    assert_eq!(errors.len(), 1);
    assert!(matches!(errors[0], MappingError::NothingMapped { .. }));
    mapping.columns[0].field = Some("nmae".to_owned());
    mapping.columns[1].column = "Stadt".to_owned();
    mapping.columns[1].field = Some("city".to_owned());
    let errors = mapping
        .bind(&header, &schema(), &locale)
        .expect_err("two things are wrong");
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(
        texts[0].contains("`nmae`") && texts[0].contains("last_name"),
        "{}",
        texts[0]
    );
    assert!(
        texts[1].contains("`Stadt`") && texts[1].contains("`Ort`"),
        "{}",
        texts[1]
    );
}

#[test]
fn a_column_that_replaces_wins_over_one_that_adds() {
    let header = header(&["Phone", "Mobile"]);
    let mut mapping = Mapping::guess(&header, &[], &schema()).0;
    mapping.columns[1].write = WriteMode::Add;
    let binding = mapping
        .bind(&header, &schema(), &Locale::default())
        .expect("both are fields");
    let read = |cells: [&str; 2]| {
        let candidate = Normaliser::new().normalise(&Record::from_iter(cells), &binding);
        candidate.field(FieldId::PHONE).cloned()
    };
    let (one, other) = ("+49301234567", "+49301234568");
    let both = Value::Many(Texts::from_iter([one, other].map(Text::from)));
    assert_eq!(read([one, other]), Some(Given::Set(both)));
    assert_eq!(
        read(["__CLEAR__", other]),
        Some(Given::Set(Value::Many([other.into()].into())))
    );
    assert_eq!(read(["", other]), Some(Given::Add([other.into()].into())));
}

#[test]
fn columns_of_one_name_are_mapped_one_by_one() {
    let header = header(&["Name", "Name", "Date"]);
    let mut mapping = Mapping::guess(&header, &[], &schema()).0;
    mapping.columns[0].field = Some("first_name".to_owned());
    mapping.columns[1].field = Some("last_name".to_owned());
    let binding = mapping
        .bind(&header, &schema(), &Locale::default())
        .expect("both are fields");
    let candidate = Normaliser::new().normalise(&Record::from_iter(["Anna", "Weber"]), &binding);
    assert_eq!(candidate.name().as_deref(), Some("Anna Weber"));
}

#[test]
fn a_file_of_very_many_columns_is_bound_in_no_time() {
    let names: Vec<String> = (0..100_000)
        .map(|column| format!("c{}", column % 1_000))
        .collect();
    let header = Header { names };
    let mut mapping = Mapping::guess(&header, &[], &schema()).0;
    mapping.columns[7].field = Some("name".to_owned());
    let binding = mapping.bind(&header, &schema(), &Locale::default());
    assert!(binding.is_ok());
}

#[test]
fn a_separator_inside_a_json_list_is_a_control_character() {
    let mut record = Record::new();
    record.push_list(["a\u{1f}b"]);
    let candidate = Normaliser::new().normalise(&record, &bind(&["tags"]));
    assert_eq!(candidate.issues.len(), 1);
    assert_eq!(candidate.issues[0].code, "text.control_character");
}

#[test]
fn a_mapping_survives_as_json_and_may_add() {
    let mut mapping = Mapping::guess(&header(&["phone"]), &[], &schema()).0;
    mapping.columns[0].write = WriteMode::Add;
    let json = serde_json::to_string(&mapping).expect("it is plain data");
    assert_eq!(
        serde_json::from_str::<Mapping>(&json).expect("we wrote it"),
        mapping
    );
    let binding = mapping
        .bind(&header(&["phone"]), &schema(), &Locale::default())
        .expect("it is a field");
    let candidate = Normaliser::new().normalise(&Record::from_iter(["+49 30 1234567"]), &binding);
    assert_eq!(
        candidate.field(FieldId::PHONE),
        Some(&Given::Add(["+49301234567".into()].into()))
    );
}

/// Reads `cells` under columns that are mapped by their own names, written and blank as told.
fn read_with(columns: &[(&str, WriteMode, BlankRule)], cells: &[&str], file: bool) -> Candidate {
    let names: Vec<&str> = columns.iter().map(|(name, ..)| *name).collect();
    let header = header(&names);
    let mut mapping = Mapping::guess(&header, &[], &schema()).0;
    for (entry, (name, write, blank)) in mapping.columns.iter_mut().zip(columns) {
        let key = name.split('#').next().unwrap_or_default();
        entry.field = Some(key.to_owned());
        entry.write = *write;
        entry.blank = *blank;
    }
    let locale = Locale::default();
    let mut binding = mapping
        .bind(&header, &schema(), &locale)
        .expect("all are fields");
    if file {
        binding = binding.of_file();
    }
    Normaliser::new().normalise(&cells.iter().copied().collect(), &binding)
}

#[test]
fn a_blank_cell_clears_only_where_the_mapping_says_so() {
    use BlankRule::{Clear, Ignore};
    use WriteMode::{Add, OnlyIfEmpty, Replace};
    let one = |text: &str| Some(Given::Set(Value::One(text.into())));
    for (write, blank, cells, file, expected) in [
        (Replace, Ignore, &[""][..], true, None),
        (Replace, Clear, &[""], true, Some(Given::Clear)),
        (Replace, Clear, &["  "], false, Some(Given::Clear)),
        (Replace, Clear, &["n/a"], true, Some(Given::Clear)),
        (Replace, Clear, &["Kiel"], true, one("Kiel")),
        (Add, Clear, &[""], true, Some(Given::Clear)),
        // A short row of a file ends in blank cells; what a record of another system lacks says nothing.
        (Replace, Clear, &[], true, Some(Given::Clear)),
        (Replace, Clear, &[], false, None),
        // What only fills takes nothing away.
        (OnlyIfEmpty, Clear, &[""], true, None),
        (OnlyIfEmpty, Ignore, &["__CLEAR__"], true, None),
    ] {
        let candidate = read_with(&[("city", write, blank)], cells, file);
        let given = candidate.field(FieldId::CITY).cloned();
        assert_eq!(given, expected, "{write:?} {blank:?} {cells:?} {file}");
        assert!(candidate.issues.is_empty());
    }
}

#[test]
fn what_fills_gives_way_to_other_columns_of_the_row() {
    use WriteMode::{OnlyIfEmpty, Replace};
    let fill = |text: &str| Some(Given::Fill(Value::One(text.into())));
    let set = |text: &str| Some(Given::Set(Value::One(text.into())));
    for (writes, cells, expected) in [
        ([OnlyIfEmpty, OnlyIfEmpty], ["a", "b"], fill("b")),
        ([OnlyIfEmpty, Replace], ["a", "b"], set("b")),
        ([Replace, OnlyIfEmpty], ["a", "b"], set("a")),
        ([Replace, OnlyIfEmpty], ["", "b"], fill("b")),
        ([Replace, OnlyIfEmpty], ["__CLEAR__", "b"], set("b")),
        ([OnlyIfEmpty, Replace], ["a", "__CLEAR__"], set("a")),
    ] {
        let columns = [("city#1", writes[0]), ("city#2", writes[1])];
        let columns = columns.map(|(name, write)| (name, write, BlankRule::Ignore));
        let candidate = read_with(&columns, &cells, true);
        let given = candidate.field(FieldId::CITY).cloned();
        assert_eq!(given, expected, "{writes:?} {cells:?}");
    }
}

#[test]
fn the_columns_of_a_list_fill_it_together_or_not_at_all() {
    let header = header(&["phone", "Mobile"]);
    let mut mapping = Mapping::guess(&header, &[], &schema()).0;
    mapping.columns[1].write = WriteMode::OnlyIfEmpty;
    let bound = mapping.bind(&header, &schema(), &Locale::default());
    let errors = bound.expect_err("one fills, one replaces");
    assert_eq!(
        errors[0].to_string(),
        "`phone` and `Mobile` go to `phone`, some of them only if it is empty; choose `only_if_empty` for all of them or for none"
    );
    mapping.columns[0].write = WriteMode::OnlyIfEmpty;
    let binding = mapping.bind(&header, &schema(), &Locale::default());
    let row = Record::from_iter(["+49 30 1234567", "+49 30 1234568"]);
    let candidate = Normaliser::new().normalise(&row, &binding.expect("both fill"));
    let both = ["+49301234567", "+49301234568"].map(Text::from);
    assert_eq!(
        candidate.field(FieldId::PHONE),
        Some(&Given::Fill(Value::Many(Texts::from_iter(both))))
    );
}

#[test]
fn the_tags_of_a_file_join_every_record_that_brings_something() {
    let header = header(&["city", "tags"]);
    let bind = |write| {
        let mut mapping = Mapping::guess(&header, &[], &schema()).0;
        mapping.columns[0].field = Some("city".to_owned());
        mapping.columns[1].write = write;
        let binding = mapping.bind(&header, &schema(), &Locale::default());
        binding
            .expect("both are fields")
            .with_tags([" Autumn fair ; VIP", "vip"])
    };
    let tags = |write, cells: [&str; 2]| {
        let binding = bind(write).expect("they are tags");
        let candidate = Normaliser::new().normalise(&Record::from_iter(cells), &binding);
        candidate.field(FieldId::TAGS).cloned()
    };
    let list = |tags: &[&str]| tags.iter().copied().map(Text::from).collect::<Texts>();
    let own = list(&["Autumn fair", "VIP"]);
    let add = WriteMode::Add;
    assert_eq!(tags(add, ["Kiel", ""]), Some(Given::Add(own.clone())));
    assert_eq!(tags(add, ["", " "]), None, "tags alone are no record");
    assert_eq!(
        tags(add, ["Kiel", "new"]),
        Some(Given::Add(list(&["new", "Autumn fair", "VIP"])))
    );
    assert_eq!(
        tags(WriteMode::Replace, ["Kiel", "new"]),
        Some(Given::Set(Value::Many(list(&[
            "new",
            "Autumn fair",
            "VIP"
        ]))))
    );
    assert_eq!(
        tags(add, ["Kiel", "__CLEAR__"]),
        Some(Given::Set(Value::Many(own)))
    );
    assert!(bind(WriteMode::OnlyIfEmpty).is_err());
    let bound = bind(add).expect("they are tags");
    let long = "x".repeat(101);
    assert!(matches!(
        bound.with_tags([long.as_str()]),
        Err(MappingError::Tags { .. })
    ));
}

#[test]
fn each_cell_is_checked_by_itself() {
    let header = header(&["phone", "Mobile", "country", "birthday"]);
    let mapping = Mapping::guess(&header, &[], &schema()).0;
    let mut binding = mapping
        .bind(&header, &schema(), &Locale::default())
        .expect("all are fields");
    let row = Record::from_iter(["555-01", "030 1234567", "DE", "03/04/2026"]);
    let mut evidence = binding.evidence();
    evidence.observe(&row);
    binding.decide_dates(&evidence);
    let mut seen = Vec::new();
    Normaliser::new().check(&row, &binding, None, &mut |cell| {
        let codes: Vec<String> = cell
            .issues
            .iter()
            .map(|issue| issue.code.to_string())
            .collect();
        seen.push((cell.column, cell.is_blank, codes.join(" ")));
    });
    let expected = [
        (0, false, "phone.invalid"),
        (1, false, ""),
        (2, false, ""),
        (3, false, "date.ambiguous"),
    ];
    assert_eq!(
        seen,
        expected.map(|(column, blank, codes)| (column, blank, codes.to_owned()))
    );
    let open = binding.questions(&evidence);
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].0, 3);
    assert_eq!(open[0].1.value, "03/04/2026");
    let answers: Vec<String> = open[0]
        .1
        .answers
        .iter()
        .map(|(order, date)| format!("{} {date}", order.code()))
        .collect();
    assert_eq!(answers, ["DMY 2026-04-03", "MDY 2026-03-04"]);
}

#[test]
fn a_stored_mapping_without_the_newer_rules_is_read_as_it_was_meant() {
    let stored = r#"{"columns":[{"column":"Ort","field":"city","write":"replace"}]}"#;
    let mapping: Mapping = serde_json::from_str(stored).expect("it was stored");
    assert_eq!(mapping.columns[0].blank, BlankRule::Ignore);
    assert_eq!(
        serde_json::to_string(&mapping).expect("it is plain data"),
        stored
    );
}
