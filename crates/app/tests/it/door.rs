//! Limits at the door: how often somebody may call or guess, how many connections there are and how slow they may be.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Answer, LIMIT, Server, Visitor, answer, eventually, with_form};

const EMAIL: &str = "anna@hotel.example";
const PASSWORD: &str = "blaue Hunde singen leise";

/// A server with an administrator, to whom guesses come through a proxy of ours.
fn behind_a_proxy(settings: &[&str]) -> Server {
    let mut all = vec!["--trusted-proxies", "127.0.0.0/8"];
    all.extend(settings);
    Server::start_with(&all)
}

/// Tries to sign in from an address.
fn sign_in(visitor: &Visitor, from: &str, email: &str, password: &str) -> Answer {
    let request = visitor
        .request("POST", "/sign-in")
        .header("x-forwarded-for", from);
    answer(with_form(
        request,
        &[("email", email), ("password", password)],
    ))
}

/// Checks that it says how long to wait, and returns it.
#[track_caller]
fn waits(answer: &Answer) -> u64 {
    assert_eq!(answer.status, 429, "{answer:?}");
    answer.header("retry-after").unwrap().parse().unwrap()
}

#[test]
fn a_key_that_calls_too_often_is_told_when_to_go_on() {
    let server = Server::start_with(&["--api-rate", "3/m"]);
    server.rollbook(&["source", "add", "desk"]);
    let key = || {
        server.caller(Some(
            &server.rollbook(&["key", "create", "--source", "desk"]),
        ))
    };
    let (desk, other) = (key(), key());
    for number in 0..3 {
        assert_eq!(
            desk.deliver("desk", &json!({"id": number.to_string()}))
                .status,
            201
        );
    }
    let answer = desk.deliver("desk", &json!({"id": "4"}));
    let problem = answer.is_problem(429, "too-many");
    let seconds = waits(&answer);
    assert!((15..=20).contains(&seconds), "{answer:?}");
    assert_eq!(problem["retry_after"], seconds);
    assert_eq!(other.get("/api/v1/logs").status, 200, "another key");
    assert_eq!(
        other.get("/api/v1/logs").json()["attempts"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(server.visitor().get("/sign-in").status, 200);
}

#[test]
fn an_address_that_calls_too_often_is_told_so_whatever_its_keys() {
    let server = behind_a_proxy(&["--api-address-rate", "2/m"]);
    let call = |from: &str| {
        let request = server.nobody().request("GET", "/api/v1/logs");
        answer(request.header("x-forwarded-for", from))
    };
    // One customer has a whole /64.
    for from in ["2001:db8:1:2::1", "2001:db8:1:2::2"] {
        call(from).is_problem(401, "key-missing");
    }
    call("2001:db8:1:2::3").is_problem(429, "too-many");
    // What a caller writes itself does not count: our proxy adds at the end whom it saw.
    call("203.0.113.9, 2001:db8:1:2::4").is_problem(429, "too-many");
    call("2001:db8:1:3::1").is_problem(401, "key-missing");
}

#[test]
fn whoever_guesses_waits_longer_and_longer_and_keeps_nobody_else_out() {
    // It is asked again and again until the wait is over.
    let server = behind_a_proxy(&["--sign-in-rate", "unlimited"]);
    server.person_with("anna@hotel.example", PASSWORD);
    let (owner, guesser) = (server.visitor(), server.visitor());
    assert_eq!(sign_in(&owner, "192.0.2.7", EMAIL, PASSWORD).status, 303);
    for email in [EMAIL, "nobody@hotel.example"] {
        for _ in 0..5 {
            let wrong = sign_in(&guesser, "192.0.2.7", email, "wrong");
            assert_eq!(wrong.status, 422, "{wrong:?}");
        }
        let first = sign_in(&guesser, "192.0.2.7", email, PASSWORD);
        assert!(
            (1..=5).contains(&waits(&first)),
            "the same for nobody: {first:?}"
        );
        assert!(first.text.contains("Too many tries"), "{first:?}");
        assert!(first.text.contains("second"), "{first:?}");
    }
    // From elsewhere, and in a browser in which the owner signed in before, nothing is in the way.
    assert_eq!(
        sign_in(&server.visitor(), "192.0.2.8", EMAIL, PASSWORD).status,
        303
    );
    owner.post("/sign-out", &[]);
    assert_eq!(sign_in(&owner, "192.0.2.7", EMAIL, PASSWORD).status, 303);
    // After the wait there is one more try, and then a longer wait.
    let next = eventually("the end of the wait", || {
        let next = sign_in(&guesser, "192.0.2.7", EMAIL, "wrong");
        (next.status == 422).then_some(next)
    });
    assert_eq!(next.status, 422);
    let wait = waits(&sign_in(&guesser, "192.0.2.7", EMAIL, PASSWORD));
    assert!((6..=10).contains(&wait), "{wait}");
}

#[test]
fn a_network_sends_only_so_many_forms_that_sign_in() {
    let server = behind_a_proxy(&["--sign-in-rate", "4/h"]);
    let visitor = server.visitor();
    let post = |from: &str, path: &str| {
        let request = visitor.request("POST", path);
        answer(with_form(request.header("x-forwarded-for", from), &[]))
    };
    for path in ["/sign-in", "/sign-in/code", "/reset", "/join/x"] {
        assert_ne!(post("192.0.2.7", path).status, 429, "{path}");
    }
    for path in ["/sign-in", "/sign-in/code", "/reset", "/reset/x", "/join/x"] {
        let wait = waits(&post("192.0.2.7", path));
        assert!((800..=900).contains(&wait), "{path}: {wait}");
    }
    assert_eq!(post("192.0.2.8", "/sign-in").status, 422);
}

#[test]
fn only_a_trusted_proxy_says_who_calls() {
    for (settings, expected) in [
        (&["--trusted-proxies", "127.0.0.1"][..], "192.0.2.7"),
        (&["--trusted-proxies", "10.0.0.0/8"][..], "127.0.0.1"),
        (&[][..], "127.0.0.1"),
    ] {
        let server = Server::start_with(settings);
        let visitor = server.visitor();
        let admin = ("admin@rollbook.local", "a password for tests");
        assert_eq!(sign_in(&visitor, "192.0.2.7", admin.0, admin.1).status, 303);
        let page = visitor.get("/account");
        assert!(page.text.contains(expected), "{settings:?}: {page:?}");
    }
}

#[test]
fn cookies_are_bound_to_the_host_where_people_come_over_tls() {
    let secure = Server::start_with(&["--public-url", "https://rollbook.example"]);
    let plain = Server::start();
    let admin = ("admin@rollbook.local", "a password for tests");
    for (server, prefix, attributes) in [
        (
            &secure,
            "__Host-rollbook_",
            "; HttpOnly; SameSite=Lax; Secure",
        ),
        (&plain, "rollbook_", "; HttpOnly; SameSite=Lax"),
    ] {
        let answer = sign_in(&server.visitor(), "", admin.0, admin.1);
        let cookies: Vec<&str> = answer
            .headers
            .get_all("set-cookie")
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect();
        assert_eq!(cookies.len(), 2, "{answer:?}");
        for (cookie, name) in cookies.iter().zip(["session=", "device="]) {
            assert!(cookie.starts_with(&format!("{prefix}{name}")), "{cookie}");
            assert!(cookie.contains("; Path=/; "), "{cookie}");
            assert!(cookie.ends_with(attributes), "{cookie}");
        }
        let strict = server.nobody().get("/healthz");
        let told = strict.header("strict-transport-security");
        assert_eq!(told.is_some(), prefix.starts_with("__Host"), "{strict:?}");
        // The cookie opens the door again.
        let value = cookies[0].split(';').next().unwrap();
        let page = server
            .visitor()
            .request("GET", "/account")
            .header("cookie", value);
        assert_eq!(crate::support::answer(page).status, 200);
    }
}

#[test]
fn a_form_of_another_site_does_nothing() {
    let server = Server::start();
    let admin = server.sign_in("admin@rollbook.local", "a password for tests");
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let request = admin.request("POST", "/account/name").header(name, value);
        let answer = answer(with_form(request, &[("name", "Evil")]));
        assert_eq!(answer.status, 403, "{name}: {value}: {answer:?}");
    }
    assert!(!admin.get("/account").text.contains("Evil"));
}

/// Reads until the other side ends the connection.
fn rest(mut connection: &TcpStream) -> String {
    connection.set_read_timeout(Some(LIMIT)).unwrap();
    let mut text = Vec::new();
    // Ended is ended, however.
    let _ = connection.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn slow_clients_are_not_waited_for() {
    let server = Server::start();
    server.rollbook(&["source", "add", "desk"]);
    let key = server.rollbook(&["key", "create", "--source", "desk"]);
    let admin = server.sign_in("admin@rollbook.local", "a password for tests");
    let begun = Instant::now();
    let open = |text: &str| {
        let mut connection = TcpStream::connect(server.address()).unwrap();
        connection.write_all(text.as_bytes()).unwrap();
        connection
    };
    let silent = open("");
    let half_head = open("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    let half_record = open(&format!(
        "POST /api/v1/sources/desk/contacts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"id\":"
    ));
    let half_form = open(
        "POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: 100\r\n\r\nemail=",
    );
    for connection in [&silent, &half_head] {
        assert_eq!(rest(connection), "");
        let took = begun.elapsed();
        assert!(took >= Duration::from_secs(14), "{took:?}");
        assert!(took < Duration::from_secs(28), "{took:?}");
    }
    let told = rest(&half_record);
    assert!(told.starts_with("HTTP/1.1 408 "), "{told}");
    assert!(told.contains("urn:rollbook:problem:too-slow"), "{told}");
    let told = rest(&half_form);
    assert!(told.starts_with("HTTP/1.1 4"), "{told}");
    assert!(begun.elapsed() >= Duration::from_secs(28));
    assert_eq!(
        admin.get("/account").status,
        200,
        "everybody else is served"
    );
}

#[test]
fn a_network_has_only_half_of_the_connections() {
    let server = Server::start_with(&["--max-connections", "4"]);
    let open = || {
        let mut connection = TcpStream::connect(server.address()).unwrap();
        write!(connection, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        connection.set_read_timeout(Some(LIMIT)).unwrap();
        let mut first = [0; 12];
        let answered = connection.read_exact(&mut first).is_ok();
        (answered && first == *b"HTTP/1.1 200").then_some(connection)
    };
    let (one, two) = (open().unwrap(), open().unwrap());
    assert!(open().is_none(), "a third one is closed");
    drop(one);
    eventually("a place", open);
    drop(two);
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let server = Server::start();
    let request = server
        .nobody()
        .request("GET", "/healthz")
        .header("x-long", "x".repeat(100_000));
    assert_eq!(answer(request).status, 431);
}

#[test]
fn nobody_fills_somebodys_mailbox_with_links() {
    let server = Server::start_with(&[
        "--mail",
        "smtp://127.0.0.1:9?tls=none",
        "--mail-from",
        "rollbook@hotel.example",
        "--public-url",
        "http://rollbook.example",
    ]);
    server.person_with(EMAIL, PASSWORD);
    let admin = server.admin();
    let mails = |email: &str| {
        let mails = admin.get("/api/v1/outbox").json();
        let mails = mails["mails"].as_array().unwrap().clone();
        mails.iter().filter(|mail| mail["to"] == email).count()
    };
    for _ in 0..8 {
        // The same answer, whether a mail is sent or not.
        let asked = server.visitor().post("/reset", &[("email", EMAIL)]);
        assert_eq!(asked.status, 200, "{asked:?}");
    }
    let other = [("email", "admin@rollbook.local")];
    server.visitor().post("/reset", &other);
    // Mails are put in beside the answers, in any order.
    eventually("five mails and one", || {
        (mails(EMAIL) == 5 && mails("admin@rollbook.local") == 1).then_some(())
    });
}
