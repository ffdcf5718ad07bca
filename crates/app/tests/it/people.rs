//! How people come in, what they may change, and how they leave.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::support::{Answer, Server, Visitor, eventually};

const PASSWORD: &str = "blaue Hunde singen leise";

/// The text between two others.
#[track_caller]
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let rest = text
        .split_once(begin)
        .unwrap_or_else(|| panic!("no {begin:?} in {text}"))
        .1;
    rest.split_once(end).unwrap().0
}

/// An administrator of a workspace called Hotel.
fn hotel() -> (Server, Visitor) {
    let server = Server::start();
    server.rollbook(&["workspace", "set", "--name", "Hotel"]);
    let admin = server.person("Hotel", "admin@hotel.example", "admin");
    (server, admin)
}

/// Invites somebody and returns the path of the link.
#[track_caller]
fn invite(admin: &Visitor, email: &str, role: &str) -> String {
    let page = admin.post(
        "/settings/people/invite",
        &[("email", email), ("role", role)],
    );
    assert_eq!(page.status, 200, "{page:?}");
    format!("/join/{}", between(&page.text, "/join/", "<"))
}

#[track_caller]
fn goes_to(answer: &Answer, path: &str) {
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some(path)),
        "{answer:?}"
    );
}

#[test]
fn an_invitation_makes_an_account_once() {
    let (server, admin) = hotel();
    let link = invite(&admin, "Bob@hotel.example", "importer");
    assert!(admin.get("/settings/people").text.contains("Waiting"));
    let bob = server.visitor();
    let page = bob.get(&link);
    assert!(
        page.text.contains("Join Hotel") && page.text.contains("bob@hotel.example"),
        "{page:?}"
    );
    for (password, problem) in [
        ("short", "shorter than 12 characters"),
        ("Password2024!", "tried first"),
        ("bob@hotel.example", "name or the email"),
    ] {
        let page = bob.post(&link, &[("name", "Bob"), ("password", password)]);
        assert_eq!(page.status, 422, "{page:?}");
        assert!(page.text.contains(problem), "{page:?}");
    }
    goes_to(
        &bob.post(&link, &[("name", "Bob"), ("password", PASSWORD)]),
        "/",
    );
    assert!(bob.get("/contacts").text.contains("Bob"));
    assert_eq!(bob.get("/imports/new").status, 200);
    assert_eq!(server.visitor().get(&link).status, 404, "it is used up");
    let again = server
        .visitor()
        .post(&link, &[("name", "Eve"), ("password", PASSWORD)]);
    assert_eq!(again.status, 404, "{again:?}");
    server.sign_in("bob@hotel.example", PASSWORD);
    let twice = admin.post(
        "/settings/people/invite",
        &[("email", "bob@hotel.example"), ("role", "viewer")],
    );
    assert_eq!(twice.status, 422, "{twice:?}");
}

#[test]
fn an_invitation_that_is_taken_back_or_replaced_opens_nothing() {
    let (server, admin) = hotel();
    let first = invite(&admin, "bob@hotel.example", "viewer");
    let second = invite(&admin, "bob@hotel.example", "viewer");
    assert_eq!(server.visitor().get(&first).status, 404);
    assert_eq!(server.visitor().get(&second).status, 200);
    goes_to(
        &admin.post(
            "/settings/people/uninvite",
            &[("email", "bob@hotel.example")],
        ),
        "/settings/people",
    );
    assert_eq!(server.visitor().get(&second).status, 404);
}

