//! Every JSON text of a well-known suite of nasty ones.

use crate::support::{Server, shared_data};

#[test]
fn json_is_taken_and_what_is_none_is_refused() {
    let Some(folder) = shared_data("json/parsing") else {
        return;
    };
    let server = Server::start();
    let desk = server.source("desk");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let body = std::fs::read(&path).unwrap();
        let object = body.trim_ascii_start().starts_with(b"{");
        let status = desk.deliver_raw("desk", body).status;
        let fine = match name.split('_').next() {
            // Well-formed objects are records, even if they say nothing that can be used.
            Some("y") if object => matches!(status, 200 | 201 | 422),
            Some("y" | "n") => status == 400,
            _ => matches!(status, 200 | 201 | 400 | 422),
        };
        assert!(fine, "{name}: {status}");
        seen += 1;
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn a_batch_of_what_is_no_json_is_never_our_failure() {
    let Some(folder) = shared_data("json/parsing") else {
        return;
    };
    let server = Server::start();
    let desk = server.source("desk");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let body = std::fs::read(&path).unwrap();
        for media_type in ["application/json", "application/x-ndjson"] {
            let answer = desk.batch("desk", media_type, body.clone());
            assert!(matches!(answer.status, 200 | 400), "{name}: {answer:?}");
        }
    }
}
