//! Dependencies in a cycle: of one item, of two and of a thousand.

use std::fs;

use towline_tests::process::Place;

/// A tracker in which each item waits for the next.
fn chain(length: usize) -> String {
    let item = |n: usize| {
        let waits = match n {
            last if last == length => String::new(),
            n => format!(
                r#","dependencies":[{{"issue_id":"bd-{n}","depends_on_id":"bd-{}","type":"blocks","created_at":"2026-01-02T10:00:00Z","created_by":"ann"}}]"#,
                n + 1
            ),
        };
        format!(
            r#"{{"id":"bd-{n}","title":"Item {n}","status":"open","priority":1,"issue_type":"task","created_at":"2026-01-01T10:00:00Z","updated_at":"2026-01-01T10:00:00Z"{waits}}}"#
        )
    };
    (1..=length).map(item).collect::<Vec<_>>().join("\n")
}

/// What to type for an item of the chain.
fn handle(place: &Place, n: usize) -> String {
    let title = format!("Item {n}");
    let found = place.items().into_iter().find(|item| item["title"] == *title);
    found.expect(&title)["handle"].as_str().unwrap().to_owned()
}

#[test]
fn cycles_of_one_of_two_and_of_a_thousand_are_refused_by_name() {
    let ann = Place::of("ann");
    ann.init("shop");
    fs::write(ann.dir().join("chain.jsonl"), chain(1_000)).unwrap();
    let imported = ann.run(&["import", "--from", "beads", "chain.jsonl"]).ok();
    assert!(
        imported.contains("1000 created") || imported.contains("1,000 created"),
        "{imported}"
    );
    let (first, second) = (handle(&ann, 1), handle(&ann, 2));
    let (before_last, last) = (handle(&ann, 999), handle(&ann, 1_000));
    let before = ann.export();
    for running in [false, true] {
        let node = running.then(|| ann.serve());
        ann.run(&["depends", "add", &first, &first])
            .refused(5, &[&format!("{first} cannot wait for itself"), "cycle"]);
        ann.run(&["depends", "add", &second, &first])
            .refused(5, &[&format!("cycle, {second} → {first} → {second}")]);
        let said = ann.run(&["depends", "add", &last, &first]).refused(
            5,
            &[
                &format!("{last} cannot wait for {first}"),
                &format!("cycle, {last} → {first} → {second} → "),
                "993 more",
                &format!(" → {before_last} → {last}"),
            ],
        );
        assert!(said.len() < 400, "a thousand names help nobody: {said}");
        assert_eq!(ann.export(), before);
        if let Some(node) = node {
            node.stop();
        }
    }
    ann.is_sound();
}