#[test]
fn somebody_with_an_account_joins_with_it_and_nobody_else_does() {
    let (server, _) = hotel();
    server.rollbook(&["workspace", "add", "Clinic"]);
    let clinic = server.person("Clinic", "admin@clinic.example", "admin");
    let bob = server.person("Hotel", "bob@hotel.example", "viewer");
    let link = invite(&clinic, "bob@hotel.example", "admin");
    let stranger = server.visitor();
    assert!(stranger.get(&link).text.contains("Sign in with it to join"));
    let form = [("name", "Eve"), ("password", PASSWORD)];
    assert_eq!(stranger.post(&link, &form).status, 422);
    let other = server.person("Hotel", "eve@hotel.example", "viewer");
    assert!(other.get(&link).text.contains("signed in as somebody else"));
    assert_eq!(other.post(&link, &form).status, 422);
    goes_to(&bob.post(&link, &form), "/");
    assert!(bob.get("/contacts").text.contains("Clinic"));
    assert_eq!(bob.get("/settings/people").status, 200, "admin there");
}

#[test]
fn roles_change_at_once_and_a_workspace_keeps_an_admin() {
    let (server, admin) = hotel();
    // The one that the server made.
    admin.post(
        "/settings/people/remove",
        &[("email", "admin@rollbook.local")],
    );
    let bob = server.person("Hotel", "bob@hotel.example", "viewer");
    assert_eq!(bob.get("/imports/new").status, 403);
    let role =
        |email, role| admin.post("/settings/people/role", &[("email", email), ("role", role)]);
    goes_to(&role("bob@hotel.example", "importer"), "/settings/people");
    assert_eq!(bob.get("/imports/new").status, 200);
    for answer in [
        role("admin@hotel.example", "viewer"),
        admin.post(
            "/settings/people/remove",
            &[("email", "admin@hotel.example")],
        ),
    ] {
        assert_eq!(answer.status, 422, "{answer:?}");
        assert!(answer.text.contains("only admin"), "{answer:?}");
    }
    goes_to(
        &admin.post("/settings/people/remove", &[("email", "bob@hotel.example")]),
        "/settings/people",
    );
    let out = bob.get("/contacts");
    assert!(
        out.header("location").unwrap().starts_with("/sign-in"),
        "{out:?}"
    );
}

#[test]
fn a_new_password_ends_the_other_sessions() {
    let (server, admin) = hotel();
    let link = invite(&admin, "bob@hotel.example", "viewer");
    let bob = server.visitor();
    bob.post(&link, &[("name", "Bob"), ("password", PASSWORD)]);
    let elsewhere = server.sign_in("bob@hotel.example", PASSWORD);
    let change =
        |current, new| bob.post("/account/password", &[("current", current), ("new", new)]);
    let wrong = change("wrong", "ganz neue Woerter hier");
    assert_eq!(wrong.status, 422, "{wrong:?}");
    assert_eq!(change(PASSWORD, "password1234").status, 422);
    assert_eq!(elsewhere.get("/contacts").status, 200);
    assert_eq!(change(PASSWORD, "ganz neue Woerter hier").status, 200);
    assert_eq!(elsewhere.get("/contacts").status, 303);
    assert_eq!(bob.get("/contacts").status, 200);
    server.sign_in("bob@hotel.example", "ganz neue Woerter hier");
}

#[test]
fn sessions_are_listed_and_ended_one_by_one() {
    let (server, admin) = hotel();
    let link = invite(&admin, "bob@hotel.example", "viewer");
    let bob = server.visitor();
    bob.post(&link, &[("name", "Bob"), ("password", PASSWORD)]);
    let elsewhere = server.sign_in("bob@hotel.example", PASSWORD);
    let page = bob.get("/account").text;
    assert!(
        page.contains("this one") && page.contains("127.0.0.1"),
        "{page}"
    );
    let id = between(&page, "name=\"session\" value=\"", "\"").to_owned();
    // Nobody else's session is ended.
    admin.post("/account/sessions/end", &[("session", &id)]);
    assert_eq!(elsewhere.get("/contacts").status, 200);
    goes_to(
        &bob.post("/account/sessions/end", &[("session", &id)]),
        "/account",
    );
    assert_eq!(elsewhere.get("/contacts").status, 303);
    let third = server.sign_in("bob@hotel.example", PASSWORD);
    bob.post("/account/sessions/end-others", &[]);
    assert_eq!(third.get("/contacts").status, 303);
    assert_eq!(bob.get("/contacts").status, 200);
    bob.post("/account/name", &[("name", "Robert")]);
    assert!(bob.get("/contacts").text.contains("Robert"));
}

