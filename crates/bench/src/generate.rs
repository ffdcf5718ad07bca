//! Contacts that look like a real export, made from a seed, with the truth about every cell.
//!
//! A row is made from its number alone, so a file needs no memory, and any part of it can be made again. Of a hundred
//! rows one repeats an earlier person in other spellings; of a thousand, twenty have one value that cannot be used.
//!
//! The three variants are meant to be imported one after the other: [`Variant::New`], then [`Variant::Updates`], which
//! changes something about everybody, then [`Variant::Same`], which says what `Updates` said in other spellings.

mod countries;

use std::io::{self, Write};

use crate::random::{Random, mix};
use countries::{COUNTRIES, Country};

/// How many columns a file has.
pub const COLUMNS: usize = 10;

/// The most people that a recipe can tell apart by phone and email.
pub const MAX_PEOPLE: u64 = 20_000_000;

/// Rows of which one repeats an earlier person.
const BLOCK: u64 = 100;

/// How many rows in a thousand have a value that cannot be used.
const BAD_PER_MILLE: u64 = 20;

/// The columns of a file, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Another system's name of the person.
    ExternalId,
    /// First name.
    FirstName,
    /// Last name.
    LastName,
    /// Phone number.
    Phone,
    /// Email address.
    Email,
    /// Birthday.
    Birthday,
    /// Language.
    Language,
    /// Street and house number, sometimes with a company.
    Street,
    /// City, mostly behind its postal code.
    City,
    /// Country.
    Country,
}

impl Column {
    /// All columns, in order.
    pub const ALL: [Column; COLUMNS] = [
        Column::ExternalId,
        Column::FirstName,
        Column::LastName,
        Column::Phone,
        Column::Email,
        Column::Birthday,
        Column::Language,
        Column::Street,
        Column::City,
        Column::Country,
    ];

    /// Its name in the header of a file.
    pub fn header(self) -> &'static str {
        match self {
            Column::ExternalId => "External ID",
            Column::FirstName => "First Name",
            Column::LastName => "Last Name",
            Column::Phone => "Phone Number",
            Column::Email => "Email",
            Column::Birthday => "Birthday",
            Column::Language => "Language",
            Column::Street => "Street",
            Column::City => "City",
            Column::Country => "Country",
        }
    }

    /// The key of its field, which is also its name in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Column::ExternalId => "external_id",
            Column::FirstName => "first_name",
            Column::LastName => "last_name",
            Column::Phone => "phone",
            Column::Email => "email",
            Column::Birthday => "birthday",
            Column::Language => "language",
            Column::Street => "street",
            Column::City => "city",
            Column::Country => "country",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// Which of three files about the same people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// Everybody for the first time.
    New,
    /// The same people; something has changed about each.
    Updates,
    /// What `Updates` said, in other spellings.
    Same,
}

impl Variant {
    /// The variant of a word on the command line.
    pub fn from_key(key: &str) -> Option<Variant> {
        match key {
            "new" => Some(Variant::New),
            "updates" => Some(Variant::Updates),
            "same" => Some(Variant::Same),
            _ => None,
        }
    }

    /// Which of a person's values are given: the first, or the changed ones.
    fn values(self) -> u64 {
        u64::from(self != Variant::New)
    }
}

/// How birthdays are written: one way in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateStyle {
    /// `1980-05-17`.
    Iso,
    /// `17.05.1980`.
    DayFirst,
    /// `05/17/1980`.
    MonthFirst,
}

/// What to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// How many rows.
    pub rows: u64,
    /// Which people and spellings.
    pub seed: u64,
    /// Which of their values.
    pub variant: Variant,
    /// How birthdays are written.
    pub dates: DateStyle,
}

/// A row, with the truth about it. One is filled again and again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    cells: [String; COLUMNS],
    truth: [String; COLUMNS],
    /// The column with a value that cannot be used.
    pub bad: Option<Column>,
    /// Who it is about; numbers count up from 0 in the order of first appearance.
    pub person: u64,
    /// Whether an earlier row is about the same person.
    pub repeats: bool,
}

impl Row {
    /// What the file says.
    pub fn cell(&self, column: Column) -> &str {
        &self.cells[column.index()]
    }

    /// What is meant, in the text that Rollbook stores; empty if the cell is blank or cannot be used.
    pub fn truth(&self, column: Column) -> &str {
        &self.truth[column.index()]
    }

