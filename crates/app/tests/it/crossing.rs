//! Nothing crosses: every route is tried with another workspace's ids and with each role.
//!
//! Routes are found in the OpenAPI document and in the sources of the pages, so that a new one is tried without being
//! listed here. What has to be listed is what it cannot know: an id for a new kind of thing ([`Hotel::id`]), and who may
//! do more than usual ([`KEY_OF_A_SOURCE_MAY`], [`VIEWER_MAY_SEND`], [`IMPORTER_MAY_SEND`]).

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use reqwest::blocking::multipart::{Form, Part};
use reqwest::blocking::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Answer, Caller, Server, Visitor, answer, with_form};

/// What a key of a source may call, by operation id, with its own source's things; anything else needs a key without a
/// source.
const KEY_OF_A_SOURCE_MAY: [&str; 29] = [
    "deliverRecord",
    "deliverBatch",
    "uploadFile",
    "listImports",
    "getImport",
    "getImportFile",
    "getTemplate",
    "startImport",
    "cancelImport",
    "followImport",
    "getFailedRows",
    "getReview",
    "listReviewedRows",
    "changeRow",
    "fixGroup",
    "undoEdits",
    "listDrift",
    "checkColumn",
    "previewUndo",
    "undoImport",
    "listMappingProfiles",
    "listAttempts",
    "summariseLog",
    "exportLog",
    "getAttempt",
    "replayAttempt",
    "countReplay",
    "replayAttempts",
    "listFields",
];

/// What is opened by a signature, and by no key.
const SIGNED: [&str; 2] = ["receiveWebhook", "askForWebhook"];

/// Forms that every person may send.
const VIEWER_MAY_SEND: [&str; 8] = [
    "/account/oidc/unlink",
    "/workspace",
    "/account/name",
    "/account/password",
    "/account/second-factor",
    "/account/second-factor/off",
    "/account/sessions/end",
    "/account/sessions/end-others",
];

/// Forms below `/settings` that take no administrator.
const IMPORTER_MAY_SEND: [&str; 2] = ["/settings/logs/replay", "/settings/logs/{attempt}/replay"];

/// Pages for everybody, signed in or not.
const FOR_EVERYBODY: [&str; 5] = ["/sign-in", "/sign-out", "/join/", "/reset", "/assets/"];

/// What only those may read who may see everything: a phone, an email, and a part of a payload.
const PHONE: &str = "12345678";
const EMAIL: &str = "geheim@hotel.example";
const PAYLOAD: &str = "only-in-the-payload";

/// What nobody of another workspace may read.
const NAME: &str = "Zita Weber";

/// One workspace with one of everything, and another one with nothing.
struct World {
    server: Server,
    hotel: Hotel,
    /// May do everything in the other workspace.
    clinic_admin: Caller,
    /// A source's in the other workspace.
    clinic_desk: Caller,
    /// Where mails go.
    _mails: tempfile::TempDir,
}

/// The ids of what there is.
struct Hotel {
    import: String,
    attempt: String,
    contact: String,
    key: String,
    mail: String,
    desk: Caller,
}