/// The code that an app shows in a step of thirty seconds.
pub(crate) fn code(secret: &str, step: u64) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String = secret
        .bytes()
        .map(|letter| {
            let value = alphabet.iter().position(|known| *known == letter).unwrap();
            format!("{value:05b}")
        })
        .collect();
    let bits = bits.as_bytes().chunks_exact(8);
    let key: Vec<u8> = bits
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    let mut mac = Hmac::<Sha1>::new_from_slice(&key).unwrap();
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 15);
    let word = u32::from_be_bytes(digest[offset..offset + 4].try_into().unwrap());
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

#[test]
fn a_second_factor_is_asked_for_and_its_codes_open_once() {
    let (server, admin) = hotel();
    let link = invite(&admin, "bob@hotel.example", "viewer");
    let bob = server.visitor();
    bob.post(&link, &[("name", "Bob"), ("password", PASSWORD)]);
    let page = bob.get("/account/second-factor").text;
    assert!(page.contains("<svg class=\"qr\""), "{page}");
    let secret = between(&page, "name=\"secret\" value=\"", "\"").to_owned();
    // One step for the whole test: it is good for thirty seconds more when the next one begins.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let step = now.as_secs() / 30;
    let set = |code: &str, password: &str| {
        let form = [
            ("secret", secret.as_str()),
            ("code", code),
            ("password", password),
        ];
        bob.post("/account/second-factor", &form)
    };
    assert_eq!(set("000000", PASSWORD).status, 422);
    assert_eq!(set(&code(&secret, step), "wrong").status, 422);
    let on = set(&code(&secret, step), PASSWORD);
    assert_eq!(on.status, 200, "{on:?}");
    let recovery = between(&on.text, "<li><code>", "</code>").to_owned();

    let visitor = server.visitor();
    let sign_in = || {
        let form = [
            ("email", "bob@hotel.example"),
            ("password", PASSWORD),
            ("next", "/contacts"),
        ];
        let page = visitor.post("/sign-in", &form);
        assert_eq!(page.status, 200, "{page:?}");
        assert_eq!(visitor.get("/contacts").status, 303, "not in yet");
        between(&page.text, "name=\"ticket\" value=\"", "\"").to_owned()
    };
    let give = |ticket: &str, code: &str| {
        let form = [("ticket", ticket), ("code", code), ("next", "/contacts")];
        visitor.post("/sign-in/code", &form)
    };
    let ticket = sign_in();
    let next = code(&secret, step + 1);
    assert_eq!(
        give(&ticket, &code(&secret, step)).status,
        422,
        "used when it was set up"
    );
    assert_eq!(give("nonsense", &next).status, 422);
    goes_to(&give(&ticket, &next), "/contacts");
    assert_eq!(visitor.get("/contacts").status, 200);
    visitor.post("/sign-out", &[]);

    let ticket = sign_in();
    assert_eq!(give(&ticket, &next).status, 422, "a code opens once");
    goes_to(&give(&ticket, &recovery.to_uppercase()), "/contacts");
    visitor.post("/sign-out", &[]);
    let ticket = sign_in();
    for _ in 0..5 {
        assert_eq!(
            give(&ticket, &recovery).status,
            422,
            "so does a recovery code"
        );
    }
    let late = give(&ticket, "123456");
    assert!(late.text.contains("Sign in again"), "{late:?}");

    assert!(admin.get("/settings/people").text.contains("second factor"));
    let off = |password| bob.post("/account/second-factor/off", &[("password", password)]);
    assert_eq!(off("wrong").status, 422);
    assert_eq!(off(PASSWORD).status, 200);
    server.sign_in("bob@hotel.example", PASSWORD);
}

