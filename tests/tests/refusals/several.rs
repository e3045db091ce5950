//! Commands about several items: all are looked at before one is changed, and each is told of.

use super::shop;

#[test]
fn nothing_is_changed_where_one_of_several_would_be_refused() {
    let (ann, _) = shop();
    ann.run(&["freeze", "2"]).ok();
    let before = ann.export();
    for running in [false, true] {
        let node = running.then(|| ann.serve());
        let said = ann.run(&["start", "1", "2"]).refused(5, &["2: ", "frozen"]);
        assert!(said.contains("1: nothing was done"), "{said}");
        let said = ann
            .run(&["label", "1", "77", "2", "+ui"])
            .refused(3, &["77: no item 77"]);
        assert!(
            said.contains("1: nothing was done") && said.contains("2: nothing was done"),
            "{said}"
        );
        ann.run(&["delete", "1", "2", "99", "--json"])
            .refused(3, &["no item 99"]);
        ann.run(&["assign", "1", "9a", "bo"]).refused(3, &["9a"]);
        ann.run(&["move", "1", "99", "qa"]).refused(3, &["99"]);
        ann.run(&["--dry-run", "start", "1", "2"]).refused(5, &["frozen"]);
        assert_eq!(ann.export(), before);
        if let Some(node) = node {
            node.stop();
        }
    }
    // An item that is named twice is changed once.
    let said = ann.run(&["label", "1", "#1", "2", "+ui"]).ok();
    assert_eq!(said.lines().count(), 2, "{said}");
    ann.run(&["unfreeze", "2"]).ok();
    ann.run(&["start", "1", "2"]).ok();
    let started = ann.json(&["list", "--column", "coding"]);
    assert_eq!(started["items"].as_array().map(Vec::len), Some(2), "{started}");
    ann.is_sound();
}

#[test]
fn fifty_who_take_the_best_at_once_get_fifty_items() {
    let (ann, _) = shop();
    for number in 0..48 {
        ann.create(&format!("item {number}"));
    }
    let node = ann.serve();
    let taken: Vec<String> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..50)
            .map(|number| {
                let ann = &ann;
                scope.spawn(move || {
                    let who = format!("coder-{number}");
                    ann.run(&["-q", "ready", "--claim", "--for", &who])
                        .ok()
                        .trim()
                        .to_owned()
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    let different: std::collections::BTreeSet<&String> = taken.iter().collect();
    assert_eq!(different.len(), 50, "{taken:?}");
    ann.run(&["ready", "--claim"])
        .refused(3, &["nothing is ready", "ready --all"]);
    node.stop();
    ann.is_sound();
}
