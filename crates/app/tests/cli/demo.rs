//! `rollbook demo`.

use crate::support::Workspace;

#[test]
fn the_demo_fills_a_workspace_once() {
    let workspace = Workspace::new();
    let first = workspace.run(&["demo"]).code(0);
    assert!(
        first.err.contains("password: ") && first.err.contains("address: http://"),
        "{first:?}"
    );
    let attempts = workspace.attempts(&[]);
    let count = |result: &str| {
        attempts
            .iter()
            .filter(|attempt| attempt["result"] == result)
            .count()
    };
    assert!(attempts.len() > 250, "{}", attempts.len());
    // Whoever looks around meets each of the results, but mostly good ones.
    assert!(
        count("failure") >= 10 && count("warning") >= 5,
        "{} {}",
        count("failure"),
        count("warning")
    );
    assert!(count("success") * 10 > attempts.len() * 9);
    for source in ["manual", "booking-desk-api", "mews-harbour-hotel"] {
        assert!(
            attempts.iter().any(|attempt| attempt["source"] == source),
            "{source}"
        );
    }
    for kind in ["external_id", "phone", "email"] {
        assert!(
            attempts.iter().any(|attempt| attempt["matched_on"] == kind),
            "{kind}"
        );
    }
    let shown = workspace.run(&["workspace", "show", "--json"]).json();
    assert_eq!(shown["name"], "Harbour Hotels");

    let second = workspace.run(&["demo"]).code(0);
    assert!(!second.err.contains("password: "), "{second:?}");
    assert_eq!(workspace.attempts(&[]).len(), attempts.len());
}