/// A server that writes mails into a folder.
fn with_mail(folder: &std::path::Path) -> (Server, Visitor) {
    let mail = format!("folder:{}", folder.display());
    let server = Server::start_with(&["--mail", &mail, "--public-url", "http://rollbook.example"]);
    server.rollbook(&["workspace", "set", "--name", "Hotel"]);
    let admin = server.person("Hotel", "admin@hotel.example", "admin");
    (server, admin)
}

/// The path of the latest link of a kind that was mailed to somebody, once there are so many.
fn mailed(folder: &std::path::Path, to: &str, kind: &str, count: usize) -> String {
    eventually("the mail", || {
        let mut links: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            // A mail has another name until it is whole.
            .filter(|entry| entry.path().extension().is_some_and(|end| end == "eml"))
            .filter_map(|entry| {
                let text = std::fs::read_to_string(entry.path())
                    .unwrap()
                    .replace("=\r\n", "");
                let (_, rest) = text.split_once(&format!("http://rollbook.example{kind}"))?;
                let token: String = rest.chars().take(43).collect();
                let modified = entry.metadata().unwrap().modified().unwrap();
                text.contains(&format!("To: {to}\r\n"))
                    .then(|| (modified, format!("{kind}{token}")))
            })
            .collect();
        links.sort();
        (links.len() == count).then(|| links.pop().unwrap().1)
    })
}

#[test]
fn an_invitation_is_mailed_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (server, admin) = with_mail(folder.path());
    let form = [("email", "bob@hotel.example"), ("role", "viewer")];
    let page = admin.post("/settings/people/invite", &form);
    assert!(
        page.text.contains("on its way to bob@hotel.example"),
        "{page:?}"
    );
    assert!(!page.text.contains("/join/"), "{page:?}");
    let link = mailed(folder.path(), "bob@hotel.example", "/join/", 1);
    let bob = server.visitor();
    goes_to(
        &bob.post(&link, &[("name", "Bob"), ("password", PASSWORD)]),
        "/",
    );
}

#[test]
fn a_forgotten_password_is_replaced_by_a_mailed_link_that_works_once() {
    let folder = tempfile::tempdir().unwrap();
    let (server, admin) = with_mail(folder.path());
    let visitor = server.visitor();
    let ask = |email: &str| visitor.post("/reset", &[("email", email)]);
    let (known, unknown) = (ask("Admin@hotel.example"), ask("nobody@hotel.example"));
    assert_eq!((known.status, &known.text), (unknown.status, &unknown.text));
    let link = mailed(folder.path(), "admin@hotel.example", "/reset/", 1);
    assert!(visitor.get(&link).text.contains("admin@hotel.example"));
    assert_eq!(
        visitor.post(&link, &[("password", "Password2024!")]).status,
        422
    );
    let done = visitor.post(&link, &[("password", PASSWORD)]);
    assert!(done.text.contains("new password is saved"), "{done:?}");
    assert_eq!(admin.get("/contacts").status, 303, "signed out everywhere");
    assert_eq!(
        visitor.get("/contacts").status,
        303,
        "the link signs nobody in"
    );
    server.sign_in("admin@hotel.example", PASSWORD);
    assert_eq!(visitor.get(&link).status, 404, "it is used up");
    ask("admin@hotel.example");
    let second = mailed(folder.path(), "admin@hotel.example", "/reset/", 2);
    assert_ne!(second, link);
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        2,
        "nobody got nothing"
    );
}

#[test]
fn without_mail_a_forgotten_password_is_a_matter_of_the_operator() {
    let (server, _) = hotel();
    let page = server.visitor().get("/reset").text;
    assert!(page.contains("rollbook user set-password"), "{page}");
    for link in ["/reset/nonsense", "/join/nonsense"] {
        assert_eq!(server.visitor().get(link).status, 404);
    }
}
