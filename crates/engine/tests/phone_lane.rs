//! The fast lane for phone numbers says what the library says, on every row of the shared table and on a million spellings
//! made from the library's own examples.
//!
//! The table is not part of the repository; it is found as `fields.rs` says.

use std::path::PathBuf;

use rlibphonenumber::interfaces::AsOriginal;
use rlibphonenumber::{PhoneNumberType, PhoneNumberUtil, Region};
use rollbook_engine::field::phone::{PhoneNumber, PhoneReader, Reading};

/// Spellings are made and compared by several threads, which also read the shared tables at once.
const THREADS: u64 = 2;
const SPELLINGS: u32 = 500_000;

/// Regions that differ in their prefixes: trunk 0, 1, 8, 06, none, carrier codes, rules that rewrite, shared codes.
const REGIONS: &[&str] = &[
    "DE", "US", "GB", "IT", "RU", "KZ", "AR", "MX", "BR", "JP", "CN", "KR", "AU", "FI", "HU", "IN",
    "AG", "GG", "SM", "CI",
];

const TYPES: &[PhoneNumberType] = &[
    PhoneNumberType::FixedLine,
    PhoneNumberType::Mobile,
    PhoneNumberType::TollFree,
    PhoneNumberType::PremiumRate,
    PhoneNumberType::SharedCost,
    PhoneNumberType::VoIP,
    PhoneNumberType::PersonalNumber,
    PhoneNumberType::Pager,
    PhoneNumberType::UAN,
    PhoneNumberType::VoiceMail,
];

#[test]
fn the_lane_agrees_with_the_library_on_every_row_of_the_table() {
    let Some(rows) = rows() else {
        return;
    };
    let mut comparison = Comparison::new();
    for (input, region) in &rows {
        let region = Some(region.as_str()).filter(|region| !region.is_empty());
        comparison.check(input, region);
        comparison.check(input, None);
        for region in REGIONS {
            comparison.check(input, Some(region));
        }
    }
    comparison.finish("rows of the table", 0.6);
}

#[test]
fn the_lane_agrees_with_the_library_on_a_million_spellings() {
    let examples = Examples::of_all_regions();
    std::thread::scope(|scope| {
        for thread in 1..=THREADS {
            let examples = &examples;
            scope.spawn(move || {
                let mut random = Random(0x5eed_0003 * thread);
                let mut comparison = Comparison::new();
                let mut text = String::new();
                for _ in 0..SPELLINGS {
                    let region = examples.spell(&mut random, &mut text);
                    comparison.check(&text, region);
                }
                comparison.finish("spellings", 0.8);
            });
        }
    });
}

/// What both said, in figures.
struct Comparison {
    reader: PhoneReader,
    all: u32,
    numbers: u32,
    invalid: u32,
    differences: Vec<String>,
}

impl Comparison {
    fn new() -> Comparison {
        Comparison {
            reader: PhoneReader::new(),
            all: 0,
            numbers: 0,
            invalid: 0,
            differences: Vec::new(),
        }
    }

    fn check(&mut self, text: &str, region: Option<&str>) {
        self.all += 1;
        let found = match self.reader.parse_by_lane(text, region) {
            Reading::Number(number) => {
                self.numbers += 1;
                Some(number)
            }
            Reading::Invalid => {
                self.invalid += 1;
                None
            }
            Reading::Elsewhere => return,
        };
        let expected = self.reader.parse_by_library(text, region);
        let expected = expected.as_ref().map(PhoneNumber::as_str);
        if found.as_deref() != expected && self.differences.len() < 20 {
            self.differences.push(format!(
                "{text:?} {region:?}: {found:?}, the library says {expected:?}"
            ));
        }
    }

    #[expect(clippy::print_stdout, reason = "the share is what the test is run for")]
    fn finish(&self, name: &str, least: f64) {
        assert!(
            self.differences.is_empty(),
            "{}",
            self.differences.join("\n")
        );
        let taken = self.numbers + self.invalid;
        println!(
            "{} {name}: the lane took {taken}, {} of them numbers",
            self.all, self.numbers
        );
        assert!(f64::from(taken) >= least * f64::from(self.all));
        assert!(f64::from(self.numbers) >= 0.2 * f64::from(self.all));
    }
}

/// A number that the library gives as an example.
struct Example {
    region: String,
    code: String,
    national: String,
    /// What is dialled before a number within the region.
    trunk: String,
    /// What is dialled before a calling code, where it is digits alone.
    international: String,
}

struct Examples {
    numbers: Vec<Example>,
    regions: Vec<String>,
}

