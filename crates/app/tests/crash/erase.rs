//! An erasure whose server is killed in the middle of it is finished by the next one.

use rollbook_bench::generate::Variant;
use serde_json::Value;

use crate::process::{Place, client, recipe, wait_for};
use crate::upload::{Api, is_over};

/// Rows of the file: enough that blanking one takes a while.
const ROWS: u64 = 20_000;

/// People that are erased at most until one erasure was killed in its middle.
const TRIES: usize = 5;

#[test]
fn a_killed_erasure_goes_on_by_itself_and_leaves_nothing() {
    let place = Place::new();
    place.run(&["migrate"]);
    let api = Api::of(&place);
    let admin = place.run(&["key", "create", "--all", "--name", "privacy"]);
    let mut server = place.serve();
    let file = place.file(&recipe(ROWS, Variant::New));
    let import = api.upload(&server, &file);
    wait_for("the end of the import", || {
        Some(api.import(&server, &import)).filter(is_over)
    });
    std::fs::remove_file(file).expect("a file can be removed");
    let people = place.contacts();
    let client = client().build().expect("a client can be made");
    let counts = |place: &Place| place.log().len();
    let before = counts(&place);

    let with_email = people
        .iter()
        .filter(|contact| contact["fields"]["email"][0].is_string());
    let mut killed = None;
    for contact in with_email.take(TRIES) {
        let id = contact["id"].as_str().expect("a contact has an id");
        let ask = |server: &crate::process::Server, method, path: &str| -> Value {
            let answer = client
                .request(method, format!("http://{}{path}", server.address))
                .bearer_auth(admin.trim())
                .send()
                .expect("the server answers");
            assert!(answer.status().is_success(), "{path}: {}", answer.status());
            answer.json().expect("the answer is JSON")
        };
        let erase = format!("/api/v1/contacts/{id}/erase");
        let begun = ask(&server, reqwest::Method::POST, &erase);
        let address = format!("/api/v1/erasures/{}", begun["number"]);
        wait_for("an attempt to be erased", || {
            let erasure = ask(&server, reqwest::Method::GET, &address);
            erasure["attempts"]
                .as_u64()
                .filter(|attempts| *attempts > 0)
        });
        server.kill();
        server = place.serve();
        let in_the_middle = ask(&server, reqwest::Method::GET, &address)["state"] == "running";
        let done = wait_for("the end of the erasure", || {
            let erasure = ask(&server, reqwest::Method::GET, &address);
            (erasure["state"] == "done").then_some(erasure)
        });
        println!("killed in the middle: {in_the_middle}; {done}");
        killed = Some((contact.clone(), done)).filter(|_| in_the_middle);
        if killed.is_some() {
            break;
        }
    }
    server.kill();
    let (contact, done) = killed.expect("an erasure is killed in its middle");
    assert_eq!(done["files_rewritten"], 1, "{done}");
    assert_eq!(counts(&place), before, "every attempt still counts");
    let told = format!("{:?}{:?}", place.log(), place.contacts()).to_lowercase();
    let email = contact["fields"]["email"][0]
        .as_str()
        .expect("it was looked for");
    assert!(!told.contains(&email.to_lowercase()), "{email} is told");
    for (path, bytes) in place.everything() {
        let found = bytes
            .windows(email.len())
            .any(|window| window.eq_ignore_ascii_case(email.as_bytes()));
        assert!(!found, "{email} is in {}", path.display());
    }
}
