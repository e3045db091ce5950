//! From what is typed to the requests of `list` and `ready`.

use serde_json::json;

use super::planning::{planned, requests};
use crate::args::Cli;

#[test]
fn lists_are_filtered_by_priority_and_time() {
    let list = &requests(&["list", "-p", "0,1", "--updated", "7d", "--created", "2026-11-01"])[0];
    assert_eq!(list["priorities"], json!([0, 1]));
    assert_eq!(list["updated_since"], "2026-11-13T12:00:00Z");
    assert_eq!(list["created_since"], "2026-11-01T00:00:00Z");
    for wrong in [["-p", "5"], ["--updated", "soon"], ["--sort", "colour"]] {
        let line = ["towline", "list"].into_iter().chain(wrong);
        assert!(Cli::read(line.map(Into::into)).is_err(), "{wrong:?}");
    }
}

#[test]
fn ready_takes_the_filters_of_a_list_unless_it_claims() {
    let plan = planned(&["ready", "--label", "ui", "-n", "5"]).expect("planned");
    assert_eq!(plan.requests.len(), 1);
    let among = serde_json::to_value(plan.among.expect("a filter")).expect("JSON");
    assert_eq!(
        (&among["request"], &among["labels"]),
        (&json!("list"), &json!(["ui"]))
    );
    assert!(planned(&["ready", "-n", "5"]).expect("planned").among.is_none());
    for both in [["--label", "ui"], ["-n", "5"], ["--sort", "title"]] {
        let line = ["towline", "ready", "--claim"].into_iter().chain(both);
        assert!(Cli::read(line.map(Into::into)).is_err(), "{both:?}");
    }
}
