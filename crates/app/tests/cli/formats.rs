//! Files that are no delimited text: spreadsheets, vCards, JSON, archives.

use std::io::{Cursor, Write};

use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::Workspace;

fn zipped(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in entries {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// An XLSX workbook with a sheet of remarks and one of guests; the second column is formatted as `00000`.
pub(crate) fn workbook(rows: &[[&str; 4]]) -> Vec<u8> {
    let relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let part = |id: &str, kind: &str, target: &str| {
        format!("<Relationship Id=\"{id}\" Type=\"{relations}/{kind}\" Target=\"{target}\"/>")
    };
    let root = part("rId1", "officeDocument", "xl/workbook.xml");
    let parts = part("rId1", "worksheet", "worksheets/sheet1.xml")
        + &part("rId2", "worksheet", "worksheets/sheet2.xml")
        + &part("rId3", "styles", "styles.xml");
    let sheet = |rows: &[[&str; 4]]| {
        let cell = |name: String, column: usize, cell: &str| match cell.strip_prefix('#') {
            Some(value) => format!("<c r=\"{name}\" s=\"{column}\"><v>{value}</v></c>"),
            None if cell.is_empty() => String::new(),
            None => format!("<c r=\"{name}\" t=\"inlineStr\"><is><t>{cell}</t></is></c>"),
        };
        let rows = rows.iter().zip(1..).map(|(row, number)| {
            let names = ["A", "B", "C", "D"].map(|letter| format!("{letter}{number}"));
            let cells = row.iter().zip(names).enumerate();
            let cells = cells.map(|(column, (text, name))| cell(name, column, text));
            format!("<row r=\"{number}\">{}</row>", cells.collect::<String>())
        });
        let text = rows.collect::<String>();
        format!("<worksheet><sheetData>{text}</sheetData></worksheet>")
    };
    zipped(&[
        ("[Content_Types].xml", "<Types/>"),
        (
            "_rels/.rels",
            &format!("<Relationships>{root}</Relationships>"),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            &format!("<Relationships>{parts}</Relationships>"),
        ),
        (
            "xl/workbook.xml",
            &format!(
                "<workbook xmlns:r=\"{relations}\"><sheets><sheet name=\"Remarks\" sheetId=\"1\" r:id=\"rId1\"/>\
                 <sheet name=\"Guests\" sheetId=\"2\" r:id=\"rId2\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/styles.xml",
            "<styleSheet><numFmts><numFmt numFmtId=\"164\" formatCode=\"00000\"/></numFmts><fonts><font/></fonts>\
             <fills><fill/></fills><borders><border/></borders><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"164\"/>\
             <xf numFmtId=\"0\"/><xf numFmtId=\"14\"/></cellXfs></styleSheet>",
        ),
        (
            "xl/worksheets/sheet1.xml",
            &sheet(&[["Made today", "", "", ""]]),
        ),
        ("xl/worksheets/sheet2.xml", &sheet(rows)),
    ])
}

fn contacts(workspace: &Workspace) -> Vec<Value> {
    workspace
        .run(&["contacts", "list", "--format", "json"])
        .code(0)
        .json_lines()
}

#[test]
fn a_sheet_is_imported_as_people_see_it() {
    let workspace = Workspace::german();
    workspace.write(
        "guests.xlsx",
        workbook(&[
            ["Arrivals", "", "", ""],
            ["Name", "PLZ", "Phone", "Birthday"],
            ["Anna Weber", "#1067", "#1713920011", "#29302"],
            ["Ben", "#1069", "#12", ""],
        ]),
    );
    let read = workspace
        .run(&["read", "guests.xlsx", "--sheet", "Guests", "--json"])
        .code(0);
    assert_eq!(
        read.json_lines(),
        [
            json!({"format": "XLSX", "sheet": "Guests", "sheets": ["Remarks", "Guests"], "header_row": 2}),
            json!(["Arrivals"]),
            json!(["Name", "PLZ", "Phone", "Birthday"]),
            json!(["Anna Weber", "01067", "1713920011", "1980-03-22"]),
            json!(["Ben", "01069", "12"]),
        ]
    );
    let summary = workspace.import(&[
        "guests.xlsx",
        "--sheet",
        "2",
        "--header-row",
        "2",
        "--failed-rows",
        "failed.csv",
    ]);
    assert_eq!(
        (&summary["created"], &summary["failed"]),
        (&json!(1), &json!(1))
    );
    let contact = &contacts(&workspace)[0];
    for text in ["+491713920011", "01067", "1980-03-22"] {
        assert!(contact.to_string().contains(text), "{text}: {contact}");
    }

    // The failed rows are CSV with the sheet's columns, and map as the sheet did.
    let failed = workspace.read("failed.csv");
    assert!(
        failed.starts_with("Name,PLZ,Phone,Birthday,_row,_reason\r\nBen,01069,12,,2,"),
        "{failed}"
    );
    workspace.write("failed.csv", failed.replace(",12,", ",0171 3920012,"));
    let summary = workspace.import(&["failed.csv"]);
    assert_eq!(
        (&summary["created"], &summary["failed"]),
        (&json!(1), &json!(0))
    );

    let unknown = workspace
        .run(&["import", "guests.xlsx", "--sheet", "Gäste"])
        .code(1);
    unknown.says(&["`guests.xlsx` has no sheet `Gäste`; it has `Remarks`, `Guests`"]);
}

#[test]
fn cards_are_imported_with_all_their_phones() {
    let workspace = Workspace::german();
    workspace.write(
        "contacts.vcf",
        "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Anna Weber\r\nN:Weber;Anna;;Dr.;\r\nTEL;TYPE=HOME:030 123456\r\n\
         TEL;TYPE=CELL,PREF:0171 3920011\r\nEMAIL:anna@example.com\r\nBDAY:19800322\r\nADR:;;Weg 1;Ulm;;89073;Germany\r\n\
         CATEGORIES:VIP,Stammgast\r\nUID:card-1\r\nEND:VCARD\r\n\
         BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ben\r\nTEL:0171 3920012\r\nTEL:12\r\nEND:VCARD\r\n",
    );
    let ran = workspace
        .run(&[
            "import",
            "contacts.vcf",
            "--failed-rows",
            "failed.csv",
            "--json",
        ])
        .code(3);
    assert!(
        ran.err.contains("`Phone` to phone") && ran.err.contains("`Title` to title"),
        "{ran:?}"
    );
    let contact = &contacts(&workspace)[0].to_string();
    for text in [
        "card-1",
        "+491713920011",
        "+4930123456",
        "anna@example.com",
        "1980-03-22",
        "89073",
        "VIP",
        "Dr.",
    ] {
        assert!(contact.contains(text), "{text}: {contact}");
    }
    let failed = workspace.read("failed.csv");
    assert!(
        failed.contains("Ben,") && failed.contains("0171 3920012; 12"),
        "{failed}"
    );
    workspace.write("failed.csv", failed.replace("; 12", "; 030 123457"));
    let summary = workspace.import(&["failed.csv"]);
    assert_eq!(
        (&summary["created"], &summary["failed"]),
        (&json!(1), &json!(0))
    );
}

#[test]
fn json_is_imported_out_of_an_archive() {
    let workspace = Workspace::german();
    let lines = "{\"name\":\"Anna\",\"phones\":[\"0171 3920011\",\"030 123456\"]}\n{\"name\":\n{\"name\":\"Ben\",\"email\":\"b@example.com\"}\n";
    workspace.write("contacts.zip", zipped(&[("contacts.ndjson", lines)]));
    let ran = workspace.run(&["import", "contacts.zip", "--json"]).code(3);
    let summary = &ran.json_lines()[0];
    assert_eq!(
        (&summary["created"], &summary["failed"]),
        (&json!(2), &json!(1))
    );
    let contacts = contacts(&workspace);
    let text = Value::from(contacts).to_string();
    for part in ["+491713920011", "+4930123456", "b@example.com"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
