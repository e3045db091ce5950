//! Files of another tracker: cut short, given twice, and in a later version.

use std::fs;

use towline_tests::process::{Outcome, Place};

const FIRST: &str = r#"{"id":"bd-1","title":"First","status":"open","priority":1,"issue_type":"task","created_at":"2026-01-01T10:00:00Z","updated_at":"2026-01-01T10:00:00Z"}"#;
const SECOND: &str = r#"{"id":"bd-2","title":"Second","status":"open","priority":2,"issue_type":"bug","created_at":"2026-01-02T10:00:00Z","updated_at":"2026-01-02T10:00:00Z","dependencies":[{"issue_id":"bd-2","depends_on_id":"bd-1","type":"blocks","created_at":"2026-01-02T10:00:00Z","created_by":"ann"}]}"#;
const FIRST_LATER: &str = r#"{"id":"bd-1","title":"First, said better","status":"closed","priority":0,"issue_type":"task","created_at":"2026-01-01T10:00:00Z","updated_at":"2026-01-05T10:00:00Z","closed_at":"2026-01-05T10:00:00Z"}"#;

fn import(place: &Place, text: &str) -> Outcome {
    let file = place.dir().join("issues.jsonl");
    fs::write(&file, text).unwrap();
    place.run(&["import", "--from", "beads", "issues.jsonl"])
}

#[test]
fn a_truncated_file_names_the_line_and_imports_the_rest() {
    let ann = Place::of("ann");
    ann.init("shop");
    let cut = format!("{FIRST}\n{SECOND}\n{}", &FIRST_LATER[..60]);
    import(&ann, &cut).refused(1, &["line 3", "truncated"]);
    let titles: Vec<_> = ann.items().iter().map(|item| item["title"].clone()).collect();
    assert_eq!(titles, ["First", "Second"]);
    ann.run(&["import", "--from", "beads", "nowhere.jsonl"])
        .refused(3, &["nowhere.jsonl"]);
    ann.is_sound();
}

#[test]
fn a_second_import_changes_nothing_and_a_later_version_updates() {
    let ann = Place::of("ann");
    ann.init("shop");
    let first = import(&ann, &format!("{FIRST}\n{SECOND}\n")).ok();
    assert!(first.contains("2 created"), "{first}");
    let before = ann.export();
    let again = import(&ann, &format!("{FIRST}\n{SECOND}\n")).ok();
    assert!(again.contains("0 created, 0 updated, 2 unchanged"), "{again}");
    assert_eq!(ann.export(), before);
    let later = import(&ann, &format!("{FIRST_LATER}\n{SECOND}\n")).ok();
    assert!(later.contains("0 created, 1 updated, 1 unchanged"), "{later}");
    let items = ann.items();
    assert_eq!(items.len(), 2);
    assert_eq!(items[0]["title"], "First, said better");
    assert_eq!(items[1]["title"], "Second");
    let after = ann.export();
    import(&ann, &format!("{FIRST_LATER}\n{SECOND}\n")).ok();
    assert_eq!(ann.export(), after);
    ann.is_sound();
}