    /// Adds the row to a CSV file.
    pub fn write_csv(&self, out: &mut Vec<u8>) {
        for (position, cell) in self.cells.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            let needs_quotes = cell
                .bytes()
                .any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'));
            if needs_quotes {
                out.push(b'"');
                out.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
                out.push(b'"');
            } else {
                out.extend_from_slice(cell.as_bytes());
            }
        }
        out.push(b'\n');
    }

    /// Writes the row as a JSON object, without its blank cells.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut is_first = true;
        for column in Column::ALL {
            let cell = self.cell(column);
            if cell.is_empty() {
                continue;
            }
            if !is_first {
                out.push(b',');
            }
            is_first = false;
            out.push(b'"');
            out.extend_from_slice(column.key().as_bytes());
            out.extend_from_slice(b"\":\"");
            for byte in cell.bytes() {
                // No cell has a control character.
                if matches!(byte, b'"' | b'\\') {
                    out.push(b'\\');
                }
                out.push(byte);
            }
            out.push(b'"');
        }
        out.push(b'}');
    }

    fn clear(&mut self) {
        for text in self.cells.iter_mut().chain(&mut self.truth) {
            text.clear();
        }
        self.bad = None;
        self.repeats = false;
    }
}

impl Recipe {
    /// Fills in the row with a number, counted from 0.
    ///
    /// # Panics
    /// If that row would be about more people than [`MAX_PEOPLE`].
    pub fn fill(&self, number: u64, row: &mut Row) {
        row.clear();
        let (person, repeats) = self.person_of(number);
        assert!(
            person < MAX_PEOPLE,
            "only {MAX_PEOPLE} people can be told apart"
        );
        row.person = person;
        row.repeats = repeats;
        let mut spelling = Random::of(self.seed, purpose::SPELLING + self.variant as u64, number);
        let person = Person::of(self.seed, person, self.variant.values());
        person.write(self.dates, &mut spelling, row);
        if repeats {
            leave_out(&mut spelling, row);
        }
        let mut bad = Random::of(self.seed, purpose::BAD, number);
        if bad.per_mille(BAD_PER_MILLE) {
            spoil(self.dates, &mut bad, row);
        }
    }

    /// Writes the whole file.
    pub fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        let mut buffer = header();
        let mut row = Row::default();
        for number in 0..self.rows {
            self.fill(number, &mut row);
            row.write_csv(&mut buffer);
            if buffer.len() >= 1 << 16 {
                out.write_all(&buffer)?;
                buffer.clear();
            }
        }
        out.write_all(&buffer)?;
        out.flush()
    }

    /// Who a row is about, and whether an earlier one was, too.
    fn person_of(&self, number: u64) -> (u64, bool) {
        let (block, place) = (number / BLOCK, number % BLOCK);
        let mut random = Random::of(self.seed, purpose::REPEAT, block);
        let repeated_at = 1 + random.below(BLOCK - 1);
        let before = block * (BLOCK - 1);
        if place != repeated_at {
            return (before + place - u64::from(place > repeated_at), false);
        }
        let known = before + place;
        // Every other repetition comes soon after: those meet in one batch.
        let from = if random.per_mille(500) { before } else { 0 };
        (from + random.below(known - from), true)
    }
}

/// The first line of a file.
pub fn header() -> Vec<u8> {
    let names = Column::ALL.map(Column::header);
    (names.join(",") + "\n").into_bytes()
}

/// What random numbers are drawn for, so that no two draws depend on each other.
mod purpose {
    pub(super) const REPEAT: u64 = 1;
    pub(super) const PERSON: u64 = 2;
    pub(super) const CHANGE: u64 = 3;
    pub(super) const BAD: u64 = 4;
    /// And the two after it: one a variant.
    pub(super) const SPELLING: u64 = 5;
}

