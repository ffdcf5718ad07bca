//! How long reading a record of ten columns takes, and what the fast lane for phone numbers gives and costs.
//!
//! `cargo run --release -p rollbook-engine --example normalise_speed`
#![expect(clippy::print_stdout, reason = "figures are what it is run for")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rollbook_engine::field::phone::{PhoneReader, Reading};
use rollbook_engine::mapping::{ColumnMapping, Locale, Mapping};
use rollbook_engine::normalise::Normaliser;
use rollbook_engine::record::{Header, Record};
use rollbook_engine::schema::Schema;

const COLUMNS: [&str; 10] = [
    "external_id",
    "first_name",
    "last_name",
    "phone",
    "email",
    "birthday",
    "language",
    "city",
    "postal_code",
    "country",
];

const RECORDS: u32 = 2000;

fn main() {
    phones();
    let schema = Arc::new(Schema::built_in());
    let header = Header {
        names: COLUMNS.map(str::to_owned).to_vec(),
    };
    let records: Vec<Record> = (0..RECORDS).map(record).collect();
    let normaliser = Normaliser::new();
    let whole = bind(&COLUMNS, &header, &schema);
    let time = best(|| {
        for record in &records {
            black_box(normaliser.normalise(black_box(record), &whole));
        }
    });
    println!("a record: {:?}", time / RECORDS);
    for column in COLUMNS {
        let binding = bind(&[column], &header, &schema);
        let time = best(|| {
            for record in &records {
                black_box(normaliser.normalise(black_box(record), &binding));
            }
        });
        println!("  {column} alone: {:?}", time / RECORDS);
    }
}

fn phones() {
    let start = Instant::now();
    let reader = PhoneReader::new();
    println!("the library's metadata: {:?}", start.elapsed());
    for number in ["+4930123456", "+16502530000"] {
        let start = Instant::now();
        let _ = black_box(reader.parse(number, None));
        println!("the first {number}: {:?}", start.elapsed());
    }
    let start = Instant::now();
    let bytes = reader.fill_lane();
    println!("all other tables: {:?}, {bytes} bytes", start.elapsed());
    let texts: Vec<(String, &str)> = (0..RECORDS).map(phone).collect();
    let lane = texts
        .iter()
        .filter(|(text, region)| reader.parse_by_lane(text, Some(region)) != Reading::Elsewhere);
    println!("on the lane: {} of {}", lane.count(), texts.len());
    let time = best(|| {
        for (text, region) in &texts {
            let _ = black_box(reader.parse(black_box(text), Some(region)));
        }
    });
    println!("a number: {:?}", time / RECORDS);
    let time = best(|| {
        for (text, region) in &texts {
            black_box(reader.parse_by_library(black_box(text), Some(region)));
        }
    });
    println!("a number by the library: {:?}", time / RECORDS);
}

/// The least time of many runs: other work on the machine only ever adds.
fn best(mut run: impl FnMut()) -> Duration {
    let times = (0..40).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    times.min().unwrap_or_default()
}

fn bind(
    columns: &[&str],
    header: &Header,
    schema: &Arc<Schema>,
) -> rollbook_engine::mapping::Binding {
    let columns = columns.iter().map(|column| ColumnMapping {
        column: (*column).to_owned(),
        field: Some((*column).to_owned()),
        ..ColumnMapping::default()
    });
    let mapping = Mapping {
        columns: columns.collect(),
    };
    let locale = Locale {
        region: Some("DE".to_owned()),
        ..Locale::default()
    };
    mapping
        .bind(header, schema, &locale)
        .expect("the columns are fields")
}

/// A number as people write it, and its region.
fn phone(number: u32) -> (String, &'static str) {
    let digits = 1_000_000 + u64::from(number) * 7919 % 9_000_000;
    match number % 8 {
        0 => (format!("+49171{digits}"), "DE"),
        1 => (format!("0171 {digits}"), "DE"),
        2 => (format!("(650) 253-{:04}", digits % 10_000), "US"),
        3 => (format!("+44 7400 {:06}", digits % 1_000_000), "GB"),
        4 => (format!("0033 6 12 34 5{} 78", digits % 10), "FR"),
        5 => (format!("+39 06 698{}", digits % 100_000 + 10_000), "IT"),
        6 => (
            format!("03-{}-{:04}", 3000 + digits % 6000, digits % 9999),
            "JP",
        ),
        _ => (format!("+49 (0)30 {digits}"), "DE"),
    }
}

fn record(number: u32) -> Record {
    let first = ["Anna", "Jürgen", "María José", "Liam", "Zoë", "Yuki"];
    let last = [
        "Weber",
        "Müller-Lüdenscheidt",
        "García",
        "O'Brien",
        "Smith",
        "Tanaka",
    ];
    let city = ["Berlin", "München", "New York", "Paris", "Roma", "Tōkyō"];
    let language = ["de", "en", "German", "fr-FR", "it", "ja"];
    let (phone, region) = phone(number);
    let place = usize::try_from(number).unwrap_or_default();
    let of = |texts: &[&'static str; 6]| texts[place % 6];
    let (year, month, day) = (1940 + number % 60, 1 + number % 12, 1 + number % 28);
    let mut record = Record::new();
    record.push_text(&format!("G-{:07}", number * 13));
    record.push_text(of(&first));
    record.push_text(of(&last));
    record.push_text(&phone);
    record.push_text(&format!("guest{number}.name@example{}.com", number % 50));
    record.push_text(&format!("{year}-{month:02}-{day:02}"));
    record.push_text(of(&language));
    record.push_text(of(&city));
    record.push_text(&format!("{:05}", 10_000 + number));
    record.push_text(if number.is_multiple_of(5) {
        "Germany"
    } else {
        region
    });
    record
}
