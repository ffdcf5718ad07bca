//! `rollbook import`, killed and run again until it is done.

use std::collections::HashMap;

use rollbook_bench::generate::{Recipe, Row, Variant};
use serde_json::Value;

use crate::kills::Kills;
use crate::model::{Mode, Model, Outcome, exported, logged, meaning};
use crate::process::{Place, recipe, wait_for};

/// Rows of a file: more than two batches.
const ROWS: u64 = 24_000;

#[test]
fn a_killed_import_goes_on_where_it_stopped() {
    let place = Place::new();
    let mut kills = Kills::share(25, 1);
    let mut checked = Checked::new();
    let mut cursors = Vec::new();
    for variant in [Variant::New, Variant::Updates, Variant::Same]
        .into_iter()
        .cycle()
    {
        let recipe = recipe(ROWS, variant);
        let file = place.file(&recipe);
        let path = file.to_str().expect("a temporary path is UTF-8");
        let (id, totals) = loop {
            let written = place.written();
            let newest = kills.is_after_a_batch().then(|| place.newest());
            let mut import = place.start(&["import", path, "--json"]);
            // A successor of a killed one first waits for its lease to end.
            wait_for("the import to write", || {
                (import.ended().is_some() || place.written() != written).then_some(())
            });
            let ended = match kills.delay() {
                Some(delay) => match &newest {
                    Some(newest) => {
                        wait_for("a batch to be committed", || {
                            (import.ended().is_some() || place.newest() != *newest).then_some(())
                        });
                        import.ends_within(kills.soon())
                    }
                    None => import.ends_within(delay),
                },
                None => Some(wait_for("the import to end", || import.ended())),
            };
            if ended.is_none() {
                import.kill();
                kills.count();
            }
            let said = import.said();
            if let Some(records) = resumed_after(&said) {
                cursors.push(records);
                kills.adapt(records);
            }
            // It may have been killed between its last commit and its end; run again, it would be another import.
            if ended.is_none()
                && let Some(done) = checked.newly_done(&place)
            {
                cursors.push(ROWS);
                kills.shorten();
                break done;
            }
            if let Some(status) = ended {
                // Some of the rows are meant to fail.
                assert_eq!(status.code(), Some(3), "{status}: {said}");
                let printed = import.printed();
                let summary: Value = serde_json::from_str(&printed).expect("the summary is JSON");
                let id = summary["import_id"].as_str().expect("it has an id");
                break (id.to_owned(), summary);
            }
        };
        checked.expect(&id, &recipe, &totals);
        if kills.delay().is_none() {
            break;
        }
    }
    println!("killed after {cursors:?} of {ROWS} records");
    assert!(
        cursors.iter().any(|records| (1..ROWS).contains(records)),
        "no import was killed in its middle"
    );
    checked.check(&place);
}

/// How many records were committed when an import was resumed.
fn resumed_after(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.starts_with("resuming"))?;
    let (_, rest) = line.split_once("after ")?;
    rest.split(' ').next()?.parse().ok()
}

/// Imports that have ended, and what must be true of them.
pub(crate) struct Checked {
    model: Model,
    expected: HashMap<String, Vec<Outcome>>,
}

impl Checked {
    pub(crate) fn new() -> Checked {
        Checked {
            model: Model::new(Mode::Manual),
            expected: HashMap::new(),
        }
    }

    /// The id and the totals of the import that wrote last, if it is done and has not been taken in.
    fn newly_done(&self, place: &Place) -> Option<(String, Value)> {
        let newest = place.newest();
        let attempt = newest.lines().next()?;
        let attempt: Value = serde_json::from_str(attempt).expect("an attempt is JSON");
        let id = attempt["import_id"].as_str().expect("it is of an import");
        if self.expected.contains_key(id) {
            return None;
        }
        let import = place.run(&["imports", "show", id, "--json"]);
        let mut import: Value = serde_json::from_str(&import).expect("an import is JSON");
        (import["state"] == "done").then(|| (id.to_owned(), import["totals"].take()))
    }

    /// Takes in an import that has ended, and compares its totals.
    pub(crate) fn expect(&mut self, id: &str, recipe: &Recipe, totals: &Value) {
        let mut row = Row::default();
        let outcomes: Vec<Outcome> = (0..recipe.rows)
            .map(|number| {
                recipe.fill(number, &mut row);
                self.model.take(meaning(&row), row.bad.is_some())
            })
            .collect();
        let count = |action| {
            let outcomes = outcomes.iter();
            outcomes.filter(|outcome| outcome.action == action).count() as u64
        };
        for (key, expected) in [
            ("records", recipe.rows),
            ("created", count(Some("created"))),
            ("updated", count(Some("updated"))),
            ("failed", count(None)),
        ] {
            assert_eq!(totals[key], expected, "{key} of {totals}");
        }
        let before = self.expected.insert(id.to_owned(), outcomes);
        assert!(before.is_none(), "import {id} ended twice");
    }

    /// Compares log and contacts.
    pub(crate) fn check(&self, place: &Place) {
        let mut found: HashMap<String, Vec<Option<Outcome>>> = self
            .expected
            .iter()
            .map(|(id, outcomes)| (id.clone(), vec![None; outcomes.len()]))
            .collect();
        for attempt in place.log() {
            let id = attempt["import_id"].as_str().expect("it is of an import");
            let row = attempt["row"].as_u64().expect("it is of a row");
            let place = found
                .get_mut(id)
                .and_then(|rows| rows.get_mut(usize::try_from(row).ok()?.checked_sub(1)?));
            let place = place.unwrap_or_else(|| panic!("nobody imported {attempt}"));
            assert!(place.is_none(), "row {row} is in the log twice: {attempt}");
            *place = Some(logged(&attempt));
        }
        for (id, expected) in &self.expected {
            for (position, (found, expected)) in found[id].iter().zip(expected).enumerate() {
                assert_eq!(
                    found.as_ref(),
                    Some(expected),
                    "row {} of import {id}",
                    position + 1
                );
            }
        }
        let contacts = place.contacts();
        assert_eq!(contacts.len(), self.model.contacts().len());
        for (contact, expected) in contacts.iter().zip(self.model.contacts()) {
            assert_eq!(&exported(contact), expected, "{contact}");
        }
    }
}