/// Somebody's values, before they are written in any spelling.
struct Person {
    country: &'static Country,
    first_name: &'static str,
    last_name: &'static str,
    external_id: u64,
    phone: Option<(&'static str, u64)>,
    email: Option<Email>,
    /// Year, month and day.
    birthday: Option<[u64; 3]>,
    has_language: bool,
    company: Option<&'static str>,
    street: &'static str,
    house: u64,
    postal_code: u64,
    city: &'static str,
}

struct Email {
    style: u64,
    number: u64,
    domain: &'static str,
}

const DOMAINS: [&str; 8] = [
    "example.com",
    "example.org",
    "example.net",
    "mail.example",
    "post.example",
    "inbox.example",
    "web.example",
    "office.example.com",
];

/// Coprime to every number of phones and emails, so that multiplying by it scrambles them without a collision.
const SPREAD: u64 = 31_415_927;

/// Emails are told apart by a number below this.
const EMAIL_NUMBERS: u64 = 100_000_000;

/// What follows the name in an email address is not the phone's scrambling again.
const EMAIL_SPREAD: u64 = 68_718_952_447;

impl Person {
    /// Everything about a person; `values` is 0 for the first values and 1 for the changed ones.
    fn of(seed: u64, number: u64, values: u64) -> Person {
        let mut random = Random::of(seed, purpose::PERSON, number);
        let country = &COUNTRIES[random.position(COUNTRIES.len())];
        let mut person = Person {
            country,
            first_name: random.pick(country.first_names),
            last_name: random.pick(country.last_names),
            external_id: scramble_40(seed, number),
            phone: (!random.per_mille(40)).then(|| phone(country, seed, 2 * number)),
            email: (!random.per_mille(60)).then(|| Email {
                style: random.below(4),
                number: email_number(seed, 2 * number),
                domain: random.pick(&DOMAINS),
            }),
            birthday: (!random.per_mille(150)).then(|| {
                [
                    1935 + random.below(75),
                    1 + random.below(12),
                    1 + random.below(28),
                ]
            }),
            has_language: !random.per_mille(250),
            company: random
                .per_mille(100)
                .then(|| random.pick(country.companies)),
            street: random.pick(country.streets),
            house: 1 + random.below(180),
            postal_code: 10_000 + random.below(89_999),
            city: random.pick(country.cities),
        };
        if values == 1 {
            person.change(seed, number);
        }
        person
    }

    /// They moved, and some changed more than that.
    fn change(&mut self, seed: u64, number: u64) {
        let mut random = Random::of(seed, purpose::CHANGE, number);
        self.house += 1 + random.below(19);
        if random.per_mille(300) {
            self.city = random.pick(self.country.cities);
            self.postal_code = 10_000 + random.below(89_999);
        }
        if random.per_mille(100) && self.phone.is_some() {
            self.phone = Some(phone(self.country, seed, 2 * number + 1));
        }
        if random.per_mille(50)
            && let Some(email) = &mut self.email
        {
            email.number = email_number(seed, 2 * number + 1);
            email.domain = random.pick(&DOMAINS);
        }
        if random.per_mille(30) {
            self.last_name = random.pick(self.country.last_names);
        }
    }

    fn write(&self, dates: DateStyle, spelling: &mut Random, row: &mut Row) {
        self.write_names(row);
        let [_, _, _, phone, email, birthday, language, _, _, country] = &mut row.cells;
        let [
            _,
            _,
            _,
            true_phone,
            true_email,
            true_birthday,
            true_language,
            _,
            _,
            true_country,
        ] = &mut row.truth;
        if let Some((prefix, subscriber)) = self.phone {
            for part in ["+", self.country.phones.calling, prefix] {
                true_phone.push_str(part);
            }
            push_digits(true_phone, subscriber, 7);
            spell_phone(self.country, prefix, subscriber, spelling, phone);
        }
        if let Some(address) = &self.email {
            address.write(self.first_name, self.last_name, email);
            if spelling.per_mille(30) {
                email.make_ascii_uppercase();
            }
            let local = email.find('@').expect("an address has an @");
            true_email.push_str(email);
            true_email[local..].make_ascii_lowercase();
        }
        if let Some(date) = self.birthday {
            push_date(DateStyle::Iso, date, true_birthday);
            push_date(dates, date, birthday);
        }
        if self.has_language {
            true_language.push_str(self.country.language);
            language.push_str(spelling.pick(self.country.languages));
        }
        true_country.push_str(self.country.code);
        country.push_str(spelling.pick(self.country.spellings));
    }

