//! The planner against a naive model: a `Vec` of people, linear scans, one record at a time, no cleverness.

use std::sync::Arc;

use proptest::prelude::*;
use rollbook_engine::attempt::{Action, ImportResult};
use rollbook_engine::candidate::Candidate;
use rollbook_engine::contact::{Contact, ContactId, IdentifierKind};
use rollbook_engine::known::Known;
use rollbook_engine::mapping::{Binding, BlankRule, ColumnMapping, Locale, Mapping, WriteMode};
use rollbook_engine::normalise::Normaliser;
use rollbook_engine::plan::{Step, plan};
use rollbook_engine::policy::{Mode, Policy};
use rollbook_engine::record::{Header, Record};
use rollbook_engine::schema::{FieldId, Schema};

// What the generator writes, and how it looks in a file ---------------------------------------------------------------

/// A value of a small pool, in one of several spellings, or one that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Good { value: u8, spelling: u8 },
    Bad,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum CellSpec {
    Blank,
    Clear,
    Items(Vec<Item>),
}

#[derive(Debug, Clone)]
struct Row {
    external_id: CellSpec,
    phone: CellSpec,
    email: CellSpec,
    city: CellSpec,
}

fn phone_text(item: Item) -> String {
    match item {
        Item::Good { value, spelling } => match spelling % 4 {
            0 => format!("+49 30 1234560{value}"),
            1 => format!("030 1234560{value}"),
            2 => format!("0049-30-1234560{value}"),
            _ => format!("(030) 123 456 0{value}"),
        },
        Item::Bad => "555-01".to_owned(),
    }
}

fn email_text(item: Item) -> String {
    match item {
        Item::Good { value, spelling } if spelling % 2 == 0 => {
            format!("guest{value}@hotel.example")
        }
        Item::Good { value, .. } => format!("GUEST{value}@Hotel.Example"),
        Item::Bad => "not-an-email".to_owned(),
    }
}

fn external_id_text(item: Item) -> String {
    match item {
        Item::Good { value, .. } => format!("00{value}"),
        Item::Bad => "1.23457E+11".to_owned(),
    }
}

fn city_text(item: Item) -> String {
    match item {
        Item::Good { value, .. } => format!("City {value}"),
        Item::Bad => "Bad\u{7}City".to_owned(),
    }
}

fn cell_text(cell: &CellSpec, text: fn(Item) -> String) -> String {
    match cell {
        CellSpec::Blank => " n/a ".to_owned(),
        CellSpec::Clear => "__CLEAR__".to_owned(),
        CellSpec::Items(items) => items
            .iter()
            .map(|item| text(*item))
            .collect::<Vec<_>>()
            .join(" ; "),
    }
}

fn record(row: &Row) -> Record {
    let cells = [
        cell_text(&row.external_id, external_id_text),
        cell_text(&row.phone, phone_text),
        cell_text(&row.email, email_text),
        cell_text(&row.city, city_text),
    ];
    cells.iter().map(String::as_str).collect()
}

fn item(values: u8) -> impl Strategy<Value = Item> {
    prop_oneof![
        12 => (0..values, any::<u8>()).prop_map(|(value, spelling)| Item::Good { value, spelling }),
        1 => Just(Item::Bad),
    ]
}

