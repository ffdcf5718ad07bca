//! Files of every format uploaded to `rollbook serve`, which is killed in the middle of each.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::process::{Place, wait_for};
use crate::upload::{Api, is_over};

/// Rows of a file: more than two batches, so that the kill after the first has time.
const ROWS: u64 = 15_000;

/// Every so many rows one fails, for its phone number is none.
const BAD: u64 = 97;

#[test]
fn an_import_of_every_format_goes_on_by_itself_after_a_kill() {
    let place = Place::new();
    place.run(&["migrate"]);
    let api = Api::of(&place);
    let mut server = place.serve();
    let mut cursors = Vec::new();
    let mut contacts = 0;
    for (name, content) in [
        ("guests.csv", csv("csv").into_bytes()),
        ("guests.xlsx", workbook()),
        ("guests.vcf", cards().into_bytes()),
        ("guests.json", records().into_bytes()),
        ("guests.csv.gz", gzip(csv("gz").as_bytes())),
    ] {
        let id = api.upload(&server, &place.write(name, &content));
        wait_for("a batch to be committed", || {
            (api.import(&server, &id)["totals"]["records"] != 0).then_some(())
        });
        server.kill();
        server = place.serve();
        let cursor = api.import(&server, &id)["totals"]["records"].as_u64();
        let cursor = cursor.expect("an import counts its records");
        assert!(
            (1..ROWS).contains(&cursor),
            "{name}: killed too late, after {cursor}"
        );
        cursors.push((name, cursor));
        let import = wait_for("the import to be done", || {
            Some(api.import(&server, &id)).filter(is_over)
        });

        assert_eq!(import["state"], "done", "{name}: {import}");
        let failed = ROWS.div_ceil(BAD);
        let totals = &import["totals"];
        for (key, expected) in [
            ("records", ROWS),
            ("created", ROWS - failed),
            ("updated", 0),
            ("failed", failed),
        ] {
            assert_eq!(totals[key], expected, "{name}: {key} of {totals}");
        }
        contacts += ROWS - failed;
        let log = place.run(&["log", "--import", &id, "--limit", "0", "--format", "json"]);
        let rows: Vec<u64> = log.lines().rev().map(row_of).collect();
        assert!(
            rows.iter().copied().eq(1..=ROWS),
            "{name}: a row is missing or there twice"
        );
    }
    server.kill();
    println!("killed after {cursors:?} of {ROWS} records");
    assert_eq!(place.contacts().len() as u64, contacts);
}

fn row_of(line: &str) -> u64 {
    let attempt: Value = serde_json::from_str(line).expect("a line is JSON");
    attempt["row"]
        .as_u64()
        .expect("an attempt of a file has a row")
}

/// Name, email and phone of a row.
fn guest(kind: &str, row: u64) -> [String; 3] {
    let phone = if row.is_multiple_of(BAD) {
        "12".to_owned()
    } else {
        String::new()
    };
    [
        format!("Guest {row}"),
        format!("{kind}-{row}@hotel.example"),
        phone,
    ]
}

fn guests(kind: &str) -> impl Iterator<Item = [String; 3]> {
    (0..ROWS).map(move |row| guest(kind, row))
}

fn csv(kind: &str) -> String {
    let rows = guests(kind).map(|cells| cells.join(";"));
    let all: Vec<String> = std::iter::once("Name;Email;Phone".to_owned())
        .chain(rows)
        .collect();
    all.join("\r\n")
}

fn cards() -> String {
    let card = |[name, email, phone]: [String; 3]| {
        let phone = match phone.as_str() {
            "" => String::new(),
            phone => format!("TEL:{phone}\r\n"),
        };
        format!("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:{name}\r\nEMAIL:{email}\r\n{phone}END:VCARD\r\n")
    };
    guests("vcf").map(card).collect()
}

fn records() -> String {
    let record =
        |[name, email, phone]: [String; 3]| json!({"name": name, "email": email, "phone": phone});
    guests("json").map(record).collect::<Value>().to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn workbook() -> Vec<u8> {
    let relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let header = ["Name", "Email", "Phone"].map(str::to_owned);
    let rows = std::iter::once(header)
        .chain(guests("xlsx"))
        .zip(1..)
        .map(|(cells, number)| {
            let cells = cells.iter().zip(["A", "B", "C"]).map(|(text, column)| {
                format!("<c r=\"{column}{number}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
            });
            format!(
                "<row r=\"{number}\">{}</row>",
                cells.collect::<Vec<_>>().concat()
            )
        });
    let sheet = rows.collect::<Vec<_>>().concat();
    let part = |kind: &str, target: &str| {
        format!(
            "<Relationships><Relationship Id=\"rId1\" Type=\"{relations}/{kind}\" Target=\"{target}\"/></Relationships>"
        )
    };
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in [
        ("[Content_Types].xml", "<Types/>".to_owned()),
        ("_rels/.rels", part("officeDocument", "xl/workbook.xml")),
        (
            "xl/_rels/workbook.xml.rels",
            part("worksheet", "worksheets/sheet1.xml"),
        ),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns:r=\"{relations}\"><sheets><sheet name=\"Guests\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/worksheets/sheet1.xml",
            format!("<worksheet><sheetData>{sheet}</sheetData></worksheet>"),
        ),
    ] {
        writer
            .start_file(name, SimpleFileOptions::default())
            .expect("memory takes it");
        writer.write_all(text.as_bytes()).expect("memory takes it");
    }
    writer.finish().expect("memory takes it").into_inner()
}