    /// What is spelled in one way only.
    fn write_names(&self, row: &mut Row) {
        let id = &mut row.cells[Column::ExternalId.index()];
        id.push_str("G-");
        for place in (0..8).rev() {
            const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
            let digit = usize::try_from((self.external_id >> (5 * place)) & 31)
                .expect("five bits are a position");
            id.push(char::from(DIGITS[digit]));
        }
        row.cells[Column::FirstName.index()].push_str(self.first_name);
        row.cells[Column::LastName.index()].push_str(self.last_name);
        let street = &mut row.cells[Column::Street.index()];
        if let Some(company) = self.company {
            street.push_str(company);
            street.push_str(", ");
        }
        street.push_str(self.street);
        street.push(' ');
        push_number(street, self.house);
        let city = &mut row.cells[Column::City.index()];
        match self.country.postal_digits {
            0 => {}
            digits => {
                push_digits(city, self.postal_code, 5);
                city.truncate(digits);
                city.push(' ');
            }
        }
        city.push_str(self.city);
        for column in [
            Column::ExternalId,
            Column::FirstName,
            Column::LastName,
            Column::Street,
            Column::City,
        ] {
            let index = column.index();
            row.truth[index].push_str(&row.cells[index]);
        }
    }
}

impl Email {
    fn write(&self, first_name: &str, last_name: &str, out: &mut String) {
        match self.style {
            0 => {
                push_plain(out, first_name, usize::MAX);
                out.push('.');
                push_plain(out, last_name, usize::MAX);
            }
            1 => {
                push_plain(out, first_name, 1);
                out.push('.');
                push_plain(out, last_name, usize::MAX);
            }
            2 => {
                push_plain(out, last_name, usize::MAX);
                out.push('_');
                push_plain(out, first_name, usize::MAX);
            }
            _ => push_plain(out, first_name, usize::MAX),
        }
        push_number(out, self.number);
        out.push('@');
        out.push_str(self.domain);
    }
}

/// A repeated person comes with less: without External ID, or without both that and the phone, or with all.
fn leave_out(spelling: &mut Random, row: &mut Row) {
    let has = |row: &Row, column| !row.truth(column).is_empty();
    let blank = |row: &mut Row, column: Column| {
        row.cells[column.index()].clear();
        row.truth[column.index()].clear();
    };
    match spelling.below(3) {
        0 => {}
        1 if has(row, Column::Phone) || has(row, Column::Email) => blank(row, Column::ExternalId),
        2 if has(row, Column::Email) => {
            blank(row, Column::ExternalId);
            blank(row, Column::Phone);
        }
        _ => blank(row, Column::Birthday),
    }
    row.repeats = true;
}

/// Puts a value into the row that cannot be used.
fn spoil(dates: DateStyle, random: &mut Random, row: &mut Row) {
    let column = match random.below(10) {
        0..5 => Column::Phone,
        5..8 => Column::Email,
        _ => Column::Birthday,
    };
    let number = random.below(9_000) + 1_000;
    let kind = random.below(4);
    let text = match (column, kind) {
        (Column::Phone, 0) => format!("+33 {number}"),
        (Column::Phone, 1) => format!("call {number}"),
        (Column::Phone, 2) => format!("+1 555 {number}{number}{number}{number}"),
        (Column::Phone, _) => "0000000".to_owned(),
        (Column::Email, 0) => format!("guest{number}.example.com"),
        (Column::Email, 1) => format!("guest{number}@"),
        (Column::Email, 2) => format!("guest {number}@example.com"),
        (Column::Email, _) => format!("guest{number}@@example.com"),
        (_, 0) => "around Easter".to_owned(),
        (_, 1) => spell_date(dates, [1999, 2, 30]),
        (_, 2) => spell_date(dates, [1978, 11, 31]),
        (_, _) => spell_date(dates, [2001, 2, 29]),
    };
    row.cells[column.index()] = text;
    row.truth[column.index()].clear();
    row.bad = Some(column);
}

/// A number of 40 bits that only this person has.
fn scramble_40(seed: u64, number: u64) -> u64 {
    const MASK: u64 = (1 << 40) - 1;
    // Each step can be undone, so different numbers stay different.
    let number = (number ^ mix(seed)) & MASK;
    let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) & MASK;
    let number = number ^ (number >> 20);
    let number = number.wrapping_mul(0xbf58_476d_1ce4_e5b9) & MASK;
    number ^ (number >> 23)
}

/// The prefix and subscriber of a phone that only this person has.
fn phone(country: &'static Country, seed: u64, number: u64) -> (&'static str, u64) {
    let phones = &country.phones;
    let count = phones.count * phones.prefixes.len() as u64;
    let place = (number * SPREAD + mix(seed ^ SPREAD) % count) % count;
    let prefix = usize::try_from(place / phones.count).expect("a position among prefixes");
    (phones.prefixes[prefix], phones.first + place % phones.count)
}

