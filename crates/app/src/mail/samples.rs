//! A sample of every mail, full of hostile text, and the test that renders all of them.

use crate::mail::alert::Alert;
use crate::mail::import_report::{ImportReport, Outcome};
use crate::mail::invitation::Invitation;
use crate::mail::password_reset::PasswordReset;
use crate::mail::problems::{Group, Groups};
use crate::mail::source_digest::{Part, SourceDigest};
use crate::mail::test_mail::TestMail;
use crate::mail::{Letter, Mail};

const HOSTILE: &str = "\"><script>alert('x')</script><img src=x onerror=alert(1)>";

fn hostile() -> String {
    HOSTILE.to_owned()
}

fn letter(settings: bool) -> Letter {
    Letter {
        workspace: hostile(),
        why: hostile(),
        settings: settings.then(hostile),
    }
}

fn groups() -> Groups {
    Groups {
        named: vec![Group {
            field: hostile(),
            code: hostile(),
            count: "2".to_owned(),
            message: hostile(),
            examples: vec![hostile(), hostile()],
            rows: "Rows 3, 7".to_owned(),
        }],
        rest: "Further kinds of problems: 3 times.".to_owned(),
    }
}

fn report(outcome: Outcome, whole: bool) -> Mail {
    let link = || whole.then(hostile);
    let report = ImportReport {
        letter: letter(whole),
        file: hostile(),
        outcome,
        lede: hostile(),
        error: link(),
        counts: vec![("Rows", "3".to_owned()), ("Failed", "2".to_owned())],
        failures: if whole { groups() } else { Groups::default() },
        warnings: if whole { groups() } else { Groups::default() },
        failed_rows: if whole { hostile() } else { String::new() },
        failed_rows_link: link(),
        log: link(),
        log_of_failures: link(),
        log_of_warnings: link(),
    };
    report.mail().unwrap()
}

fn invitation() -> Mail {
    let mail = Invitation {
        letter: letter(false),
        by: hostile(),
        role: "viewer",
        url: hostile(),
    };
    mail.mail().unwrap()
}

fn password_reset() -> Mail {
    let mail = PasswordReset {
        letter: letter(false),
        email: hostile(),
        url: hostile(),
    };
    mail.mail().unwrap()
}

/// Every mail with its name, in every form.
fn all() -> Vec<(&'static str, Mail)> {
    let rows = || "3 rows".to_owned();
    let part = || Part {
        count: "2".to_owned(),
        groups: groups(),
        log: Some(hostile()),
    };
    let digest = |failures, warnings| SourceDigest {
        letter: letter(true),
        source: hostile(),
        outcome: "2 failures".to_owned(),
        lede: hostile(),
        failures,
        warnings,
        attached: hostile(),
    };
    let alert = |failures| Alert {
        letter: letter(true),
        source: hostile(),
        what: "has sent nothing for 31 hours".to_owned(),
        story: hostile(),
        failures,
        log: Some(hostile()),
    };
    let test = TestMail {
        letter: letter(true),
        by: hostile(),
    };
    vec![
        ("imported", report(Outcome::AllWell(rows()), false)),
        ("warnings", report(Outcome::WithWarnings(rows()), true)),
        ("failures", report(Outcome::WithFailures(rows()), true)),
        ("stopped", report(Outcome::Stopped(rows()), true)),
        ("cancelled", report(Outcome::Cancelled(rows()), false)),
        ("digest", digest(part(), part()).mail().unwrap()),
        (
            "digest of warnings",
            digest(Part::default(), part()).mail().unwrap(),
        ),
        ("alert of failures", alert(groups()).mail().unwrap()),
        ("alert of silence", alert(Groups::default()).mail().unwrap()),
        ("test", test.mail().unwrap()),
        ("invitation", invitation()),
        ("password reset", password_reset()),
    ]
}

#[test]
fn every_mail_renders_and_lets_no_html_through() {
    for (name, mail) in all() {
        assert!(
            !mail.html.contains("<script"),
            "{name} runs what it was given"
        );
        assert!(
            !mail.html.contains("<img"),
            "{name} shows what it was given"
        );
        assert!(mail.html.contains("alert("), "{name} shows no data at all");
        assert!(
            mail.text.contains("alert('x')"),
            "{name}: text is not escaped"
        );
        assert!(
            !mail.subject.is_empty() && !mail.subject.contains('\n'),
            "{name}"
        );
    }
}

#[test]
fn both_parts_say_the_same() {
    for (name, mail) in all() {
        for part in ["Rows 3, 7", "3 times", "Failed", "2 failures", "31 hours"] {
            assert_eq!(
                mail.text.contains(part),
                mail.html.contains(part),
                "{name}: {part:?} is in one part only:\n{}",
                mail.text
            );
        }
        assert!(
            !mail.text.contains("\n\n\n"),
            "{name} has gaps:\n{}",
            mail.text
        );
    }
}
