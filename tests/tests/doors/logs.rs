//! What a node says of itself: nothing in a clean catch-up, nothing raw, no colours in files.

use towline_tests::process::{Place, until};

use super::shop;

/// Items that both have before the catch-up.
const ITEMS: usize = 5;
/// Comments on each of them that come in it.
const COMMENTS: usize = 4;

#[test]
fn a_clean_catch_up_says_nothing() {
    let ann = shop();
    for n in 1..ITEMS {
        ann.create(&format!("Item {n}"));
    }
    let running = ann.serve();
    let bob = Place::of("bob");
    bob.join(&ann.invite(&[]));
    // A document that bob holds already comes out of his cache, and many entries come at once.
    for n in 1..=ITEMS {
        for comment in 0..COMMENTS {
            let said = format!(
                "Comment {comment} on {n}, which is long enough to be packed: {}",
                "on and on, ".repeat(20)
            );
            ann.run(&["comment", &n.to_string(), &said]).ok();
        }
    }
    let other = bob.serve();
    let wanted = ann.export();
    until("both hold the same", || bob.export() == wanted);
    let said = format!("{}{}", running.said(), other.said());
    assert_eq!(said, "", "a clean catch-up is no news");
    other.stop();
    running.stop();
}

#[test]
fn a_log_that_is_a_file_has_no_colours_and_json_is_json() {
    let ann = shop();
    for format in ["text", "json"] {
        let mut command = ann.command(&["create", "story", "Said aloud"]);
        command
            .env("TOWLINE_LOG", "trace")
            .env("TOWLINE_LOG_FORMAT", format)
            .env_remove("NO_COLOR");
        let outcome = towline_tests::process::finish(command);
        assert!(
            !outcome.err.is_empty() && !outcome.err.contains('\x1b'),
            "{outcome}"
        );
        let lines: Vec<serde_json::Result<serde_json::Value>> =
            outcome.err.lines().map(serde_json::from_str).collect();
        assert_eq!(lines.iter().all(Result::is_ok), format == "json", "{outcome}");
    }
}
