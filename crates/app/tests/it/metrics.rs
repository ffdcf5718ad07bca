//! What the metrics say of records.

use serde_json::json;

use crate::support::{Server, eventually};

#[test]
fn records_are_counted_by_what_came_of_them() {
    let server = Server::start();
    let desk = server.source("desk");
    let person = json!({"external_id": "G-1", "name": "Anna Weber"});
    assert_eq!(desk.deliver("desk", &person).status, 201);
    assert_eq!(desk.deliver("desk", &person).status, 200);
    let unwell = json!({"external_id": "G-2", "email": "nobody at home"});
    assert_eq!(desk.deliver("desk", &unwell).status, 201);
    assert_eq!(desk.deliver("desk", &json!({"city": "Bonn"})).status, 422);
    server.rollbook(&["openapi"]);
    let text = server.nobody().get("/metrics").text;
    for line in [
        "rollbook_records_total{kind=\"delivery\",result=\"success\"} 2",
        "rollbook_records_total{kind=\"delivery\",result=\"warning\"} 1",
        "rollbook_records_total{kind=\"delivery\",result=\"failure\"} 1",
        "rollbook_contact_writes_total{kind=\"delivery\",action=\"created\"} 2",
        "rollbook_contact_writes_total{kind=\"delivery\",action=\"unchanged\"} 1",
        "rollbook_delivery_seconds_count 4",
        "rollbook_http_requests_total{route=\"/api/v1/sources/{source}/contacts\",method=\"POST\",status=\"2xx\"} 3",
        "rollbook_http_requests_total{route=\"/api/v1/sources/{source}/contacts\",method=\"POST\",status=\"4xx\"} 1",
        "rollbook_index_identifiers 2",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(!text.contains("desk") && !text.contains("Anna"), "{text}");
}

#[test]
fn rows_of_an_import_are_counted_and_timed() {
    let server = Server::start();
    let file = "Name,Email\nAnna,anna@example.com\nBen,ben@example\n";
    let part = reqwest::blocking::multipart::Part::text(file).file_name("a.csv");
    let form = reqwest::blocking::multipart::Form::new()
        .part("file", part)
        .text("run", "true");
    let request = server.admin().request("POST", "/api/v1/imports");
    assert_eq!(request.multipart(form).send().unwrap().status(), 202);
    let text = eventually("the import to be counted", || {
        let text = server.nobody().get("/metrics").text;
        text.contains("rollbook_batch_seconds_count{kind=\"file\"} 1")
            .then_some(text)
    });
    for line in [
        "rollbook_records_total{kind=\"file\",result=\"success\"} 1",
        "rollbook_records_total{kind=\"file\",result=\"failure\"} 1",
        "rollbook_contact_writes_total{kind=\"file\",action=\"created\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}
