//! What those see who watch over `rollbook serve`: readiness, metrics, its own log, traces.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::serve::Server;
use crate::support::{Workspace, wait_until};

/// An answer: status and text.
fn get(address: &str, path: &str, headers: &[&str]) -> std::io::Result<(u16, String)> {
    let place = address.strip_prefix("http://").unwrap_or(address);
    let mut connection = TcpStream::connect(place)?;
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    let headers: String = headers.iter().flat_map(|one| [*one, "\r\n"]).collect();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: rollbook\r\nConnection: close\r\n{headers}\r\n");
    connection.write_all(request.as_bytes())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let status = answer.get(9..12).and_then(|code| code.parse().ok());
    Ok((status.unwrap_or(0), answer))
}

fn serve(workspace: &Workspace, settings: &[&str]) -> Server {
    let arguments: Vec<&str> = ["serve", "--listen", "127.0.0.1:0"]
        .iter()
        .chain(settings)
        .copied()
        .collect();
    Server::start(workspace.command(&arguments))
}

#[test]
fn metrics_are_for_this_machine_or_those_who_have_the_token() {
    let workspace = Workspace::new();
    let server = serve(&workspace, &[]);
    let (status, text) = get(&server.address, "/metrics", &[]).unwrap();
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("application/openmetrics-text"), "{text}");
    for name in [
        "rollbook_build_info{version=",
        "rollbook_imports{state=\"waiting\"} 0",
        "rollbook_imports_oldest_waiting_seconds 0",
        "rollbook_outbox_oldest_waiting_seconds 0",
        "rollbook_store_reads_at_most{kind=\"long\"} 3",
        "rollbook_disk_free_bytes{place=\"database\"}",
        "process_resident_memory_bytes",
        "# EOF",
    ] {
        assert!(text.contains(name), "{name} is not in {text}");
    }
    // A proxy on this machine speaks for others.
    let (status, _) = get(&server.address, "/metrics", &["X-Forwarded-For: 192.0.2.1"]).unwrap();
    assert_eq!(status, 403);
    server.stop("-TERM");

    let behind = ["--public-url", "https://contacts.example.com"];
    let server = serve(&workspace, &behind);
    assert_eq!(get(&server.address, "/metrics", &[]).unwrap().0, 403);
    server.stop("-TERM");

    let server = serve(&workspace, &["--metrics-token", "sesame"]);
    let token = |token: &str| {
        let header = format!("Authorization: Bearer {token}");
        get(&server.address, "/metrics", &[&header]).unwrap().0
    };
    assert_eq!((token("sesame"), token("poppy")), (200, 403));
    assert_eq!(get(&server.address, "/metrics", &[]).unwrap().0, 403);
    server.stop("-TERM");
}

#[test]
fn a_monitoring_system_can_have_an_address_of_its_own() {
    let workspace = Workspace::new();
    let settings = [
        "--metrics-listen",
        "127.0.0.1:0",
        "--metrics-token",
        "sesame",
    ];
    let server = serve(&workspace, &settings);
    let said = server.said.join("\n");
    let address = said.split_once("metrics on ").unwrap().1;
    let address = address.split_once("/metrics").unwrap().0.to_owned();
    let (status, text) = get(&address, "/metrics", &[]).unwrap();
    assert_eq!(status, 200, "{text}");
    assert_eq!(get(&address, "/readyz", &[]).unwrap().0, 200);
    assert_eq!(get(&address, "/sign-in", &[]).unwrap().0, 404);
    server.stop("-TERM");
}

#[test]
fn it_is_not_ready_without_its_files_nor_once_it_was_told_to_stop() {
    let workspace = Workspace::new();
    let server = serve(&workspace, &["--drain-seconds", "2"]);
    std::fs::remove_dir_all(workspace.path("rollbook.db-files")).unwrap();
    let (status, text) = get(&server.address, "/readyz", &[]).unwrap();
    assert!(status == 503 && text.contains("uploaded files"), "{text}");
    std::fs::create_dir(workspace.path("rollbook.db-files")).unwrap();
    wait_until("being ready again", || {
        get(&server.address, "/readyz", &[]).is_ok_and(|(status, _)| status == 200)
    });
    server.signal("-TERM");
    wait_until("saying that it stops", || {
        get(&server.address, "/readyz", &[])
            .is_ok_and(|(status, text)| status == 503 && text.contains("stopping"))
    });
    assert_eq!(get(&server.address, "/healthz", &[]).unwrap().0, 200);
    let (code, said) = server.stop_and_tell("-TERM");
    assert_eq!(code, Some(0), "{said:?}");
}

#[test]
fn every_line_about_a_request_has_its_id() {
    let workspace = Workspace::new();
    let server = serve(&workspace, &["--log", "debug", "--log-format", "json"]);
    let id = "X-Request-Id: night-7";
    get(&server.address, "/contacts/12?secret=1", &[id]).unwrap();
    let (_, text) = get(&server.address, "/api/v1/logs", &[id]).unwrap();
    assert!(text.contains("\"request_id\":\"night-7\""), "{text}");
    let (_, said) = server.stop_and_tell("-TERM");
    let lines: Vec<Value> = said
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let ours: Vec<&Value> = lines
        .iter()
        .filter(|line| line["span"]["request_id"] == "night-7")
        .collect();
    assert_eq!(ours.len(), 2, "{said:?}");
    assert_eq!(ours[0]["span"]["route"], "/contacts/{id}");
    assert_eq!(ours[1]["span"]["status"], 401);
    assert!(
        ours.iter()
            .all(|line| line["fields"]["message"] == "answered")
    );
    assert!(!said.join("").contains("secret"), "{said:?}");
}

/// A collector of traces: answers whatever is posted, and hands on path and body.
fn collector() -> (String, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let tell = tell.clone();
            std::thread::spawn(move || {
                let mut connection = connection.unwrap();
                while let Some(parcel) = take_post(&mut connection) {
                    let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
                    connection.write_all(answer.as_bytes()).unwrap();
                    if tell.send(parcel).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, told)
}

fn take_post(connection: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        })
        .unwrap();
    let mut body = vec![0; length];
    connection.read_exact(&mut body).ok()?;
    Some((path, body))
}

#[test]
fn spans_are_sent_where_the_setting_says_and_join_the_trace_of_a_request() {
    let workspace = Workspace::new();
    let (collector, parcels) = collector();
    let server = serve(&workspace, &["--traces", &collector]);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("traceparent: 00-{trace}-00f067aa0ba902b7-01");
    get(&server.address, "/api/v1/logs", &[&parent]).unwrap();
    // The last parcel leaves before the program ends.
    assert_eq!(server.stop("-TERM"), Some(0));
    let all: Vec<(String, Vec<u8>)> = parcels.try_iter().collect();
    assert!(!all.is_empty() && all.iter().all(|(path, _)| path == "/v1/traces"));
    let bytes: Vec<u8> = all.into_iter().flat_map(|(_, body)| body).collect();
    let has = |wanted: &[u8]| bytes.windows(wanted.len()).any(|some| some == wanted);
    assert!(has(b"rollbook") && has(b"service.name"));
    assert!(has(b"request") && has(b"/api/v1/logs") && has(b"request_id"));
    let id = u128::from_str_radix(trace, 16).unwrap().to_be_bytes();
    assert!(has(&id), "the span joined the trace");
}

#[test]
fn a_collector_that_is_away_holds_nothing_up() {
    let workspace = Workspace::new();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let server = serve(&workspace, &["--traces", &address]);
    assert_eq!(get(&server.address, "/healthz", &[]).unwrap().0, 200);
    assert_eq!(server.stop("-TERM"), Some(0));
}
