//! Secrets: sealed in the database with a key that is not in it, and said nowhere.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::people::code;
use crate::support::{Server, Visitor, eventually};

const ADMIN: (&str, &str) = ("admin@rollbook.local", "a password for tests");

/// The text between two others.
#[track_caller]
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let rest = text
        .split_once(begin)
        .unwrap_or_else(|| panic!("no {begin:?} in {text}"))
        .1;
    rest.split_once(end).unwrap().0
}

fn from_base32(text: &str) -> Vec<u8> {
    let bits: String = text
        .bytes()
        .filter(u8::is_ascii_alphanumeric)
        .map(|letter| {
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
            let place = alphabet.iter().position(|other| *other == letter).unwrap();
            format!("{place:05b}")
        })
        .collect();
    let bytes = bits.as_bytes().chunks_exact(8);
    bytes
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect()
}

/// Sets up a second factor; its secret.
fn second_factor(person: &Visitor) -> String {
    let page = person.get("/account/second-factor").text;
    let secret = between(&page, "name=\"secret\" value=\"", "\"").to_owned();
    let code = code(&secret, now() / 30);
    let form = [
        ("secret", &*secret),
        ("code", &*code),
        ("password", ADMIN.1),
    ];
    let set = person.post("/account/second-factor", &form);
    assert_eq!(set.status, 200, "{set:?}");
    secret
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// Signs in with a second factor, with the code of the next step: that of this one was used.
fn signs_in(server: &Server, secret: &str) -> bool {
    let visitor = server.visitor();
    let page = visitor.post("/sign-in", &[("email", ADMIN.0), ("password", ADMIN.1)]);
    assert_eq!(page.status, 200, "{page:?}");
    let ticket = between(&page.text, "name=\"ticket\" value=\"", "\"").to_owned();
    let code = code(secret, now() / 30 + 1);
    let answer = visitor.post("/sign-in/code", &[("ticket", &ticket), ("code", &code)]);
    answer.status == 303
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn stored_secrets_are_sealed_once_there_is_a_key_and_can_be_sealed_with_another() {
    let server = Server::start();
    let secret = second_factor(&server.sign_in(ADMIN.0, ADMIN.1));
    assert!(
        holds(&server.database(), &from_base32(&secret)),
        "without a key it is stored as it is"
    );
    let (one, two) = (
        server.rollbook(&["secrets", "new-key"]),
        server.rollbook(&["secrets", "new-key"]),
    );
    assert_ne!(one, two);

    let server = server.restart_with(&["--secret-key", &one]);
    assert!(
        server.said().contains("1 stored secrets were sealed"),
        "{}",
        server.said()
    );
    let status = |settings: &[&str]| {
        let all: Vec<&str> = ["secrets", "status"]
            .iter()
            .chain(settings)
            .copied()
            .collect();
        let counts = server.rollbook(&all);
        let counts = counts
            .lines()
            .map(|line| line.split_whitespace().next().unwrap().parse::<u32>());
        counts.collect::<Result<Vec<_>, _>>().unwrap()
    };
    assert_eq!(status(&["--secret-key", &one]), [1, 0, 0, 0]);
    assert_eq!(
        status(&["--secret-key", &two, "--old-secret-keys", &one]),
        [0, 1, 0, 0]
    );
    assert_eq!(status(&["--secret-key", &two]), [0, 0, 1, 0]);
    assert!(signs_in(&server, &secret));

    // Without its key the server does not start, and says what to do.
    for wrong in [&[][..], &["--secret-key", &two]] {
        let all: Vec<&str> = ["serve", "--listen", "127.0.0.1:0"]
            .iter()
            .chain(wrong)
            .copied()
            .collect();
        let (done, said) = server.try_rollbook(&all);
        assert!(!done && said.contains("old_secret_keys"), "{said}");
        assert!(!said.contains(&two), "{said}");
    }

    // Another key, while it runs.
    let seal = [
        "secrets",
        "seal",
        "--secret-key",
        &two,
        "--old-secret-keys",
        &one,
    ];
    let (done, said) = server.try_rollbook(&seal);
    assert!(done && said.contains("1 secrets were sealed"), "{said}");
    assert_eq!(status(&["--secret-key", &two]), [1, 0, 0, 0]);
    let server = server.restart_with(&["--secret-key", &two]);
    assert!(!server.said().contains("were sealed"), "{}", server.said());
    let server = server.restart_with(&["--secret-key", &one, "--old-secret-keys", &two]);
    assert!(
        server.said().contains("1 stored secrets were sealed"),
        "{}",
        server.said()
    );
    let (done, said) = server.try_rollbook(&["secrets", "seal"]);
    assert!(!done && said.contains("new-key"), "{said}");
}

#[test]
fn a_new_secret_never_stands_in_the_database_as_it_is() {
    let key = Server::start().rollbook(&["secrets", "new-key"]);
    let server = Server::start_with(&[
        "--secret-key",
        &key,
        "--mail",
        "smtp://user:password@127.0.0.1:9?tls=none",
        "--mail-from",
        "rollbook@hotel.example",
        "--public-url",
        "http://rollbook.example",
    ]);
    let person = server.sign_in(ADMIN.0, ADMIN.1);
    let secret = second_factor(&person);
    let invited = person.post(
        "/settings/people/invite",
        &[("email", "bob@hotel.example"), ("role", "viewer")],
    );
    assert_eq!(invited.status, 200, "{invited:?}");
    let mails = eventually("the invitation in the outbox", || {
        let mails = server.admin().get("/api/v1/outbox").json();
        (!mails["mails"].as_array().unwrap().is_empty()).then_some(mails)
    });
    assert_eq!(mails["mails"][0]["to"], "bob@hotel.example", "{mails}");
    let database = server.database();
    assert!(holds(&database, b"bob@hotel.example"));
    assert!(!holds(&database, &from_base32(&secret)));
    assert!(!holds(&database, b"/join/"), "its link waits sealed");
    assert!(signs_in(&server, &secret));
}

/// Secrets, and what each is called.
type Secrets = Vec<(&'static str, String)>;

fn use_keys(server: &Server, secrets: &mut Secrets) {
    server
        .caller(Some("rb_geheim-wrong-key"))
        .get("/api/v1/logs")
        .is_problem(401, "key-refused");
    let made = server
        .admin()
        .post("/api/v1/keys", &json!({"name": "made"}))
        .json();
    secrets.push(("a made key", made["secret"].as_str().unwrap().to_owned()));
    let id = made["id"].as_str().unwrap();
    let rotated = server
        .admin()
        .post(&format!("/api/v1/keys/{id}/rotate"), &json!({}))
        .json();
    secrets.push((
        "a rotated key",
        rotated["secret"].as_str().unwrap().to_owned(),
    ));
}

fn change_the_account(server: &Server, visitor: &Visitor, secrets: &mut Secrets) {
    let page = visitor.get("/account/second-factor").text;
    let factor = between(&page, "name=\"secret\" value=\"", "\"").to_owned();
    secrets.push(("a second factor", factor.clone()));
    let code = code(&factor, now() / 30);
    let form = [
        ("secret", &*factor),
        ("code", &*code),
        ("password", ADMIN.1),
    ];
    let page = visitor.post("/account/second-factor", &form);
    assert_eq!(page.status, 200, "{page:?}");
    let visitor_form = [
        ("current", "geheim-wrong-password"),
        ("new", "geheim-fagott-nebel-7391"),
    ];
    secrets.push(("a new password", "geheim-fagott-nebel-7391".to_owned()));
    assert_eq!(visitor.post("/account/password", &visitor_form).status, 422);
    visitor.post(
        "/account/password",
        &[("current", ADMIN.1), ("new", "geheim-fagott-nebel-7391")],
    );
    let other = server.visitor();
    let page = other.post(
        "/sign-in",
        &[("email", ADMIN.0), ("password", "geheim-fagott-nebel-7391")],
    );
    let ticket = between(&page.text, "name=\"ticket\" value=\"", "\"").to_owned();
    other.post("/sign-in/code", &[("ticket", &ticket), ("code", "123456")]);
    secrets.push(("a ticket", ticket));
    for path in ["/join/geheim-token", "/reset/geheim-token"] {
        let form = [("name", "x"), ("password", "geheim-fagott-nebel-7391")];
        assert_eq!(other.post(path, &form).status, 404);
    }
    secrets.push(("the token of a link", "geheim-token".to_owned()));
    other.post("/reset", &[("email", ADMIN.0)]);
    visitor.post(
        "/settings/people/invite",
        &[("email", "bob@hotel.example"), ("role", "viewer")],
    );
}

#[test]
fn nothing_secret_is_said_anywhere() {
    let key = Server::start().rollbook(&["secrets", "new-key"]);
    let server = Server::start_with(&[
        "--log",
        "trace",
        "--secret-key",
        &key,
        "--mail",
        "smtp://user:geheim-mail-password@127.0.0.1:9?tls=none",
        "--mail-from",
        "rollbook@hotel.example",
        "--public-url",
        "http://rollbook.example",
    ]);
    let mut secrets = vec![
        ("the key of the settings", key.clone()),
        (
            "the mail server's password",
            "geheim-mail-password".to_owned(),
        ),
        ("a password", ADMIN.1.to_owned()),
        ("a wrong password", "geheim-wrong-password".to_owned()),
        ("an API key", server.admin_key().to_owned()),
        ("a wrong API key", "rb_geheim-wrong-key".to_owned()),
    ];
    // Everything that a secret passes through, with right ones and wrong ones.
    let wrong = [("email", ADMIN.0), ("password", "geheim-wrong-password")];
    assert_eq!(server.visitor().post("/sign-in", &wrong).status, 422);
    let visitor = server.visitor();
    let signed_in = visitor.post("/sign-in", &[("email", ADMIN.0), ("password", ADMIN.1)]);
    for (name, cookie) in [("a session", 0), ("a browser", 1)] {
        let cookies: Vec<_> = signed_in.headers.get_all("set-cookie").iter().collect();
        let value = between(cookies[cookie].to_str().unwrap(), "=", ";").to_owned();
        secrets.push((name, value));
    }
    use_keys(&server, &mut secrets);
    change_the_account(&server, &visitor, &mut secrets);
    eventually("an attempt to send a mail", || {
        let mails = server.admin().get("/api/v1/outbox").text;
        mails.contains("last_error\":\"").then_some(())
    });
    let told = [
        ("log", server.said()),
        ("audit", visitor.get("/settings/audit").text),
        ("audit of the API", server.admin().get("/api/v1/audit").text),
        ("outbox", server.admin().get("/api/v1/outbox").text),
        ("notifications", visitor.get("/settings/notifications").text),
        ("keys", server.admin().get("/api/v1/keys").text),
    ];
    assert!(told[0].1.contains("TRACE"), "it says everything");
    for (place, text) in &told {
        for (what, secret) in &secrets {
            assert!(secret.len() >= 10, "{what}");
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{what} stands in the {place}");
        }
    }
}
