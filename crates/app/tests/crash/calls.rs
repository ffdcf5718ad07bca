//! Single records posted over several connections to `rollbook serve`, which is killed all the while.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use reqwest::blocking::Client;
use rollbook_bench::generate::{Column, DateStyle, Recipe, Row, Variant};
use serde_json::{Map, Value};

use crate::kills::{Kills, seed};
use crate::model::{Mode, Model, Values, exported, logged, meaning};
use crate::process::{PATIENCE, Place, client};

/// Senders at work at the same time. Each has its own people, so that the order of its records is the order that
/// matters.
const SENDERS: u64 = 4;

/// Records that each sends when the killing is over.
const AT_LAST: usize = 25;

const SOURCE: &str = "desk";

#[test]
fn what_was_answered_is_in_the_log_once_however_often_the_server_is_killed() {
    let place = Place::new();
    place.run(&["source", "add", SOURCE]);
    let key = place.run(&["key", "create", "--source", SOURCE]);
    let mut kills = Kills::share(55, 3);
    let now = Now::default();
    let sent: Vec<Vec<Sent>> = std::thread::scope(|scope| {
        let (now, key) = (&now, key.trim());
        let senders: Vec<_> = (0..SENDERS)
            .map(|number| scope.spawn(move || Sender::new(now, key, number).run()))
            .collect();
        let mut server = place.serve();
        now.set(Stage::Listening(server.address));
        while let Some(delay) = kills.delay() {
            std::thread::sleep(delay);
            server.kill();
            now.clear();
            kills.count();
            kills.shorten();
            server = place.serve();
            now.set(Stage::Listening(server.address));
        }
        now.set(Stage::Last(server.address));
        let sent = senders
            .into_iter()
            .map(|sender| sender.join().expect("a sender found everything in order"))
            .collect();
        server.kill();
        sent
    });
    check(&place, &sent);
}

/// What each record should have come to, and what the log and the contacts say.
fn check(place: &Place, sent: &[Vec<Sent>]) {
    let mut log: HashMap<String, Value> = HashMap::new();
    for attempt in place.log() {
        let mark = attempt["external_id"].as_str().expect("all have one");
        let before = log.insert(mark.to_owned(), attempt.clone());
        assert_eq!(before, None, "a record is in the log twice: {attempt}");
    }
    let mut model = Model::new(Mode::Automatic);
    let (mut answered, mut unanswered, mut lost) = (0, 0, 0);
    for one in sent.iter().flatten() {
        let attempt = log.remove(&one.mark);
        match (&one.answer, &attempt) {
            (Some(answer), Some(attempt)) => {
                answered += 1;
                for key in ["id", "result", "action", "matched_on", "contact_id", "row"] {
                    assert_eq!(answer[key], attempt[key], "{key} of {}", one.mark);
                }
            }
            (Some(answer), None) => panic!("it was answered, but is not in the log: {answer}"),
            // The server died before it could tell; with a key the record would have been sent again.
            (None, Some(_)) => unanswered += 1,
            (None, None) => lost += 1,
        }
        if let Some(attempt) = attempt {
            let expected = model.take(one.values.clone(), one.is_bad);
            assert_eq!(logged(&attempt), expected, "{attempt}");
        }
    }
    assert_eq!(log.len(), 0, "nobody sent {:?}", log.values().next());
    println!(
        "{answered} records answered; of those that died with the server {unanswered} were committed, {lost} were not"
    );
    assert!(answered > 100, "the senders hardly got a word in");

    let mut contacts: Vec<Values> = place.contacts().iter().map(exported).collect();
    let mut expected = model.contacts().to_vec();
    contacts.sort_unstable();
    expected.sort_unstable();
    assert_eq!(contacts.len(), expected.len());
    for (contact, expected) in contacts.iter().zip(&expected) {
        assert_eq!(contact, expected);
    }
}

/// A record that was sent.
struct Sent {
    /// Its own External ID, by which the log's row is found.
    mark: String,
    values: Values,
    is_bad: bool,
    /// The attempt in the answer; none if none came, and the record had no key to be sent again by.
    answer: Option<Value>,
}

struct Sender<'a> {
    now: &'a Now,
    key: &'a str,
    number: u64,
    client: Client,
}

impl<'a> Sender<'a> {
    fn new(now: &'a Now, key: &'a str, number: u64) -> Sender<'a> {
        let client = client()
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client can be made");
        Sender {
            now,
            key,
            number,
            client,
        }
    }

    /// Sends one record after the other until told to stop.
    fn run(self) -> Vec<Sent> {
        let recipe = Recipe {
            rows: u64::MAX,
            seed: seed(),
            variant: Variant::New,
            dates: DateStyle::Iso,
        };
        let mut sent = Vec::new();
        let mut row = Row::default();
        let mut left = AT_LAST;
        for number in 0.. {
            recipe.fill(number, &mut row);
            if row.person % SENDERS != self.number {
                continue;
            }
            if matches!(self.now.get(), Stage::Last(_)) {
                if left == 0 {
                    break;
                }
                left -= 1;
            }
            // An update finds its contact by phone or email then, and gives it this name.
            let mark = format!("call-{number}");
            let mut values = meaning(&row);
            values[Column::ExternalId as usize].clone_from(&mark);
            let body = body(&row, &mark);
            let is_keyed = number % 2 == 0;
            let answer = loop {
                match self.post(&body, is_keyed.then_some(mark.as_str())) {
                    Ok(answer) => break Some(answer),
                    Err(_) if is_keyed => {}
                    Err(_) => break None,
                }
            };
            sent.push(Sent {
                mark,
                values,
                is_bad: row.bad.is_some(),
                answer,
            });
        }
        sent
    }

    fn post(&self, body: &str, key: Option<&str>) -> reqwest::Result<Value> {
        let (Stage::Listening(address) | Stage::Last(address)) = self.now.get();
        let address = format!("http://{address}/api/v1/sources/{SOURCE}/contacts");
        let mut request = self
            .client
            .post(address)
            .bearer_auth(self.key)
            .header("Content-Type", "application/json")
            .body(body.to_owned());
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = request.send()?;
        let status = answer.status().as_u16();
        let attempt: Value = answer.json()?;
        assert!(matches!(status, 200 | 201 | 422), "{status}: {attempt}");
        Ok(attempt)
    }
}

fn body(row: &Row, mark: &str) -> String {
    let mut fields = Map::new();
    for column in Column::ALL {
        let text = match column {
            Column::ExternalId => mark,
            column => row.cell(column),
        };
        if !text.is_empty() {
            fields.insert(column.key().to_owned(), text.into());
        }
    }
    Value::Object(fields).to_string()
}

/// Where the server listens just now.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// It will be killed.
    Listening(SocketAddr),
    /// It stays.
    Last(SocketAddr),
}

/// The stage, for all senders.
#[derive(Default)]
struct Now {
    stage: Mutex<Option<Stage>>,
    begun: Condvar,
}

impl Now {
    fn set(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = Some(stage);
        self.begun.notify_all();
    }

    /// There is no server for now.
    fn clear(&self) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Waits until there is a server.
    fn get(&self) -> Stage {
        let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let (stage, _) = self
            .begun
            .wait_timeout_while(stage, PATIENCE, |stage| stage.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        stage.expect("the server starts again")
    }
}
