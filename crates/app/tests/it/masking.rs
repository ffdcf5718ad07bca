//! Who sees values masked cannot find people by them either.

use serde_json::json;

use crate::support::Server;

#[test]
fn a_viewer_finds_people_by_name_and_external_id_alone() {
    let server = Server::start();
    server.rollbook(&["workspace", "set", "--name", "Hotel", "--region", "DE"]);
    let desk = server.source("desk");
    let record = json!({
        "id": "HG-17", "name": "Zita Weber", "phone": "030 12345678", "email": "zita@hotel.example", "x17": "remark",
    });
    assert_eq!(desk.deliver("desk", &record).status, 201);
    let viewer = server.person("Hotel", "viewer@hotel.example", "viewer");
    let importer = server.person("Hotel", "importer@hotel.example", "importer");
    for (text, masked) in [
        ("zita+weber", true),
        ("hg-17", true),
        ("zita%40hotel", false),
        ("12345678", false),
        ("03012", false),
        ("remark", false),
    ] {
        for path in [
            format!("/contacts?q={text}"),
            format!("/settings/logs?range=24h&q={text}"),
            format!("/settings/logs/export?range=24h&format=csv&q={text}"),
        ] {
            let found = importer.get(&path);
            // Contacts do not have the payload.
            let there = text != "remark" || path.contains("logs");
            assert_eq!(
                found.text.contains("Zita Weber"),
                there,
                "{path}: {found:?}"
            );
            let seen = viewer.get(&path);
            assert_eq!(seen.status, 200, "{path}: {seen:?}");
            assert_eq!(seen.text.contains("Zita Weber"), masked, "{path}: {seen:?}");
        }
    }
    let page = viewer.get("/settings/logs?range=24h").text;
    assert!(page.contains("Name or External ID"), "{page}");
}