fn email_number(seed: u64, number: u64) -> u64 {
    (number * EMAIL_SPREAD + mix(seed ^ EMAIL_SPREAD) % EMAIL_NUMBERS) % EMAIL_NUMBERS
}

/// Writes a phone in one of the ways in which people of its country do.
fn spell_phone(
    country: &Country,
    prefix: &str,
    subscriber: u64,
    spelling: &mut Random,
    out: &mut String,
) {
    let Country { phones, .. } = country;
    let style = spelling.below(12);
    let (head, separator): (&[&str], &str) = match style {
        0..3 => (&["+", phones.calling, prefix], ""),
        3 => (&["+", phones.calling, " ", prefix, " "], " "),
        4 if country.code != "US" => (&["00", phones.calling, " ", prefix, " "], ""),
        5 if phones.trunk == "0" => (&["+", phones.calling, " (0) ", prefix, " "], " "),
        6 => (&[phones.trunk, prefix], ""),
        7 => (&[phones.trunk, prefix, " "], " "),
        8 if phones.trunk == "0" => (&[phones.trunk, prefix, "/"], ""),
        9 => (&[phones.trunk, prefix, "-"], "-"),
        10 => (&["(", phones.trunk, prefix, ") "], " "),
        11 => (&[phones.trunk, prefix, "."], "."),
        _ => (&["+", phones.calling, "-", prefix, "-"], "-"),
    };
    for part in head {
        out.push_str(part);
    }
    if separator.is_empty() {
        push_digits(out, subscriber, 7);
    } else {
        push_digits(out, subscriber / 10_000, 3);
        out.push_str(separator);
        push_digits(out, subscriber % 10_000, 4);
    }
}

fn spell_date(dates: DateStyle, date: [u64; 3]) -> String {
    let mut text = String::new();
    push_date(dates, date, &mut text);
    text
}

fn push_date(dates: DateStyle, [year, month, day]: [u64; 3], out: &mut String) {
    let (parts, separator) = match dates {
        DateStyle::Iso => ([(year, 4), (month, 2), (day, 2)], '-'),
        DateStyle::DayFirst => ([(day, 2), (month, 2), (year, 4)], '.'),
        DateStyle::MonthFirst => ([(month, 2), (day, 2), (year, 4)], '/'),
    };
    for (position, (number, width)) in parts.into_iter().enumerate() {
        if position > 0 {
            out.push(separator);
        }
        push_digits(out, number, width);
    }
}

/// Adds a number with leading zeros.
fn push_digits(out: &mut String, number: u64, width: u32) {
    for place in (0..width).rev() {
        let digit = number / 10_u64.pow(place) % 10;
        out.push(char::from(b'0' + u8::try_from(digit).expect("a digit")));
    }
}

/// Adds a number as it is.
fn push_number(out: &mut String, number: u64) {
    push_digits(out, number, number.checked_ilog10().unwrap_or(0) + 1);
}

/// Adds the first `most` letters of a name as an email address has them: plain and in lower case.
fn push_plain(out: &mut String, name: &str, most: usize) {
    let letters = name
        .chars()
        .filter_map(|character| match character {
            'a'..='z' => Some(PLAIN[usize::from(character as u8 - b'a')]),
            'A'..='Z' => Some(PLAIN[usize::from(character as u8 - b'A')]),
            '-' => Some("-"),
            other => plain(other),
        })
        .take(most);
    for letter in letters {
        out.push_str(letter);
    }
}

const PLAIN: [&str; 26] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s",
    "t", "u", "v", "w", "x", "y", "z",
];