fn cell(values: u8, most: usize) -> impl Strategy<Value = CellSpec> {
    prop_oneof![
        5 => Just(CellSpec::Blank),
        1 => Just(CellSpec::Clear),
        8 => proptest::collection::vec(item(values), 1..=most).prop_map(CellSpec::Items),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    (cell(5, 1), cell(6, 2), cell(6, 2), cell(3, 1)).prop_map(
        |(external_id, phone, email, city)| Row {
            external_id,
            phone,
            email,
            city,
        },
    )
}

// The naive model -----------------------------------------------------------------------------------------------------

#[derive(Debug, Clone, PartialEq, Eq)]
struct Person {
    id: u64,
    external_id: Option<u8>,
    phones: Vec<u8>,
    emails: Vec<u8>,
    city: Option<u8>,
}

#[derive(Debug, PartialEq, Eq)]
struct Expected {
    result: ImportResult,
    action: Option<Action>,
    matched_on: Option<IdentifierKind>,
    contact: Option<u64>,
    /// `(field, code)`, sorted.
    issues: Vec<(String, String)>,
    changed: bool,
}

/// The good values of a cell in order, each once, and how many bad ones there are.
fn values(cell: &CellSpec) -> (Vec<u8>, usize) {
    let CellSpec::Items(items) = cell else {
        return (Vec::new(), 0);
    };
    let mut good = Vec::new();
    let mut bad = 0;
    for item in items {
        match item {
            Item::Good { value, .. } if !good.contains(value) => good.push(*value),
            Item::Good { .. } => {}
            Item::Bad => bad += 1,
        }
    }
    (good, bad)
}

#[expect(
    clippy::too_many_lines,
    reason = "one rule after the other, in the order of SPEC 4"
)]
#[expect(clippy::match_same_arms, reason = "each mode is told by itself")]
fn expect(
    people: &mut Vec<Person>,
    row: &Row,
    mode: Mode,
    write: WriteMode,
    blank: BlankRule,
) -> Expected {
    let mut issues = Vec::new();
    let mut read = |cell: &CellSpec, field: &str, code: &str| {
        let (good, bad) = values(cell);
        issues.extend((0..bad).map(|_| (field.to_owned(), code.to_owned())));
        good
    };
    let mut external_id = read(&row.external_id, "external_id", "value.precision_lost")
        .first()
        .copied();
    let mut phones = read(&row.phone, "phone", "phone.invalid");
    let mut emails = read(&row.email, "email", "email.invalid");
    let city = read(&row.city, "city", "text.control_character")
        .first()
        .copied();

    // Who is it? External ID, then phones, then emails; the first that finds somebody.
    let by_external_id =
        external_id.and_then(|id| people.iter().position(|p| p.external_id == Some(id)));
    let by_phone = phones
        .iter()
        .find_map(|phone| people.iter().position(|p| p.phones.contains(phone)));
    let by_email = emails
        .iter()
        .find_map(|email| people.iter().position(|p| p.emails.contains(email)));
    let found = by_external_id
        .map(|at| (at, IdentifierKind::ExternalId))
        .or(by_phone.map(|at| (at, IdentifierKind::Phone)))
        .or(by_email.map(|at| (at, IdentifierKind::Email)));

    // What would only be written if the field is empty, and it is not, is nobody's matter.
    let fills = write == WriteMode::OnlyIfEmpty;
    if let Some((at, _)) = found.filter(|_| fills) {
        external_id = external_id.filter(|_| people[at].external_id.is_none());
        phones.retain(|_| people[at].phones.is_empty());
        emails.retain(|_| people[at].emails.is_empty());
    }

    // What belongs to somebody else cannot be applied.
    if let Some((at, _)) = found {
        let mut taken = |field: &str, elsewhere: bool| {
            if elsewhere {
                issues.push((field.to_owned(), "identifier.taken".to_owned()));
            }
            elsewhere
        };
        let others = |has: &dyn Fn(&Person) -> bool| {
            people.iter().enumerate().any(|(i, p)| i != at && has(p))
        };
        if external_id
            .is_some_and(|id| taken("external_id", others(&|p| p.external_id == Some(id))))
        {
            external_id = None;
        }
        phones.retain(|phone| !taken("phone", others(&|p| p.phones.contains(phone))));
        emails.retain(|email| !taken("email", others(&|p| p.emails.contains(email))));
    }

    // Whoever was found was found by an identifier.
    let identified =
        found.is_some() || external_id.is_some() || !phones.is_empty() || !emails.is_empty();
    let refused = match mode {
        Mode::Manual if !issues.is_empty() => true,
        Mode::Manual if !identified && city.is_none() => {
            issues.push((String::new(), "record.empty".to_owned()));
            true
        }
        Mode::Manual => false,
        Mode::Automatic if found.is_none() && !identified => {
            issues.push((String::new(), "record.no_identifier".to_owned()));
            true
        }
        Mode::Automatic => false,
    };
    issues.sort();
    if refused {
        return Expected {
            result: ImportResult::Failure,
            action: None,
            matched_on: None,
            contact: None,
            issues,
            changed: false,
        };
    }

    let at = found.map_or_else(
        || {
            let id = people.len() as u64 + 1;
            people.push(Person {
                id,
                external_id: None,
                phones: vec![],
                emails: vec![],
                city: None,
            });
            people.len() - 1
        },
        |(at, _)| at,
    );
    let before = people[at].clone();
    let person = &mut people[at];
    let clears = |cell: &CellSpec| {
        !fills
            && (*cell == CellSpec::Clear || (*cell == CellSpec::Blank && blank == BlankRule::Clear))
    };
    let list = |old: &mut Vec<u8>, new: Vec<u8>, cell: &CellSpec| {
        if clears(cell) {
            old.clear();
        } else if !new.is_empty() && write == WriteMode::Replace {
            *old = new;
        } else {
            for value in new {
                if !old.contains(&value) {
                    old.push(value);
                }
            }
        }
    };
    list(&mut person.phones, phones, &row.phone);
    list(&mut person.emails, emails, &row.email);
    let one = |old: &mut Option<u8>, new: Option<u8>, cell: &CellSpec| match new {
        Some(_) if fills && old.is_some() => {}
        Some(new) => *old = Some(new),
        None if clears(cell) => *old = None,
        None => {}
    };
    one(&mut person.external_id, external_id, &row.external_id);
    one(&mut person.city, city, &row.city);
    Expected {
        result: if issues.is_empty() {
            ImportResult::Success
        } else {
            ImportResult::Warning
        },
        action: Some(if found.is_some() {
            Action::Updated
        } else {
            Action::Created
        }),
        matched_on: found.map(|(_, kind)| kind),
        contact: Some(person.id),
        issues,
        changed: found.is_some() && *person != before,
    }
}

