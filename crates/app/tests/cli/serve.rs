//! `rollbook serve`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use crate::support::Workspace;

/// A server that listens, with the lines that it said until then.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    pub(crate) said: Vec<String>,
    later: Option<JoinHandle<Vec<String>>>,
}

impl Server {
    pub(crate) fn start(mut command: Command) -> Server {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let address = loop {
            let line = lines.next().expect("it says where it listens").unwrap();
            if let Some(address) = line.strip_prefix("listening on ") {
                break address.to_owned();
            }
            said.push(line);
        };
        let later = std::thread::spawn(move || lines.map_while(Result::ok).collect());
        Server {
            child,
            address,
            said,
            later: Some(later),
        }
    }

    /// Sends a signal and goes on.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Stops it and tells its exit code.
    pub(crate) fn stop(self, signal: &str) -> Option<i32> {
        self.stop_and_tell(signal).0
    }

    /// The same, with what it said since it listened.
    pub(crate) fn stop_and_tell(mut self, signal: &str) -> (Option<i32>, Vec<String>) {
        self.signal(signal);
        let code = self.child.wait().unwrap().code();
        let later = self.later.take().unwrap();
        (code, later.join().unwrap())
    }
}

#[test]
fn it_says_where_it_listens_and_who_can_sign_in_and_stops_when_told() {
    let workspace = Workspace::new();
    let server = Server::start(workspace.command(&["serve", "--listen", "127.0.0.1:0"]));
    assert!(
        server.address.starts_with("http://127.0.0.1:"),
        "{}",
        server.address
    );
    assert!(!server.address.ends_with(":0"));
    let said = server.said.join("\n");
    assert!(
        said.contains("admin@rollbook.local") && said.contains("password: "),
        "{said}"
    );
    let address = server.address.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(address).unwrap();
    let request = "GET /healthz HTTP/1.1\r\nHost: rollbook\r\nConnection: close\r\n\r\n";
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(server.stop("-TERM"), Some(0));

    let server = Server::start(workspace.command(&["serve", "--listen", "127.0.0.1:0"]));
    assert!(
        !server.said.join("\n").contains("password"),
        "{:?}",
        server.said
    );
    assert_eq!(server.stop("-INT"), Some(0));
}

#[test]
fn the_first_administrator_can_be_named() {
    let workspace = Workspace::new();
    let mut command = workspace.command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--admin-email",
        "it@example.com",
    ]);
    command.env("ROLLBOOK_ADMIN_PASSWORD", "correct horse");
    let server = Server::start(command);
    assert!(!server.said.join("\n").contains("correct horse"));
    let people = workspace.run(&["user", "list", "--json"]).code(0).json();
    assert_eq!(people["email"], "it@example.com");
    assert_eq!(people["role"], "admin");
    server.stop("-TERM");
}

#[test]
fn an_import_works_while_it_serves() {
    let workspace = Workspace::new();
    let server = Server::start(workspace.command(&["serve", "--listen", "127.0.0.1:0"]));
    workspace.write(
        "a.csv",
        "Name,Email\nAnna,anna@example.com\nBen,ben@example.com\n",
    );
    for _ in 0..5 {
        let summary = workspace.import(&["a.csv"]);
        assert_eq!(summary["records"], 2);
    }
    assert_eq!(workspace.attempts(&[]).len(), 10);
    server.stop("-TERM");
}

#[test]
fn a_taken_address_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let workspace = Workspace::new();
    workspace
        .run(&["serve", "--listen", &address])
        .code(1)
        .says(&[&address, "--listen"]);
}