/// What people write for a letter that email addresses mostly do without; nothing for signs.
fn plain(character: char) -> Option<&'static str> {
    Some(match character {
        'ä' | 'Ä' => "ae",
        'ö' | 'Ö' => "oe",
        'ü' | 'Ü' => "ue",
        'ß' => "ss",
        'á' | 'Á' | 'à' | 'â' | 'ą' => "a",
        'ç' | 'ć' | 'Ć' => "c",
        'é' | 'É' | 'è' | 'ê' | 'ë' | 'ę' => "e",
        'í' | 'î' | 'ï' | 'ì' => "i",
        'ł' | 'Ł' => "l",
        'ñ' | 'ń' => "n",
        'ó' | 'Ó' | 'ô' | 'ò' => "o",
        'ś' | 'Ś' => "s",
        'ú' | 'ù' | 'û' => "u",
        'ż' | 'Ż' | 'ź' => "z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    const RECIPE: Recipe = Recipe {
        rows: 20_000,
        seed: 1,
        variant: Variant::New,
        dates: DateStyle::DayFirst,
    };

    fn rows(recipe: Recipe) -> Vec<Row> {
        (0..recipe.rows)
            .map(|number| {
                let mut row = Row::default();
                recipe.fill(number, &mut row);
                row
            })
            .collect()
    }

    #[test]
    fn a_recipe_always_makes_the_same_file() {
        let mut file = Vec::new();
        Recipe { rows: 3, ..RECIPE }.write_csv(&mut file).unwrap();
        let expected = "\
External ID,First Name,Last Name,Phone Number,Email,Birthday,Language,Street,City,Country
G-QG5FJSF3,Harriet,MacLeod,0743 955 7749,macleod_harriet5051700@office.example.com,26.01.2006,English,Victoria Terrace 25,Cardiff,GB
G-BHH4WBGT,Thijs,Kuiper,061/2389603,kuiper_thijs42956594@example.org,19.11.1991,Nederlands,Havenkade 50,1715 Leeuwarden,Nederland
G-T42WAW4R,Jean-Luc,Chevalier,062/5221457,chevalier_jean-luc80861488@example.org,02.12.1969,,place de l'Église 107,59041 Paris,Frankreich
";
        assert_eq!(String::from_utf8(file).unwrap(), expected);
    }

    #[test]
    fn one_row_in_a_hundred_repeats_an_earlier_person() {
        let mut seen = HashSet::new();
        let mut repeats = 0;
        for row in rows(RECIPE) {
            assert_eq!(row.repeats, !seen.insert(row.person));
            repeats += u64::from(row.repeats);
        }
        assert_eq!(repeats, RECIPE.rows / 100);
    }

    #[test]
    fn about_two_rows_in_a_hundred_have_a_bad_value() {
        let bad = rows(RECIPE).iter().filter(|row| row.bad.is_some()).count();
        assert!((300..500).contains(&bad), "{bad} of 20,000");
    }

    #[test]
    fn an_identifier_belongs_to_one_person() {
        let mut owners = HashMap::new();
        for variant in [Variant::New, Variant::Updates, Variant::Same] {
            for row in rows(Recipe { variant, ..RECIPE }) {
                for column in [Column::ExternalId, Column::Phone, Column::Email] {
                    let value = row.truth(column).to_lowercase();
                    if !value.is_empty() {
                        assert_eq!(*owners.entry(value).or_insert(row.person), row.person);
                    }
                }
            }
        }
    }

    #[test]
    fn numbers_are_spread_without_a_collision() {
        fn divisor(a: u64, b: u64) -> u64 {
            if b == 0 { a } else { divisor(b, a % b) }
        }
        for country in &COUNTRIES {
            let count = country.phones.count * country.phones.prefixes.len() as u64;
            assert_eq!(divisor(count, SPREAD), 1, "{}", country.code);
            assert!(count > 2 * MAX_PEOPLE, "{}", country.code);
        }
        assert_eq!(divisor(EMAIL_NUMBERS, EMAIL_SPREAD), 1);
        const { assert!(EMAIL_NUMBERS > 2 * MAX_PEOPLE) };
    }

    #[test]
    fn updates_change_everybody_and_same_changes_nobody() {
        let people = |variant| {
            let mut people: HashMap<u64, Vec<String>> = HashMap::new();
            for row in rows(Recipe { variant, ..RECIPE }) {
                if !row.repeats && row.bad.is_none() {
                    let values = Column::ALL.map(|column| row.truth(column).to_lowercase());
                    people.insert(row.person, values.to_vec());
                }
            }
            people
        };
        let [new, updates, same] = [Variant::New, Variant::Updates, Variant::Same].map(people);
        assert_eq!(updates, same);
        assert_eq!(new.len(), updates.len());
        for (person, values) in &new {
            assert_ne!(values, &updates[person]);
        }
    }

    #[test]
    fn json_is_json() {
        let mut row = Row::default();
        row.cells[Column::Street.index()].push_str("Hof \"Am\\Tor\" 5");
        row.cells[Column::City.index()].push_str("Köln");
        let mut json = Vec::new();
        row.write_json(&mut json);
        assert_eq!(
            String::from_utf8(json).unwrap(),
            r#"{"street":"Hof \"Am\\Tor\" 5","city":"Köln"}"#
        );
    }
}
