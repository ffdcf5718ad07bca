use std::io::Cursor;

use super::*;

fn cards(text: &[u8], limit: usize) -> (Vec<String>, Vec<CsvRecord>) {
    let (header, encoding) = VcardFile::columns(Cursor::new(text), None, limit).unwrap();
    let names = header.names;
    let mut file =
        VcardFile::reopen(Cursor::new(text), Some(encoding), names.clone(), limit).unwrap();
    let mut records = Vec::new();
    let mut record = CsvRecord::default();
    while file.next(&mut record).unwrap() {
        records.push(record.clone());
    }
    (names, records)
}

fn shown(text: &str) -> Vec<(String, String)> {
    let (names, records) = cards(text.as_bytes(), 1 << 20);
    let texts = crate::file::texts(&records[0].record);
    names.into_iter().zip(texts).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

#[test]
fn properties_come_under_their_columns() {
    let card = "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:urn:uuid:1\r\nFN:Anna Weber\r\n\
        N:Weber;Anna;Maria\\, Luise;Dr.;jr.\r\nTEL;TYPE=fax:030 9\r\nTEL;TYPE=\"voice,home\":030 1\r\n\
        item1.TEL;PREF=1;VALUE=uri:tel:+49-30-2;ext=3\r\nEMAIL;TYPE=work:a@b.example\r\n\
        EMAIL;TYPE=PREF:MAILTO:c@d.example\r\nBDAY:19800322\r\nADR;TYPE=home:;;Weg 1\\nHaus 2;Ulm;;89073;Germany\r\n\
        ORG:Weber\\; Sons;Sales;North\r\nNOTE:one\\ntwo\r\nCATEGORIES:VIP,a\\,b\r\nLANG:de\r\nX-SKYPE:anna\r\n\
        PHOTO;ENCODING=b:AAAA\r\nEND:VCARD\r\n";
    assert_eq!(
        shown(card),
        pairs(&[
            ("External ID", "urn:uuid:1"),
            ("Name", "Anna Weber"),
            ("Title", "Dr."),
            ("First name", "Anna"),
            ("Middle name", "Maria, Luise"),
            ("Last name", "Weber"),
            ("Suffix", "jr."),
            ("Phone", "tel:+49-30-2;ext=3; 030 1; 030 9"),
            ("Email", "c@d.example; a@b.example"),
            ("Birthday", "19800322"),
            ("Company", "Weber; Sons"),
            ("Department", "Sales, North"),
            ("Street", "Weg 1, Haus 2"),
            ("City", "Ulm"),
            ("Postal code", "89073"),
            ("Country", "Germany"),
            ("Language", "de"),
            ("Notes", "one\ntwo"),
            ("Tags", "VIP; a,b"),
            ("X-SKYPE", "anna"),
        ])
    );
}

#[test]
fn the_ways_of_2_1_are_understood() {
    let card = "BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BC=\n=\nller;J=C3=B6rg\n\
        FN;QUOTED-PRINTABLE;CHARSET=windows-1252:J=F6rg M=FCller\nTEL;CELL;PREF:0170 1\nTEL;HOME:030 1\n\
        NOTE:a folded\n  line\nBDAY;X-APPLE-OMIT-YEAR=1604:1604-03-22\nAGENT:\nBEGIN:VCARD\nFN:Other\nTEL:9\nEND:VCARD\n\
        END:VCARD";
    assert_eq!(
        shown(card),
        pairs(&[
            ("Name", "Jörg Müller"),
            ("First name", "Jörg"),
            ("Last name", "Müller"),
            ("Phone", "0170 1; 030 1"),
            ("Birthday", "--03-22"),
            ("Notes", "a folded line"),
        ])
    );
}

#[test]
fn nothing_between_and_in_cards_is_lost() {
    let text = "junk\r\nmore\r\nBEGIN:VCARD\r\nFN:One\r\nBEGIN:VCARD\r\nFN:Two\r\nEND:VCARD\r\n\r\n\r\n\
        begin:vcard\rFN:Three\rend:vcard\rBEGIN:VCARD\r\nFN:Four";
    let (_, records) = cards(text.as_bytes(), 1 << 20);
    let seen: Vec<(u64, &str, bool)> = records
        .iter()
        .map(|record| (record.line, record.raw.as_str(), record.problem.is_none()))
        .collect();
    assert_eq!(
        seen,
        [
            (1, "junk\r\nmore", false),
            (3, "BEGIN:VCARD\r\nFN:One", false),
            (5, "BEGIN:VCARD\r\nFN:Two\r\nEND:VCARD", true),
            (10, "begin:vcard\rFN:Three\rend:vcard", true),
            (13, "BEGIN:VCARD\r\nFN:Four", false),
        ]
    );
}

#[test]
fn a_large_picture_costs_no_card() {
    let line = format!(" {}\r\n", "A".repeat(74));
    let picture = format!("PHOTO;ENCODING=b;TYPE=JPEG:AAAA\r\n{}", line.repeat(5_000));
    let text = format!(
        "BEGIN:VCARD\r\nFN:One\r\n{picture}TEL:030 1\r\nEND:VCARD\r\nBEGIN:VCARD\r\nFN:Two\r\nNOTE:{}\r\nEND:VCARD\r\n\
         BEGIN:VCARD\r\nFN:Three\r\nEND:VCARD\r\n",
        "x".repeat(200_000)
    );
    let (_, records) = cards(text.as_bytes(), 100_000);
    assert_eq!(records.len(), 3);
    assert_eq!(records[0].problem, None);
    assert!(records[0].raw.contains(CUT_MARK) && records[0].raw.len() < 100_000);
    assert!(
        records[0].raw.ends_with("TEL:030 1\r\nEND:VCARD"),
        "{}",
        records[0].raw.len()
    );
    assert_eq!(
        records[1].problem,
        Some(Problem::RecordTooLarge { limit: 100_000 })
    );
    assert_eq!(records[2].problem, None);
}

#[test]
fn old_encodings_are_guessed() {
    let text =
        "BEGIN:VCARD\r\nFN:J\u{f6}rg M\u{fc}ller Stra\u{df}e gr\u{f6}\u{df}er\r\nEND:VCARD\r\n";
    let bytes: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let (_, records) = cards(&bytes, 1 << 20);
    assert!(records[0].raw.contains("Jörg Müller"), "{}", records[0].raw);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(BEGIN:VCARD|END:VCARD|\r\n|\n|[ -~]|=|TEL;|N:|é|\t){0,60}") {
        let (_, records) = cards(text.as_bytes(), 50);
        let lines: usize = text.lines().filter(|line| !line.trim().is_empty()).count();
        proptest::prop_assert!(records.len() <= lines.max(1) + text.matches('\r').count());
    }
}
