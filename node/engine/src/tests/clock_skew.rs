//! Clocks that are ahead: what they say is shown as what it can be, with a flag.

use std::time::Duration;

use towline_api::request::{Administration, Command, Query, Reply, Request};
use towline_proto::Verb;

use super::pair::{BEGIN, Clock, meet, pair};

#[test]
fn a_time_far_ahead_is_shown_as_when_it_was_seen_and_flagged() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    ann.create("honest", &[]);
    meet(&mut ann, &mut bo);
    let ahead = Clock::new();
    ahead.check_run(Duration::from_secs(3 * 3_600));
    let mut bo = bo.restart(&ahead);
    bo.does("1", Verb::Start);
    bo.does("1", Verb::Claim);
    bo.ask(Request::Command(Command::Comment {
        item: "1".into(),
        text: "from the future".into(),
    }));
    assert!(!bo.card("1").skewed, "by his own clock all is well");
    let mut bo = bo.restart(&clock);
    meet(&mut ann, &mut bo);

    let soon = BEGIN.plus(600_000);
    let page = ann.page("1");
    let card = &page.card;
    assert!(card.skewed);
    for at in [
        card.updated_at,
        card.entered_at,
        card.claim.as_ref().unwrap().at,
        page.remarks[0].at,
    ] {
        assert!(at < soon, "{at}");
    }
    assert!(page.remarks[0].skewed);
    let flagged = |what: &str| {
        let line = page
            .history
            .iter()
            .find(|line| line.what.as_str() == what)
            .unwrap();
        (line.skewed, line.at < soon)
    };
    assert_eq!(flagged("create"), (false, true));
    assert_eq!(flagged("start"), (true, true));
    let events = |replica: &mut super::pair::Replica| {
        let request = Request::Query(Query::Events { after: 0, limit: 99 });
        let Reply::Events(events) = replica.ask(request) else {
            panic!()
        };
        events
    };
    let seen = events(&mut ann);
    assert!(seen.iter().any(|event| event.skewed) && !seen.iter().all(|event| event.skewed));
    assert!(seen.iter().all(|event| event.event.at < soon));
    // Exports say what was written, and so the same everywhere.
    let export = |replica: &mut super::pair::Replica| {
        let Reply::Lines(lines) = replica.ask(Request::Administration(Administration::ExportLines {
            offset: 0,
            limit: 9,
        })) else {
            panic!()
        };
        let mut out = Vec::new();
        towline_interchange::export::jsonl::write(lines, &mut out).unwrap();
        out
    };
    assert_eq!(export(&mut ann), export(&mut bo));
    // Once the time has come there is nothing odd about it; the event keeps its flag.
    clock.check_run(Duration::from_secs(4 * 3_600));
    assert!(!ann.card("1").skewed);
    assert_eq!(events(&mut ann), seen);
    let mut ann = ann.restart(&clock);
    assert_eq!(events(&mut ann), seen, "also when they are read again");
    ann.ask(Request::Administration(Administration::Rebuild));
    assert_eq!(
        events(&mut ann)
            .iter()
            .map(|event| event.skewed)
            .collect::<Vec<_>>(),
        seen.iter().map(|event| event.skewed).collect::<Vec<_>>(),
        "the log knows when it was seen"
    );
}
