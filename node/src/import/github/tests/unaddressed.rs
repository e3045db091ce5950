//! Files whose issues do not say of which repository they are.

use super::problems;
use crate::import::github::read_of;

#[test]
fn a_file_without_addresses_is_read_when_the_repository_is_said() {
    let text = r#"{"issues":[{"number":1,"title":"a","blockedBy":[{"number":2}]},{"number":2,"title":"b"},{"title":"c"},
        {"number":3,"title":"d","url":"https://github.com/Other/Place/issues/3"}]}"#;
    let repository = "Acme/shop".parse().expect("a repository");
    let parsed = read_of(text.as_bytes(), Some(&repository));
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