impl World {
    fn new() -> World {
        let mails = tempfile::tempdir().unwrap();
        let mail = format!("folder:{}", mails.path().display());
        let server =
            Server::start_with(&["--mail", &mail, "--public-url", "http://rollbook.example"]);
        server.rollbook(&["workspace", "set", "--name", "Hotel", "--region", "DE"]);
        let told = json!({"recipients": ["told@hotel.example"]});
        let told = server
            .admin()
            .request("PUT", "/api/v1/notifications")
            .json(&told);
        assert_eq!(answer(told).status, 200);
        let profile = json!({"name": "hotel-profile", "mapping": {"name": "name"}});
        let saved = server.admin().post("/api/v1/mapping-profiles", &profile);
        assert_eq!(saved.status, 201, "{saved:?}");
        let mut desk = server.source("hotel-desk");
        // Numbers count up in each workspace: these are higher than any that the other one has.
        for _ in 0..5 {
            desk = server.caller(Some(&server.rollbook(&[
                "key",
                "create",
                "--source",
                "hotel-desk",
            ])));
        }
        let record = |number: u32| {
            json!({
                "id": format!("HG-{number}"), "name": NAME, "phone": format!("030 {PHONE}"),
                "email": format!("zita.{EMAIL}"), "x17": PAYLOAD,
            })
        };
        let attempt = desk.deliver("hotel-desk", &record(1)).json();
        let rows = format!(
            "name,phone,email,x17\n{NAME},030 {PHONE},zita.{EMAIL},{PAYLOAD}\nBad,12,,{PAYLOAD}\n"
        );
        let file = Part::text(rows).file_name("guests.csv");
        let upload = server.admin().request("POST", "/api/v1/imports");
        let import = answer(upload.multipart(Form::new().part("file", file)));
        assert_eq!(import.status, 202, "{import:?}");
        let admin = server.admin();
        let import = import.json()["id"].as_str().unwrap().to_owned();
        crate::support::eventually("the import", || {
            let shown = admin.get(&format!("/api/v1/imports/{import}")).json();
            (shown["state"] == "done").then_some(())
        });
        let mail = crate::support::eventually("the report", || {
            let mails = admin.get("/api/v1/outbox").json();
            mails["mails"][0]["id"].as_str().map(str::to_owned)
        });
        let gone = desk.deliver("hotel-desk", &json!({"email": "gone@hotel.example"}));
        let gone = gone.json()["contact_id"].to_string();
        server.rollbook(&["contacts", "erase", gone.trim_matches('"'), "--yes"]);
        let webhook = admin.request("PUT", "/api/v1/sources/hotel-desk/webhook");
        let webhook = answer(webhook.json(&json!({"scheme": "standard-webhooks"})));
        assert_eq!(webhook.status, 200, "{webhook:?}");
        let keys = admin.get("/api/v1/keys").json();
        let hotel = Hotel {
            mail,
            import,
            attempt: attempt["id"].as_str().unwrap().to_owned(),
            contact: attempt["contact_id"]
                .to_string()
                .trim_matches('"')
                .to_owned(),
            key: keys["keys"][0]["id"].as_str().unwrap().to_owned(),
            desk,
        };
        server.rollbook(&["workspace", "add", "Clinic"]);
        let key = |extra: &[&str]| {
            let create = ["key", "create", "--workspace", "Clinic"];
            let all: Vec<&str> = create.iter().chain(extra).copied().collect();
            server.caller(Some(&server.rollbook(&all)))
        };
        server.rollbook(&["source", "add", "clinic-desk", "--workspace", "Clinic"]);
        World {
            clinic_admin: key(&["--all"]),
            clinic_desk: key(&["--source", "clinic-desk"]),
            server,
            hotel,
            _mails: mails,
        }
    }

    /// What must not change while others try.
    fn state(&self) -> String {
        let admin = self.server.admin();
        let of = |path: &str| admin.get(path).text;
        let import = format!("/api/v1/imports/{}", self.hotel.import);
        let mut keys = admin.get("/api/v1/keys").json();
        for key in keys["keys"].as_array_mut().unwrap() {
            key["last_used_at"] = Value::Null;
        }
        let mut webhook = admin.get("/api/v1/sources/hotel-desk/webhook").json();
        for last in ["last_refused_at", "last_refused_for"] {
            webhook[last] = Value::Null;
        }
        [
            of("/api/v1/logs"),
            of("/api/v1/contacts"),
            of(&import),
            of("/api/v1/sources"),
            webhook.to_string(),
            of("/api/v1/fields"),
            of("/api/v1/mapping-profiles"),
            of("/api/v1/notifications"),
            of("/api/v1/erasures"),
            of("/api/v1/retention"),
            keys.to_string(),
        ]
        .join("\n")
    }
}

impl Hotel {
    /// The id of something: `kind` is the part of the address before it, or the name of a parameter.
    fn id(&self, kind: &str) -> Option<&str> {
        match kind {
            "imports" | "import" => Some(&self.import),
            "logs" | "attempt" => Some(&self.attempt),
            "contacts" | "contact" => Some(&self.contact),
            "sources" | "source" => Some("hotel-desk"),
            "keys" => Some(&self.key),
            "outbox" => Some(&self.mail),
            "mapping-profiles" => Some("hotel-profile"),
            // Of a file.
            "erasures" | "rows" => Some("1"),
            "columns" => Some("0"),
            _ => None,
        }
    }

    /// The address with ids in place of its parameters; none if it has no parameters.
    fn fill(&self, path: &str) -> Option<String> {
        let mut filled = String::new();
        let mut kind = "";
        for part in path.split('/').skip(1) {
            filled.push('/');
            if part.starts_with('{') {
                filled.push_str(self.id(kind).unwrap_or_else(|| {
                    panic!(
                        "`{path}` is a new route with an id: make one of it in `World::new` and name it in `Hotel::id` \
                         (tests/it/crossing.rs) under `{kind}`"
                    )
                }));
            } else {
                filled.push_str(part);
                kind = part;
            }
        }
        path.contains('{').then_some(filled)
    }
}

