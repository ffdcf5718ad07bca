//! A file uploaded to `rollbook serve`, which is killed until the import is done.

use std::path::Path;

use reqwest::blocking::Client;
use reqwest::blocking::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use rollbook_bench::generate::Variant;
use serde_json::Value;

use crate::import::Checked;
use crate::kills::Kills;
use crate::process::{Place, Server, client, recipe, wait_for};

/// Rows of a file: more than two batches.
const ROWS: u64 = 20_000;

#[test]
fn an_upload_goes_on_by_itself_when_its_server_was_killed() {
    let place = Place::new();
    place.run(&["migrate"]);
    let api = Api::of(&place);
    let mut kills = Kills::share(20, 2);
    let mut checked = Checked::new();
    let mut cursors = Vec::new();
    let mut server = place.serve();
    for variant in [Variant::New, Variant::Updates, Variant::Same]
        .into_iter()
        .cycle()
    {
        let recipe = recipe(ROWS, variant);
        let id = api.upload(&server, &place.file(&recipe));
        let import = loop {
            let written = place.written();
            let over = wait_for("the server to work on the import", || {
                let import = api.import(&server, &id);
                match (is_over(&import), place.written() != written) {
                    (true, _) => Some(Some(import)),
                    (false, true) => Some(None),
                    (false, false) => None,
                }
            });
            if let Some(import) = over {
                break import;
            }
            let Some(delay) = kills.delay() else {
                break wait_for("the import to be done", || {
                    Some(api.import(&server, &id)).filter(is_over)
                });
            };
            if kills.is_after_a_batch() {
                let before = api.import(&server, &id)["totals"]["records"].clone();
                wait_for("a batch to be committed", || {
                    let import = api.import(&server, &id);
                    let moved = import["totals"]["records"] != before;
                    (moved || is_over(&import)).then_some(())
                });
                std::thread::sleep(kills.soon());
            } else {
                std::thread::sleep(delay);
            }
            server.kill();
            kills.count();
            server = place.serve();
            let records = &api.import(&server, &id)["totals"]["records"];
            let records = records.as_u64().expect("an import counts its records");
            cursors.push(records);
            kills.adapt(records);
        };
        assert_eq!(import["state"], "done", "{import}");
        checked.expect(&id, &recipe, &import["totals"]);
        if kills.delay().is_none() {
            break;
        }
    }
    server.kill();
    println!("killed after {cursors:?} of {ROWS} records");
    assert!(
        cursors.iter().any(|records| (1..ROWS).contains(records)),
        "no import was killed in its middle"
    );
    checked.check(&place);
}

/// A caller who may upload.
pub(crate) struct Api {
    client: Client,
    key: String,
}

impl Api {
    /// A caller with a key of the source `manual`.
    pub(crate) fn of(place: &Place) -> Api {
        let key = place.run(&["key", "create", "--source", "manual"]);
        Api {
            client: client().build().expect("a client can be made"),
            key: key.trim().to_owned(),
        }
    }

    /// Uploads a file; the columns are guessed and the import begins at once. Returns its id.
    pub(crate) fn upload(&self, server: &Server, file: &Path) -> String {
        self.take_in(server, file, "true")
    }

    /// Uploads a file; the import begins at once if `run` says so. Returns its id.
    pub(crate) fn take_in(&self, server: &Server, file: &Path, run: &'static str) -> String {
        let part = Part::file(file).expect("the file is there");
        let answer = self
            .client
            .post(format!("http://{}/api/v1/imports", server.address))
            .bearer_auth(&self.key)
            .multipart(Form::new().part("file", part).text("run", run))
            .send()
            .expect("the server answers");
        let status = answer.status();
        let import: Value = answer.json().expect("the answer is JSON");
        assert_eq!(status, StatusCode::ACCEPTED, "{import}");
        let id = import["id"].as_str().expect("an import has an id");
        id.to_owned()
    }

    /// Sends JSON to an address of an import and returns what is answered.
    pub(crate) fn send(&self, server: &Server, method: Method, path: &str, json: &Value) -> Value {
        let answer = self
            .client
            .request(
                method,
                format!("http://{}/api/v1/imports/{path}", server.address),
            )
            .bearer_auth(&self.key)
            .json(json)
            .send()
            .expect("the server answers");
        let status = answer.status();
        let answer = answer.json().expect("the answer is JSON");
        assert!(status.is_success(), "{status}: {answer}");
        answer
    }

    pub(crate) fn import(&self, server: &Server, id: &str) -> Value {
        let answer = self
            .client
            .get(format!("http://{}/api/v1/imports/{id}", server.address))
            .bearer_auth(&self.key)
            .send()
            .expect("the server answers");
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().expect("the answer is JSON")
    }
}

/// Whether nothing more will happen to an import.
pub(crate) fn is_over(import: &Value) -> bool {
    matches!(
        import["state"].as_str(),
        Some("done" | "failed" | "cancelled")
    )
}
