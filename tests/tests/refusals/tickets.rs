//! Tickets that do not let anybody in, and members who may not write.

use towline_tests::process::{Place, until};

use super::shop;

#[test]
fn a_ticket_works_once_in_time_and_undamaged() {
    let (ann, before) = shop();
    let node = ann.serve();
    let used = ann.invite(&[]);
    let revoked = ann.invite(&[]);
    let members = ann.json(&["members"]);
    let open: Vec<_> = members["members"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|member| member["ticket"].as_str())
        .collect();
    assert_eq!(open.len(), 2, "{members}");
    let ben = Place::of("ben");
    ben.join(&used);
    let left = ann.json(&["members"]);
    let left: Vec<_> = left["members"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|member| member["ticket"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(left.len(), 1);
    ann.run(&["revoke", &left[0]]).ok();
    let expired = ann.invite(&["--expires", "1s"]);

    let cem = Place::of("cem");
    cem.run(&["join", &used])
        .refused(4, &["used", "ask for a new one"]);
    cem.run(&["join", &revoked])
        .refused(4, &["revoked", "ask for a new one"]);
    let ends = expired.parse::<towline_proto::Ticket>().unwrap().expires;
    until("the ticket has expired", || towline_cli::context::now() > ends);
    cem.run(&["join", &expired])
        .refused(4, &["expired", "ask for a new one"]);
    let mut damaged = ann.invite(&[]);
    let last = damaged.pop().unwrap();
    damaged.push(if last == 'A' { 'B' } else { 'A' });
    cem.run(&["join", &damaged])
        .refused(2, &["ticket", "copy the whole line"]);
    cem.run(&["join", "hello"]).refused(2, &["ticket"]);
    cem.run(&["list"]).refused(3, &["no project"]);
    assert_eq!(ann.export(), before);
    assert_eq!(ben.export(), before);
    // The one that let him in only leads there again; another one stays good for somebody else.
    ben.run(&["join", &used]).ok();
    ben.run(&["join", &ann.invite(&[])])
        .refused(2, &["already a member of shop", "not used"]);
    node.stop();
    cem.run(&["join", &used, "--timeout", "5s"]).refused(69, &[]);
    ann.is_sound();
}

#[test]
fn a_reader_reads_and_does_not_write() {
    let (ann, before) = shop();
    let node = ann.serve();
    let ben = Place::of("ben");
    ben.join(&ann.invite(&["--role", "reader"]));
    assert_eq!(ben.export(), before);
    ben.run(&["create", "story", "Not mine to make"])
        .refused(4, &["reader"]);
    ben.run(&["comment", "1", "Not mine to say"])
        .refused(4, &["reader"]);
    ben.run(&["invite"]).refused(4, &[]);
    assert_eq!(ben.export(), before);
    node.stop();
    assert_eq!(ann.export(), before);
}