/// A route of the API.
struct Operation {
    id: String,
    method: String,
    path: String,
    queries: Vec<String>,
}

fn operations(server: &Server) -> Vec<Operation> {
    let document = server.nobody().get("/api/v1/openapi.json").json();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array();
            operations.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                queries: parameters
                    .into_iter()
                    .flatten()
                    .filter(|parameter| parameter["in"] == "query")
                    .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
                    .collect(),
            });
        }
    }
    assert!(operations.len() > 20, "the API has routes");
    operations
}

/// Method and address of every page, read from the sources.
fn pages() -> Vec<(String, String)> {
    fn read(file: &Path, found: &mut Vec<(String, String)>) {
        if file.is_dir() {
            for entry in std::fs::read_dir(file).unwrap() {
                read(&entry.unwrap().path(), found);
            }
            return;
        }
        let text = std::fs::read_to_string(file).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for rest in text.split(".route(").skip(1) {
            let mut depth = 1;
            let end = rest.find(|character| {
                depth += i32::from(character == '(') - i32::from(character == ')');
                depth == 0
            });
            let route = &rest[..end.unwrap()];
            let path = route.split('"').nth(1);
            let path = path.unwrap_or_else(|| panic!("no address in `.route({route})`"));
            for (method, call) in [("GET", "get("), ("POST", "post("), ("DELETE", "delete(")] {
                let called = route.match_indices(call).any(|(at, _)| {
                    let before = route[..at].chars().next_back();
                    !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
                });
                if called {
                    found.push((method.to_owned(), path.to_owned()));
                }
            }
        }
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut found = Vec::new();
    read(&sources.join("pages.rs"), &mut found);
    read(&sources.join("pages"), &mut found);
    found.sort();
    assert!(found.len() > 20, "the pages have routes: {found:?}");
    found
}

/// What is answered, to the end; of streams that have none, the first piece that comes within some seconds.
fn ask(request: RequestBuilder) -> Answer {
    let (http, request) = request.build_split();
    let mut request = request.expect("a request");
    let path = request.url().path();
    let long = if path.ends_with("/live") || path.ends_with("/events") {
        4
    } else {
        20
    };
    *request.timeout_mut() = Some(Duration::from_secs(long));
    let mut response = http.execute(request).expect("an answer");
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let endless = headers
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let mut body = Vec::new();
    if endless {
        let mut some = [0; 4096];
        if let Ok(read) = response.read(&mut some) {
            body.extend_from_slice(&some[..read]);
        }
    } else {
        response.read_to_end(&mut body).expect("a whole answer");
    }
    Answer {
        status,
        headers,
        text: String::from_utf8_lossy(&body).into_owned(),
    }
}

/// Sends a request with one body after the other until it is not the body that is refused.
fn send(method: &str, request: impl Fn() -> RequestBuilder) -> Answer {
    let mut last = None;
    let bodies: [fn(RequestBuilder) -> RequestBuilder; 5] = [
        |request| with_form(request, &[("x", "")]),
        |request| request.json(&json!({})),
        |request| request.json(&json!({"name": "x"})),
        |request| request.json(&json!([])),
        |request| {
            let file = Part::text("name,email\nEve,eve@clinic.example\n").file_name("f.csv");
            request.multipart(Form::new().part("file", file))
        },
    ];
    if matches!(method, "GET" | "DELETE" | "OPTIONS") {
        return ask(request());
    }
    for body in bodies {
        let answer = ask(body(request()));
        if !matches!(answer.status, 400 | 413 | 415 | 422) {
            return answer;
        }
        last = Some(answer);
    }
    last.unwrap()
}

fn is_refused(answer: &Answer) -> bool {
    matches!(answer.status, 401 | 403 | 404)
}

/// Checks that an answer tells nothing of the hotel.
#[track_caller]
fn tells_nothing(answer: &Answer, at: &str) {
    for secret in [NAME, PHONE, EMAIL, PAYLOAD, "HG-1"] {
        let text = answer.text.replace(' ', "");
        let secret = secret.replace(' ', "");
        assert!(!text.contains(&secret), "{at} tells `{secret}`: {answer:?}");
    }
}

#[test]
fn no_route_of_the_api_crosses_workspaces() {
    let world = World::new();
    let before = world.state();
    for operation in operations(&world.server) {
        let Operation { method, path, .. } = &operation;
        for caller in [&world.clinic_admin, &world.clinic_desk] {
            let at = format!("{method} {path}");
            let Some(filled) = world.hotel.fill(path) else {
                // Nothing of another workspace is named: it may be done, but has nothing to tell.
                if method == "GET" {
                    tells_nothing(&ask(caller.request(method, &format!("/api/v1{path}"))), &at);
                }
                for query in &operation.queries {
                    if let Some(id) = world.hotel.id(query) {
                        let url = format!("/api/v1{path}?{query}={id}");
                        tells_nothing(&ask(caller.request(method, &url)), &at);
                    }
                }
                continue;
            };
            let answer = send(method, || {
                caller.request(method, &format!("/api/v1{filled}"))
            });
            // Anybody may ask whether a webhook may be sent.
            let asks = operation.id == "askForWebhook" && answer.status == 200;
            assert!(
                asks || is_refused(&answer),
                "{at} answers another workspace, or looks at the body first: {answer:?}"
            );
            tells_nothing(&answer, &at);
        }
    }
    assert_eq!(world.state(), before);
}

#[test]
fn every_route_of_the_api_asks_for_a_key_that_may() {
    let world = World::new();
    let before = world.state();
    let stranger = world
        .server
        .caller(Some("rb_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    for operation in operations(&world.server) {
        let Operation {
            id, method, path, ..
        } = &operation;
        let filled = world.hotel.fill(path).unwrap_or_else(|| path.clone());
        let url = format!("/api/v1{filled}");
        if SIGNED.contains(&id.as_str()) {
            if method == "POST" {
                for caller in [&world.server.nobody(), &stranger, &world.hotel.desk] {
                    let answer = send(method, || caller.request(method, &url));
                    answer.is_problem(401, "signature-refused");
                }
            }
            continue;
        }
        for (caller, kind) in [
            (world.server.nobody(), "key-missing"),
            (stranger.clone(), "key-refused"),
        ] {
            send(method, || caller.request(method, &url)).is_problem(401, kind);
        }
        if !KEY_OF_A_SOURCE_MAY.contains(&id.as_str()) {
            let answer = send(method, || world.hotel.desk.request(method, &url));
            assert_eq!(
                answer.status, 403,
                "a key of a source may call `{id}`; refuse it, or name it in `KEY_OF_A_SOURCE_MAY` if that is meant: \
                 {answer:?}"
            );
        }
    }
    assert_eq!(world.state(), before);
}

#[test]
fn no_page_crosses_workspaces() {
    let world = World::new();
    let before = world.state();
    let admin = world
        .server
        .person("Clinic", "admin@clinic.example", "admin");
    for (method, path) in pages() {
        if FOR_EVERYBODY.iter().any(|open| path.starts_with(open)) {
            continue;
        }
        let at = format!("{method} {path}");
        match world.hotel.fill(&path) {
            Some(filled) => {
                let answer = send(&method, || admin.request(&method, &filled));
                assert!(
                    is_refused(&answer),
                    "{at} answers another workspace: {answer:?}"
                );
                tells_nothing(&answer, &at);
            }
            None if method == "GET" => {
                tells_nothing(&ask(admin.request(&method, &path)), &at);
                for query in ["import", "contact", "source"] {
                    let id = world.hotel.id(query).unwrap();
                    let url = format!("{path}?range=24h&format=csv&{query}={id}");
                    tells_nothing(&ask(admin.request(&method, &url)), &at);
                }
            }
            None => {}
        }
    }
    let to_hotel = admin.post("/workspace", &[("workspace", "1")]);
    assert_eq!(to_hotel.status, 404, "{to_hotel:?}");
    tells_nothing(&admin.get("/contacts"), "the clinic's contacts");
    assert_eq!(world.state(), before);
}

#[test]
fn every_page_asks_who_is_there_and_what_they_may() {
    let world = World::new();
    let before = world.state();
    let no_redirect = reqwest::redirect::Policy::none();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let nobody = Client::builder().redirect(no_redirect).build().unwrap();
    let viewer = world
        .server
        .person("Hotel", "viewer@hotel.example", "viewer");
    let importer = world
        .server
        .person("Hotel", "importer@hotel.example", "importer");
    for (method, path) in pages() {
        if FOR_EVERYBODY.iter().any(|open| path.starts_with(open)) {
            continue;
        }
        let at = format!("{method} {path}");
        let filled = world.hotel.fill(&path).unwrap_or_else(|| path.clone());
        let of = |visitor: &Visitor| send(&method, || visitor.request(&method, &filled));

        let url = format!("{}{filled}", world.server.url());
        let answer = send(&method, || nobody.request(method.parse().unwrap(), &url));
        let to = answer.header("location").unwrap_or_default();
        let moves_on = method == "GET" && matches!(path.as_str(), "/" | "/settings");
        assert!(
            is_refused(&answer) || to.starts_with("/sign-in") || moves_on,
            "{at} answers nobody in particular: {answer:?}"
        );
        tells_nothing(&answer, &at);

        if method == "GET" {
            let answer = of(&viewer);
            assert!(answer.status < 500, "{at}: {answer:?}");
            let text = answer.text.replace(' ', "");
            for secret in [PHONE, EMAIL, PAYLOAD] {
                assert!(
                    !text.contains(secret),
                    "{at} shows a viewer `{secret}`: {answer:?}"
                );
            }
            continue;
        }
        if !VIEWER_MAY_SEND.contains(&path.as_str()) {
            let answer = of(&viewer);
            assert_eq!(
                answer.status, 403,
                "a viewer may send {at}, or its body is looked at first; refuse it, or name it in `VIEWER_MAY_SEND` if \
                 that is meant: {answer:?}"
            );
        }
        if path.starts_with("/settings") && !IMPORTER_MAY_SEND.contains(&path.as_str()) {
            let answer = of(&importer);
            assert_eq!(
                answer.status, 403,
                "an importer may send {at}; refuse it, or name it in `IMPORTER_MAY_SEND` if that is meant: {answer:?}"
            );
        }
    }
    assert_eq!(world.state(), before);
}

#[test]
fn a_person_of_two_workspaces_goes_from_one_to_the_other() {
    let world = World::new();
    let person = world.server.person("Hotel", "both@hotel.example", "viewer");
    let add = [
        "user",
        "add",
        "both@hotel.example",
        "--role",
        "admin",
        "--workspace",
        "Clinic",
    ];
    assert_eq!(world.server.rollbook(&add), "", "no second password");
    assert!(person.get("/contacts").text.contains(NAME));
    assert_eq!(person.get("/settings/sources/new").status, 403);
    let page = person.get("/contacts").text;
    assert!(page.contains("action=\"/workspace\"") && page.contains("Clinic"));

    let switched = person.post("/workspace", &[("workspace", "2")]);
    assert_eq!(switched.status, 303, "{switched:?}");
    tells_nothing(&person.get("/contacts"), "the clinic's contacts");
    assert_eq!(person.get("/settings/sources/new").status, 200);
    assert_eq!(
        person
            .get(&format!("/contacts/{}", world.hotel.contact))
            .status,
        404
    );
}

#[test]
fn every_answer_tells_browsers_what_they_may() {
    let world = World::new();
    let viewer = world
        .server
        .person("Hotel", "viewer@hotel.example", "viewer");
    let guarded = |answer: &Answer, at: &str| {
        let policy = answer.header("content-security-policy").unwrap_or_default();
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{at}: {answer:?}");
        }
        assert!(!policy.contains("unsafe"), "{at}: {policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{at}: {answer:?}");
        }
        assert!(answer.header("permissions-policy").is_some(), "{at}");
        let kept = answer
            .header("cache-control")
            .unwrap_or("by browsers alone");
        assert!(
            answer.status != 200 || kept.contains("no-store") || !answer.text.contains(NAME),
            "{at} may be kept on the way: {answer:?}"
        );
    };
    for operation in operations(&world.server) {
        let Operation { method, path, .. } = &operation;
        let url = format!("/api/v1{path}");
        let answer = send(method, || world.server.nobody().request(method, &url));
        guarded(&answer, &format!("{method} {url}"));
    }
    for (method, path) in pages() {
        let filled = if FOR_EVERYBODY.iter().any(|open| path.starts_with(open)) {
            path.replace(['{', '}'], "")
        } else {
            world.hotel.fill(&path).unwrap_or_else(|| path.clone())
        };
        // Not every page reads what it is sent to its end, and then the connection ends with the answer.
        let answer = send(&method, || {
            let request = viewer.request(&method, &filled);
            request.header("connection", "close")
        });
        guarded(&answer, &format!("{method} {path}"));
    }
    for path in [
        "/healthz",
        "/readyz",
        "/api",
        "/nowhere",
        "/api/v1/openapi.json",
    ] {
        guarded(&viewer.get(path), path);
    }
}
