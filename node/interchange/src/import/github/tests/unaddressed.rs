//! Files whose issues do not say of which repository they are.

use super::problems;
use crate::import::github::read_repository;

#[test]
fn a_file_without_addresses_is_read_when_the_repository_is_said() {
    let text = r#"{"issues":[{"number":1,"title":"a","blockedBy":[{"number":2}]},{"number":2,"title":"b"},{"title":"c"},
        {"number":3,"title":"d","url":"https://github.com/Other/Place/issues/3"}]}"#;
    let repository = "Acme/shop".parse().expect("a repository");
    let parsed = read_repository(text.as_bytes(), Some(&repository));
    let read: Vec<_> = parsed.items.iter().map(|item| item.external.as_str()).collect();
    assert_eq!(
        read,
        ["github:acme/shop#1", "github:acme/shop#2", "github:other/place#3"]
    );
    assert_eq!(parsed.items[2].record.formerly, ["github:Other/Place#3"]);
    assert_eq!(parsed.relations[0].to, "github:acme/shop#2");
    assert_eq!(parsed.problems.len(), 1);
    assert!(
        problems(text)[0].contains("--repo OWNER/NAME"),
        "{:?}",
        problems(text)
    );
}

#[test]
fn issues_of_a_repository_that_nobody_names_are_known_by_number_and_birth() {
    let text = r#"[{"number":1,"title":"a","createdAt":"2026-01-01T00:00:00Z","blockedBy":[{"number":2}]},
        {"number":2,"title":"b","createdAt":"2026-01-02T00:00:00Z"},
        {"number":1,"title":"of another","createdAt":"2026-02-01T00:00:00Z"},
        {"number":1,"title":"a, later","createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-03-01T00:00:00Z"}]"#;
    let parsed = read_repository(text.as_bytes(), None);
    let mut read: Vec<_> = parsed
        .items
        .iter()
        .map(|item| (item.title.as_str(), item.record.by_birth))
        .collect();
    read.sort_unstable();
    assert_eq!(read, [("a, later", true), ("b", true), ("of another", true)]);
    assert_eq!(parsed.problems.len(), 0, "{:?}", parsed.problems);
    assert!(
        parsed.notes.iter().any(|note| note.contains("--repo OWNER/NAME")),
        "{:?}",
        parsed.notes
    );
}