// The engine, asked the same ------------------------------------------------------------------------------------------

struct World {
    normaliser: Normaliser,
    binding: Binding,
    policy: Policy,
}

impl World {
    fn new(rules: Rules) -> World {
        let Rules { mode, write, blank } = rules;
        let header = Header {
            names: ["id", "phone", "email", "city"].map(str::to_owned).to_vec(),
        };
        let fields = ["external_id", "phone", "email", "city"];
        let columns = header
            .names
            .iter()
            .zip(fields)
            .map(|(column, field)| ColumnMapping {
                column: column.clone(),
                field: Some(field.to_owned()),
                write,
                blank,
                ..ColumnMapping::default()
            });
        let mapping = Mapping {
            columns: columns.collect(),
        };
        let locale = Locale {
            region: Some("DE".to_owned()),
            ..Locale::default()
        };
        let schema = Arc::new(Schema::built_in());
        World {
            normaliser: Normaliser::new(),
            binding: mapping
                .bind(&header, &schema, &locale)
                .expect("every field exists"),
            policy: Policy::standard(mode, "default"),
        }
    }

    fn candidates(&self, rows: &[Row]) -> Vec<Candidate> {
        rows.iter()
            .map(|row| self.normaliser.normalise(&record(row), &self.binding))
            .collect()
    }

    /// Plans in batches, each against a `Known` that holds only what a store would have looked up for it.
    fn commit_in_batches(&self, rows: &[Row], sizes: &[usize]) -> (Vec<Step>, Vec<Contact>) {
        let mut stored: Vec<Contact> = Vec::new();
        let mut steps = Vec::new();
        let mut rest = rows;
        let mut sizes = sizes.iter().copied().cycle();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(sizes.next().unwrap_or(1).clamp(1, rest.len()));
            rest = later;
            let candidates = self.candidates(batch);
            let mut known = Known::new();
            for contact in &stored {
                let owned: Vec<_> = contact.identifiers().collect();
                let asked = |candidate: &Candidate| {
                    candidate
                        .identifiers(&self.policy)
                        .any(|(identifier, _)| owned.contains(&identifier))
                };
                if candidates.iter().any(asked) {
                    known.add(contact.clone());
                }
            }
            let mut last = stored.len() as u64;
            let mut next = || {
                last += 1;
                ContactId(last)
            };
            let plan = plan(
                candidates,
                &mut known,
                &self.policy,
                self.binding.schema(),
                &mut next,
            );
            let writes = known.into_writes();
            for contact in writes.updated {
                let at = usize::try_from(contact.id.0).expect("small") - 1;
                stored[at] = contact;
            }
            stored.extend(writes.created);
            steps.extend(plan.steps);
        }
        (steps, stored)
    }

    /// The dry run: one `Known` carried forward, nothing written in between.
    fn preview(&self, rows: &[Row], size: usize) -> Vec<Step> {
        let mut known = Known::new();
        let mut last = 0;
        let mut next = || {
            last += 1;
            ContactId(last)
        };
        rows.chunks(size.max(1))
            .flat_map(|batch| {
                plan(
                    self.candidates(batch),
                    &mut known,
                    &self.policy,
                    self.binding.schema(),
                    &mut next,
                )
                .steps
            })
            .collect()
    }
}

