//! A server of one's own, and callers that can do what their keys may.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::HeaderMap;
use serde_json::Value;

/// How long anything may take.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// A running `rollbook serve` on an empty database.
pub(crate) struct Server {
    child: Child,
    folder: tempfile::TempDir,
    url: String,
    admin: String,
    /// What it says of itself.
    said: Arc<Mutex<String>>,
}

/// Somebody who calls the API.
#[derive(Clone)]
pub(crate) struct Caller {
    url: String,
    key: Option<String>,
    http: Client,
}

/// Somebody with a browser.
#[derive(Clone)]
pub(crate) struct Visitor {
    url: String,
    http: Client,
}

impl Visitor {
    /// A request that is not sent yet.
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.http
            .request(method.parse().unwrap(), format!("{}{path}", self.url))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        answer(self.request("GET", path))
    }

    pub(crate) fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        answer(with_form(self.request("POST", path), form))
    }
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Server {
    /// Starts a server with the default settings.
    pub(crate) fn start() -> Server {
        Server::start_with(&[])
    }

    /// Starts a server with settings of its own.
    pub(crate) fn start_with(settings: &[&str]) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let admin = run(&folder, &["key", "create", "--all", "--name", "tests"]);
        Server::serve(folder, admin, settings)
    }

    /// Stops it, and starts it again on the same database with other settings.
    pub(crate) fn restart_with(mut self, settings: &[&str]) -> Server {
        self.stop();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        Server::serve(folder, self.admin.clone(), settings)
    }

    fn serve(folder: tempfile::TempDir, admin: String, settings: &[&str]) -> Server {
        let mut child = command(&folder)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(settings)
            .env("ROLLBOOK_ADMIN_PASSWORD", "a password for tests")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("rollbook starts");
        let (url, said) = address(&mut child);
        Server {
            child,
            folder,
            url,
            admin,
            said,
        }
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What it said of itself until now.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Every byte of its database.
    pub(crate) fn database(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for name in ["rollbook.db", "rollbook.db-wal"] {
            bytes.extend(std::fs::read(self.folder.path().join(name)).unwrap_or_default());
        }
        bytes
    }

    /// Runs another command with settings of its own; whether it was done, and what it said.
    pub(crate) fn try_rollbook(&self, arguments: &[&str]) -> (bool, String) {
        let output = command(&self.folder).args(arguments).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    /// A caller who may do everything.
    pub(crate) fn admin(&self) -> Caller {
        self.caller(Some(&self.admin))
    }

    /// The key that may do everything.
    pub(crate) fn admin_key(&self) -> &str {
        &self.admin
    }

    /// A caller without a key.
    pub(crate) fn nobody(&self) -> Caller {
        self.caller(None)
    }

    /// A caller with this key.
    pub(crate) fn caller(&self, key: Option<&str>) -> Caller {
        // reqwest can speak TLS here, because the product can, and wants to know with what; we only speak HTTP.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Caller {
            url: self.url.clone(),
            key: key.map(str::to_owned),
            http: Client::builder().timeout(LIMIT).build().unwrap(),
        }
    }

    /// Adds a source in mode automatic; the caller may deliver to it.
    pub(crate) fn source(&self, name: &str) -> Caller {
        self.source_with(&serde_json::json!({"name": name}))
    }

    /// Adds a source; the caller may deliver to it.
    pub(crate) fn source_with(&self, source: &Value) -> Caller {
        let admin = self.admin();
        let name = source["name"].as_str().unwrap().to_owned();
        let added = admin.post("/api/v1/sources", source);
        assert_eq!(added.status, 201, "{added:?}");
        let key = admin.post(
            "/api/v1/keys",
            &serde_json::json!({"name": "tests", "source": name}),
        );
        assert_eq!(key.status, 201, "{key:?}");
        self.caller(key.json()["secret"].as_str())
    }

    /// Runs another command on the same database.
    pub(crate) fn rollbook(&self, arguments: &[&str]) -> String {
        run(&self.folder, arguments)
    }

    /// Every file of the server, with its bytes.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        fn read(folder: &std::path::Path, files: &mut Vec<(String, Vec<u8>)>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    read(&path, files);
                } else {
                    files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
                }
            }
        }
        let mut files = Vec::new();
        read(self.folder.path(), &mut files);
        files
    }

    /// The address, without a path.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A browser of its own in which nobody is signed in.
    pub(crate) fn visitor(&self) -> Visitor {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder()
            .timeout(LIMIT)
            .cookie_store(true)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Visitor {
            url: self.url.clone(),
            http,
        }
    }

    /// Signs somebody in.
    pub(crate) fn sign_in(&self, email: &str, password: &str) -> Visitor {
        let visitor = self.visitor();
        let answer = visitor.post("/sign-in", &[("email", email), ("password", password)]);
        assert_eq!(answer.status, 303, "{answer:?}");
        visitor
    }

    /// Adds an administrator with this password.
    pub(crate) fn person_with(&self, email: &str, password: &str) {
        let add = ["user", "add", email, "--role", "admin"];
        let made = self.rollbook(&add);
        let person = self.sign_in(email, &made);
        let form = [("current", &*made), ("new", password)];
        let changed = person.post("/account/password", &form);
        assert_eq!(changed.status, 200, "{changed:?}");
    }

    /// Adds somebody to a workspace and signs them in.
    pub(crate) fn person(&self, workspace: &str, email: &str, role: &str) -> Visitor {
        let add = [
            "user",
            "add",
            email,
            "--role",
            role,
            "--workspace",
            workspace,
        ];
        let password = self.rollbook(&add);
        self.sign_in(email, &password)
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Caller {
    /// A request that is not sent yet.
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let request = self
            .http
            .request(method.parse().unwrap(), format!("{}{path}", self.url));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        answer(self.request("GET", path))
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        answer(self.request("DELETE", path))
    }

    pub(crate) fn post(&self, path: &str, json: &Value) -> Answer {
        answer(self.request("POST", path).json(json))
    }

    pub(crate) fn patch(&self, path: &str, json: &Value) -> Answer {
        answer(self.request("PATCH", path).json(json))
    }

    /// Delivers one record.
    pub(crate) fn deliver(&self, source: &str, json: &Value) -> Answer {
        self.post(&format!("/api/v1/sources/{source}/contacts"), json)
    }

    /// Delivers a body that may be anything.
    pub(crate) fn deliver_raw(&self, source: &str, body: impl Into<Vec<u8>>) -> Answer {
        let path = format!("/api/v1/sources/{source}/contacts");
        answer(
            self.request("POST", &path)
                .header("content-type", "application/json")
                .body(body.into()),
        )
    }

    /// Delivers a batch.
    pub(crate) fn batch(&self, source: &str, media_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        let path = format!("/api/v1/sources/{source}/contacts/batch");
        answer(
            self.request("POST", &path)
                .header("content-type", media_type.to_owned())
                .body(body.into()),
        )
    }
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The body as lines of JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Checks that it is a problem of this kind.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, kind: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:rollbook:problem:{kind}"));
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        assert!(problem["instance"].as_str().unwrap().starts_with("/api"));
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"));
        problem
    }
}