impl Examples {
    fn of_all_regions() -> Examples {
        let util = PhoneNumberUtil::new().expect("the metadata decodes");
        let mut regions: Vec<Region> = util.get_supported_regions().collect();
        regions.sort_by_key(|region| region.as_region_str().to_string());
        let mut numbers = Vec::new();
        for region in &regions {
            let metadata = util
                .as_original()
                .get_metadata_for_region(*region)
                .expect("the region is supported");
            let international = metadata.international_prefix().original_base().to_owned();
            let trunk = metadata.original.national_prefix().to_owned();
            for number_type in TYPES {
                let Ok(number) = util.get_example_number_for_type_and_region(*region, *number_type)
                else {
                    continue;
                };
                numbers.push(Example {
                    region: region.as_region_str().to_string(),
                    code: number.country_code.to_string(),
                    national: rlibphonenumber::get_national_significant_number_owned(&number),
                    trunk: trunk.clone(),
                    international: international.clone(),
                });
            }
        }
        let mut codes: Vec<i32> = util.get_supported_global_network_calling_codes().collect();
        codes.sort_unstable();
        for code in codes {
            let number = util
                .get_example_number_for_non_geo_entity(code)
                .expect("every such code has an example");
            numbers.push(Example {
                region: "DE".to_owned(),
                code: code.to_string(),
                national: rlibphonenumber::get_national_significant_number_owned(&number),
                trunk: "0".to_owned(),
                international: "00".to_owned(),
            });
        }
        let regions = regions
            .iter()
            .map(|region| region.as_region_str().to_string());
        Examples {
            numbers,
            regions: regions.collect(),
        }
    }

    /// Spells an example, often with slips of the pen; the region is often the number's own.
    fn spell<'e>(&'e self, random: &mut Random, text: &mut String) -> Option<&'e str> {
        let example = random.one(&self.numbers);
        let mut national = example.national.clone().into_bytes();
        if random.below(2) == 0 {
            for _ in 0..=random.below(3) {
                random.slip(&mut national);
            }
        }
        let region = match random.below(20) {
            0 => None,
            1..=5 => Some(random.one(&self.regions).as_str()),
            _ => Some(example.region.as_str()),
        };
        let (code, trunk) = (example.code.as_str(), example.trunk.as_str());
        let idd = Some(example.international.as_str())
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
            .unwrap_or("00");
        let before: &[&str] = match random.below(16) {
            0..=3 => &["+", code],
            4 => &["00", code],
            5 => &[idd, code],
            6..=8 => &[trunk],
            9 => &["0"],
            10 => &[],
            11 => &[code],
            12 => &[code, trunk],
            13 => &["+", code, trunk],
            14 => &[random.one::<&str>(&[
                "1", "8", "06", "01", "011", "9", "15", "0041", "0014", "+0", "+1", "++", "000",
            ])],
            _ => &["+", code, "0"],
        };
        text.clear();
        let separators = random.below(3);
        if random.below(20) == 0 {
            text.push_str(random.one::<&str>(&["(", " ", "-", "/", ".", "x"]));
        }
        for part in before {
            text.push_str(part);
            random.separate(separators, text);
        }
        for digit in national {
            text.push(char::from(digit));
            random.separate(separators, text);
        }
        region
    }
}

/// Random numbers that are the same in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).expect("31 bits fit") % limit
    }

    fn one<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }

    fn slip(&mut self, digits: &mut Vec<u8>) {
        let digit = *self.one(b"0123456789");
        let place = self.below(digits.len() + 1);
        match self.below(4) {
            0 => digits.insert(place, digit),
            1 if place < digits.len() => drop(digits.remove(place)),
            2 => digits.insert(0, b'0'),
            _ => {
                if let Some(slot) = digits.get_mut(place) {
                    *slot = digit;
                }
            }
        }
    }

    /// Puts a separator behind a digit: never, seldom or often.
    fn separate(&mut self, often: usize, text: &mut String) {
        if often > 0 && self.below(8) < often * 2 - 1 {
            text.push_str(
                self.one::<&str>(&[" ", " ", " ", "-", "-", ".", "/", "(", ")", ") ", " - "]),
            );
            if self.below(100) == 0 {
                text.push_str(
                    self.one::<&str>(&["+", "x", ",", "~", "#", "\u{a0}", "(0)", "\t", ";ext="]),
                );
            }
        }
    }
}

/// The inputs of the shared table with their regions; none, if the table is not here and need not be.
#[expect(
    clippy::print_stdout,
    reason = "a test that tested nothing must say so"
)]
fn rows() -> Option<Vec<(String, String)>> {
    let folder = std::env::var_os("ROLLBOOK_TEST_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let path = folder.join("phone/phone_cases.csv");
    if !path.exists() {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(
            !ci,
            "{} is missing, and CI must not go without it",
            path.display()
        );
        println!("{} is not here; its rows were left out", path.display());
        return None;
    }
    let mut reader = csv::Reader::from_path(path).expect("the table is readable");
    let headers = reader.headers().expect("the table has a header").clone();
    let column = |name: &str| {
        headers
            .iter()
            .position(|header| header == name)
            .expect("the table has the column")
    };
    let (plain, json, region) = (
        column("input"),
        column("input_json"),
        column("default_region"),
    );
    let rows = reader.records().map(|record| {
        let record = record.expect("the table is CSV");
        let input = if record[json].is_empty() {
            record[plain].to_owned()
        } else {
            serde_json::from_str(&record[json]).expect("the column holds JSON strings")
        };
        (input, record[region].to_owned())
    });
    Some(rows.collect())
}