fn seen(step: &Step) -> Expected {
    let outcome = step.outcome();
    let mut issues: Vec<(String, String)> = step
        .issues
        .iter()
        .map(|issue| {
            let field = issue.field.as_deref().unwrap_or_default();
            (field.to_owned(), issue.code.clone().into_owned())
        })
        .collect();
    issues.sort();
    Expected {
        result: outcome.result,
        action: outcome.action,
        matched_on: outcome.matched_on,
        contact: step.contact().map(|id| id.0),
        issues,
        changed: !step.changes.is_empty(),
    }
}

/// The engine's contact as the model sees a person: the pool's values read back from the canonical texts.
fn person(contact: &Contact) -> Person {
    let last_digit = |text: &str| {
        let local = text.split('@').next().unwrap_or_default();
        local.bytes().last().map_or(0, |digit| digit - b'0')
    };
    let list = |field| {
        contact.value(field).map_or_else(Vec::new, |v| {
            v.texts().iter().map(|text| last_digit(text)).collect()
        })
    };
    Person {
        id: contact.id.0,
        external_id: contact.external_id("default").map(last_digit),
        phones: list(FieldId::PHONE),
        emails: list(FieldId::EMAIL),
        city: list(FieldId::CITY).first().copied(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn planning_equals_the_naive_model(
        rows in proptest::collection::vec(row(), 1..60),
        sizes in proptest::collection::vec(1..25_usize, 1..6),
        rules in rules(),
    ) {
        let world = WORLDS.with(|worlds| worlds.get(rules));
        let Rules { mode, write, blank } = rules;
        let mut people = Vec::new();
        let expected: Vec<Expected> = rows.iter().map(|row| expect(&mut people, row, mode, write, blank)).collect();

        let (steps, stored) = world.commit_in_batches(&rows, &sizes);
        prop_assert_eq!(steps.iter().map(seen).collect::<Vec<_>>(), expected);
        prop_assert_eq!(stored.iter().map(person).collect::<Vec<_>>(), people);
        prop_assert_eq!(world.preview(&rows, sizes[0]), steps, "the dry run differs");
    }
}

/// What a mapping and a source say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rules {
    mode: Mode,
    write: WriteMode,
    blank: BlankRule,
}

fn rules() -> impl Strategy<Value = Rules> {
    let mode = prop_oneof![Just(Mode::Manual), Just(Mode::Automatic)];
    let write = prop_oneof![
        Just(WriteMode::Replace),
        Just(WriteMode::Add),
        Just(WriteMode::OnlyIfEmpty)
    ];
    let blank = prop_oneof![3 => Just(BlankRule::Ignore), 1 => Just(BlankRule::Clear)];
    (mode, write, blank).prop_map(|(mode, write, blank)| Rules { mode, write, blank })
}

/// Worlds are costly to make, because phone metadata is decoded for each.
#[derive(Default)]
struct Worlds(std::cell::RefCell<Vec<(Rules, std::rc::Rc<World>)>>);

impl Worlds {
    fn get(&self, rules: Rules) -> std::rc::Rc<World> {
        let mut worlds = self.0.borrow_mut();
        let known = worlds.iter().find(|(known, _)| *known == rules);
        if let Some((_, world)) = known {
            return std::rc::Rc::clone(world);
        }
        let world = std::rc::Rc::new(World::new(rules));
        worlds.push((rules, std::rc::Rc::clone(&world)));
        world
    }
}

thread_local! {
    static WORLDS: Worlds = Worlds::default();
}