/// A request as a form sends it.
pub(crate) fn with_form(request: RequestBuilder, form: &[(&str, &str)]) -> RequestBuilder {
    let escaped = |text: &str| -> String {
        let escape = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        };
        text.bytes().map(escape).collect()
    };
    let pairs = form.iter();
    let pairs = pairs.map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(pairs.collect::<Vec<_>>().join("&"))
}

/// Sends a request and reads the whole answer.
pub(crate) fn answer(request: RequestBuilder) -> Answer {
    whole(request.send().expect("an answer"))
}

/// Reads the whole answer.
pub(crate) fn whole(response: Response) -> Answer {
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().expect("a whole answer"),
    }
}

/// Asks until the answer is there.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(begun.elapsed() < LIMIT, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many records each batch of imports had, from attempts of the log: those of a batch have one time.
pub(crate) fn sizes_of_batches<'a>(attempts: impl Iterator<Item = &'a Value>) -> Vec<usize> {
    let mut sizes: HashMap<&str, usize> = HashMap::new();
    for attempt in attempts {
        *sizes
            .entry(attempt["received_at"].as_str().unwrap())
            .or_default() += 1;
    }
    sizes.into_values().collect()
}

/// Asks until the answer is a refusal. What was asked a second or more from now must have it, however long the answer
/// takes.
#[track_caller]
pub(crate) fn refused_within_a_second(mut is_refused: impl FnMut() -> bool) {
    let begun = Instant::now();
    loop {
        let asked = begun.elapsed();
        if is_refused() {
            return;
        }
        assert!(asked < Duration::from_secs(1), "allowed after {asked:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A folder of the shared test data. Where there is none, CI fails and everybody else is told.
pub(crate) fn shared_data(folder: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("ROLLBOOK_TEST_DATA") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
    };
    let path = root.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CI").is_none_or(|value| value != "true"),
        "no test data at {}; set ROLLBOOK_TEST_DATA",
        path.display()
    );
    println!("left out: no test data at {}", path.display());
    None
}

fn command(folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollbook"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ROLLBOOK_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(folder.path())
        .env("ROLLBOOK_DATABASE", folder.path().join("rollbook.db"));
    command
}

fn run(folder: &tempfile::TempDir, arguments: &[&str]) -> String {
    let output = command(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Waits until the server says where it listens, and reads on so that it never waits for a reader.
fn address(child: &mut Child) -> (String, Arc<Mutex<String>>) {
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (found, url) = mpsc::channel();
    let said = Arc::<Mutex<String>>::default();
    let says = Arc::clone(&said);
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let mut says = says.lock().unwrap();
            says.push_str(&line);
            says.push('\n');
            drop(says);
            if let Some(url) = line.strip_prefix("listening on ") {
                let _ = found.send(url.to_owned());
            } else {
                eprintln!("server: {line}");
            }
        }
    });
    let url = url.recv_timeout(LIMIT).expect("the server listens");
    (url, said)
}
