//! Files in containers, and files that are made to do harm.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may panic as tests may"
)]

use std::io::{Cursor, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use rollbook_sources::csv::texts;
use rollbook_sources::file::{FileError, FileLimits, FileOptions, Reading, RecordSource, inspect};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// How long any file here may take, in a build without optimisation on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An XLSX workbook with one sheet, and shared texts if there are some.
fn workbook(sheet: &[u8], shared: Option<&[u8]>, styles: &str) -> Vec<u8> {
    let relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let part = |id: u32, kind: &str, target: &str| {
        format!("<Relationship Id=\"rId{id}\" Type=\"{relations}/{kind}\" Target=\"{target}\"/>")
    };
    let list = |parts: &[String]| {
        format!(
            "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">{}</Relationships>",
            parts.concat()
        )
    };
    let root = list(&[part(1, "officeDocument", "xl/workbook.xml")]);
    let parts = list(&[
        part(1, "worksheet", "worksheets/sheet1.xml"),
        part(2, "sharedStrings", "sharedStrings.xml"),
        part(3, "styles", "styles.xml"),
    ]);
    let book = format!(
        "<workbook xmlns:r=\"{relations}\"><sheets><sheet name=\"Guests\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
    );
    let mut entries: Vec<(&str, &[u8])> = vec![
        ("[Content_Types].xml", b"<Types/>"),
        ("_rels/.rels", root.as_bytes()),
        ("xl/_rels/workbook.xml.rels", parts.as_bytes()),
        ("xl/workbook.xml", book.as_bytes()),
        ("xl/styles.xml", styles.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet),
    ];
    if let Some(shared) = shared {
        entries.push(("xl/sharedStrings.xml", shared));
    }
    zipped(&entries)
}

const STYLES: &str = "<styleSheet><numFmts count=\"1\"><numFmt numFmtId=\"164\" formatCode=\"00000\"/></numFmts>\
    <fonts><font/></fonts><fills><fill/></fills><borders><border/></borders>\
    <cellXfs count=\"3\"><xf numFmtId=\"0\"/><xf numFmtId=\"164\"/><xf numFmtId=\"14\"/></cellXfs></styleSheet>";

fn spreadsheet(content: &[u8]) -> Vec<u8> {
    zipped(&[
        (
            "mimetype",
            b"application/vnd.oasis.opendocument.spreadsheet",
        ),
        ("content.xml", content),
    ])
}

type Outcome = Result<(Reading, Vec<String>, Vec<Vec<String>>), FileError>;

fn read_with(bytes: &[u8], name: &str, told: &FileOptions) -> Outcome {
    let begun = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("upload");
    std::fs::write(&path, bytes).unwrap();
    let read = read_file(&path, name, folder.path(), told);
    assert!(begun.elapsed() < PATIENCE, "{name}");
    // What was unpacked has no name, so nothing is left of it.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    read
}

fn read_file(path: &Path, name: &str, folder: &Path, told: &FileOptions) -> Outcome {
    let seen = inspect(path, name, folder, told, 3)?;
    let names = seen.header.names;
    let source = RecordSource::open(path, folder, &seen.reading, &names, &told.limits)?;
    let records = source.records()?.take(1_000_000)?;
    let cells = records.iter().map(|record| match &record.problem {
        Some(problem) => vec![problem.code().to_owned()],
        None => texts(&record.record)
            .iter()
            .map(ToString::to_string)
            .collect(),
    });
    Ok((seen.reading, names, cells.collect()))
}

fn read(bytes: &[u8], name: &str) -> Outcome {
    read_with(bytes, name, &FileOptions::default())
}

fn refusal(bytes: &[u8], name: &str) -> String {
    match read(bytes, name) {
        Ok((reading, names, cells)) => panic!("{name}: {reading:?} {names:?} {}", cells.len()),
        Err(error) => error.to_string(),
    }
}

const CSV: &[u8] = b"Name,Phone\nAnna,030 1\nBen,030 2\n";

#[test]
fn a_file_is_taken_out_of_its_containers() {
    let plain = read(CSV, "guests.csv").unwrap();
    let inside = zipped(&[
        ("__MACOSX/._guests.csv", b"junk"),
        ("export/.DS_Store", b"junk"),
        ("export/guests.csv", CSV),
    ]);
    for (bytes, name) in [
        (gzipped(CSV), "guests.csv.gz"),
        (inside.clone(), "guests.zip"),
        (gzipped(&inside), "guests.zip.gz"),
        (
            [gzipped(&CSV[..15]), gzipped(&CSV[15..])].concat(),
            "parts.gz",
        ),
    ] {
        assert_eq!(read(&bytes, name).unwrap(), plain, "{name}");
    }
    let cards = zipped(&[
        ("a.vcf", b"BEGIN:VCARD\r\nFN:Anna\r\nEND:VCARD"),
        ("b.VCF", b"BEGIN:VCARD\r\nFN:Ben\r\nEND:VCARD"),
    ]);
    let (_, names, cells) = read(&cards, "contacts.zip").unwrap();
    assert_eq!(
        (names, cells),
        (
            vec!["Name".to_owned()],
            vec![vec!["Anna".to_owned()], vec!["Ben".to_owned()]]
        )
    );
    let json = gzipped(b"[{\"name\":\"Anna\"},{\"name\":\"Ben\"}]");
    assert_eq!(read(&json, "x.gz").unwrap().2.len(), 2);
    let sheet = b"<worksheet><sheetData><row r=\"2\"><c r=\"B2\" t=\"inlineStr\"><is><t>Name</t></is></c></row>\
        <row r=\"3\"><c r=\"B3\" t=\"inlineStr\"><is><t>Anna</t></is></c></row></sheetData></worksheet>";
    let sheet = zipped(&[("guests.xlsx", &workbook(sheet, None, STYLES))]);
    let (_, names, cells) = read(&sheet, "guests.zip").unwrap();
    assert_eq!(
        (names, cells),
        (
            vec![String::new(), "Name".to_owned()],
            vec![vec![String::new(), "Anna".to_owned()]]
        )
    );
}

#[test]
fn containers_that_leave_a_choice_or_nothing_are_refused() {
    for (bytes, part) in [
        (
            zipped(&[("a.csv", CSV), ("b.csv", CSV)]),
            "holds several files (`a.csv`, `b.csv`)",
        ),
        (zipped(&[]), "without a file"),
        (zipped(&[("__MACOSX/x", b"1")]), "without a file"),
        (zipped(&[("a.csv", b"")]), "is empty"),
        (gzipped(b""), "is empty"),
        (gzipped(b"%PDF-1.4"), "is a PDF"),
        (gzipped(CSV)[..20].to_vec(), "damaged gzip archive"),
        (
            zipped(&[("a.csv", CSV)])[..40].to_vec(),
            "damaged ZIP container",
        ),
        (
            gzipped(&gzipped(&gzipped(&gzipped(&gzipped(CSV))))),
            "more than 3 containers",
        ),
        (b"".to_vec(), "is empty"),
    ] {
        let error = refusal(&bytes, "upload");
        assert!(error.contains(part), "{error}, not {part}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_and_a_few_odd_ones_are_not() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let noise: Vec<u8> = (0..3_000)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect();
    for name in ["guests.xlsx", "guests.csv", "guests"] {
        assert!(refusal(&noise, name).contains("not a text file"), "{name}");
    }
    let rows = "Guest\u{1} number one of the house;\u{1a}\n".repeat(40);
    let text = format!("Name;Ort\n{rows}");
    assert!(read(text.as_bytes(), "guests.csv").is_ok());
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(read(&wide, "guests.csv").is_ok());
}

#[test]
fn bombs_go_off_in_an_error() {
    let zeros = vec![b'0'; 100 << 20];
    for (bytes, name) in [
        (gzipped(&zeros), "bomb.gz"),
        (zipped(&[("bomb.csv", &zeros)]), "bomb.zip"),
    ] {
        assert!(bytes.len() < 1 << 20);
        let error = refusal(&bytes, name);
        assert!(error.contains("more than 200 times"), "{error}");
    }
    let limits = FileLimits {
        unpacked: 1_000,
        ..FileLimits::default()
    };
    let told = FileOptions {
        limits,
        ..FileOptions::default()
    };
    let error = read_with(&gzipped(&zeros[..2_000]), "large.gz", &told).unwrap_err();
    assert!(
        error.to_string().contains("more than 1000 bytes"),
        "{error}"
    );
}

#[test]
fn workbooks_that_are_made_to_do_harm_are_refused() {
    let cell = |text: &str| {
        format!("<worksheet><sheetData><row r=\"1\">{text}</row></sheetData></worksheet>")
    };
    let blank = cell("<c r=\"A1\" t=\"s\"><v>0</v></c>");
    let large = cell(&"<c r=\"A1\"><v>1</v></c>".repeat(200_000));
    let long = cell(&format!(
        "<c r=\"A1\" t=\"str\"><v>{}</v></c>",
        "x&amp;".repeat(2_000_000)
    ));
    let remarks = cell(&format!(
        "<c r=\"A1\" t=\"str\"><v>{}</v></c>",
        "x<!-- <> -->".repeat(800_000)
    ));
    let literal = format!(
        "<worksheet><![CDATA[{}]]></worksheet>",
        "<a>".repeat(3_000_000)
    );
    let doctype = format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{blank}");
    let wide: Vec<u8> = doctype.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let many = "<sst uniqueCount=\"99999999999\"><si><t>a</t></si></sst>";
    let hidden = format!(
        "<sst a=\"{}\" uniqueCount=\"99999999999\"><si><t>a</t></si></sst>",
        "x".repeat(2_000)
    );
    for (bytes, part) in [
        (
            workbook(large.as_bytes(), None, STYLES),
            "more than 50 times",
        ),
        (workbook(large.as_bytes(), None, STYLES), "row of more than"),
        (workbook(long.as_bytes(), None, STYLES), "cell of more than"),
        (
            workbook(remarks.as_bytes(), None, STYLES),
            "cell of more than",
        ),
        (
            workbook(literal.as_bytes(), None, STYLES),
            "cell of more than",
        ),
        (
            workbook(doctype.as_bytes(), None, STYLES),
            "declares entities",
        ),
        (workbook(&wide, None, STYLES), "declares entities"),
        (
            workbook(blank.as_bytes(), Some(many.as_bytes()), STYLES),
            "texts",
        ),
        (
            workbook(blank.as_bytes(), Some(hidden.as_bytes()), STYLES),
            "texts",
        ),
        (
            workbook(blank.as_bytes(), None, STYLES),
            "damaged XLSX workbook",
        ),
        (
            workbook(b"<worksheet><sheetData/></worksheet>", None, STYLES),
            "no cells on its sheet `Guests`",
        ),
    ] {
        // The measure is as strict as with large files, where it begins to count.
        let mut told = FileOptions::default();
        told.limits.ratio_from = 1 << 20;
        told.limits.ratio = if part.contains("times") { 50 } else { u64::MAX };
        match read_with(&bytes, "a.xlsx", &told) {
            Ok((_, names, cells)) => panic!("{names:?} {} instead of {part}", cells.len()),
            Err(error) => assert!(error.to_string().contains(part), "{error}, not {part}"),
        }
    }
}

#[test]
fn cells_far_outside_take_no_room() {
    let sheet = b"<worksheet><dimension ref=\"A1:XFD1048576\"/><sheetData>\
        <row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>Name</t></is></c></row>\
        <row r=\"2\"><c r=\"A2\" t=\"inlineStr\"><is><t>Anna</t></is></c></row>\
        <row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c></row></sheetData></worksheet>";
    let (_, names, cells) = read(&workbook(sheet, None, STYLES), "a.xlsx").unwrap();
    assert_eq!(names.len(), 2_048);
    assert_eq!(
        (cells[0][0].as_str(), cells[1][0].as_str()),
        ("Anna", "record.too_many_cells")
    );
}

#[test]
fn numbers_show_as_people_see_them() {
    let sheet = b"<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>Zip</t></is></c>\
        <c r=\"B1\" t=\"inlineStr\"><is><t>Birthday</t></is></c><c r=\"C1\" t=\"inlineStr\"><is><t>Phone</t></is></c></row>\
        <row r=\"2\"><c r=\"A2\" s=\"1\"><v>1067</v></c><c r=\"B2\" s=\"2\"><v>29302</v></c><c r=\"C2\"><v>491701234567</v></c></row>\
        </sheetData></worksheet>";
    let (_, names, cells) = read(&workbook(sheet, None, STYLES), "a.xlsx").unwrap();
    assert_eq!(names, ["Zip", "Birthday", "Phone"]);
    assert_eq!(cells, [["01067", "1980-03-22", "491701234567"]]);
}

#[test]
fn repeated_cells_and_rows_of_ods_are_bounded() {
    let content = |rows: &str| {
        let text = format!(
            "<office:document-content><table:table table:name=\"A\">{rows}</table:table></office:document-content>"
        );
        spreadsheet(text.as_bytes())
    };
    let cell = |repeated: u64, text: &str| {
        format!(
            "<table:table-cell table:number-columns-repeated=\"{repeated}\" office:value-type=\"string\"><text:p>{text}</text:p></table:table-cell>"
        )
    };
    let row = |repeated: u64, cells: &str| {
        format!(
            "<table:table-row table:number-rows-repeated=\"{repeated}\">{cells}</table:table-row>"
        )
    };
    let header = row(1, &(cell(1, "Name") + &cell(1, "City")));
    let blank = row(
        1_048_576,
        "<table:table-cell table:number-columns-repeated=\"16384\"/>",
    );
    let ordinary = content(&(header.clone() + &row(2, &cell(2, "x")) + &blank));
    let (_, names, cells) = read(&ordinary, "a.ods").unwrap();
    assert_eq!((names.len(), cells), (2, vec![vec!["x".to_owned(); 2]; 2]));
    let wide = content(&(header.clone() + &row(1, &cell(16_000, &"x".repeat(5_000)))));
    assert!(refusal(&wide, "a.ods").contains("row of more than"));
    let long = content(&(header.clone() + &row(1_048_576, &cell(2, &"x".repeat(5_000)))));
    let limits = FileLimits {
        unpacked: 20 << 20,
        ..FileLimits::default()
    };
    let told = FileOptions {
        limits,
        ..FileOptions::default()
    };
    let error = read_with(&long, "a.ods", &told).unwrap_err().to_string();
    assert!(error.contains("bytes of cells"), "{error}");
    let doctype = spreadsheet(b"<!DOCTYPE a><office:document-content/>");
    assert!(refusal(&doctype, "a.ods").contains("declares entities"));
    let entity = content(&row(1, &cell(1, "&bomb;")));
    assert!(refusal(&entity, "a.ods").contains("declares entities"));
    let endless = content(&row(1, &cell(1, &"x".repeat(9 << 20))));
    assert!(refusal(&endless, "a.ods").contains("cell of more than"));
}

#[test]
fn sheets_and_header_rows_can_be_chosen() {
    let table = |name: &str, cells: &str| {
        format!("<table:table table:name=\"{name}\">{cells}</table:table>")
    };
    let row = |texts: &[&str]| {
        let cells: Vec<String> = texts
            .iter()
            .map(|text| format!("<table:table-cell office:value-type=\"string\"><text:p>{text}</text:p></table:table-cell>"))
            .collect();
        format!("<table:table-row>{}</table:table-row>", cells.concat())
    };
    let first = table("Notes", &row(&["Only remarks"]));
    let rows = [
        row(&["Arrivals of today"]),
        row(&["Name", "Phone", "City"]),
        row(&["Anna", "030 1", "Berlin"]),
        row(&["Ben", "030 2", "Ulm"]),
    ];
    let text = format!(
        "<office:document-content>{first}{}</office:document-content>",
        table("Guests", &rows.concat())
    );
    let bytes = spreadsheet(text.as_bytes());
    let told = |sheet: &str, header_row: Option<u64>| {
        let mut told = FileOptions {
            sheet: Some(sheet.to_owned()),
            ..FileOptions::default()
        };
        told.csv.header_row = header_row;
        told
    };
    for sheet in ["Guests", " guests", "2"] {
        let (_, names, cells) = read_with(&bytes, "a.ods", &told(sheet, None)).unwrap();
        assert_eq!(
            (names, cells.len()),
            (
                vec!["Name".to_owned(), "Phone".to_owned(), "City".to_owned()],
                2
            ),
            "{sheet}"
        );
    }
    let (_, names, cells) = read_with(&bytes, "a.ods", &told("2", Some(3))).unwrap();
    assert_eq!((names[0].as_str(), cells.len()), ("Anna", 1));
    let (_, names, cells) = read_with(&bytes, "a.ods", &told("2", Some(0))).unwrap();
    assert_eq!((names[1].as_str(), cells.len()), ("Column 2", 4));
    let error = read_with(&bytes, "a.ods", &told("3", None))
        .unwrap_err()
        .to_string();
    assert_eq!(error, "has no sheet `3`; it has `Notes`, `Guests`");
    let error = read_with(&bytes, "a.ods", &told("2", Some(9)))
        .unwrap_err()
        .to_string();
    assert!(error.contains("nothing in row 9"), "{error}");
}

#[test]
fn damaged_bytes_of_any_kind_never_panic() {
    let sheet = b"<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>Name</t></is></c></row></sheetData></worksheet>";
    let files = [
        gzipped(CSV),
        zipped(&[("a.csv", CSV)]),
        workbook(sheet, None, STYLES),
        spreadsheet(
            b"<office:document-content><table:table table:name=\"A\"/></office:document-content>",
        ),
    ];
    for file in &files {
        for at in (0..file.len()).step_by(7) {
            let mut broken = file.clone();
            broken[at] ^= 0xFF;
            let _ = read(&broken, "a");
        }
    }
}
