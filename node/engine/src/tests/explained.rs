//! Why an item stands where it stands: the act that counts is named, not the last one.

use towline_api::conflict_text::unkeepable;
use towline_api::explanation_text::sentences;
use towline_api::request::{Command, Query, Reply, Request, Transition};
use towline_proto::Verb;

use super::pair::{Clock, Replica, meet, pair};

fn block(who: &mut Replica, why: &str) {
    let mut asked = Transition::plain("1", Verb::Block);
    asked.reason = Some(why.to_owned());
    who.ask(Request::Command(Command::Transition(asked)));
}

fn because(who: &mut Replica) -> Vec<String> {
    match who.ask(Request::Query(Query::Explain { item: "1".into() })) {
        Reply::Explanations(all) => all.iter().flat_map(|each| sentences(each, None)).collect(),
        other => panic!("an explanation, not {other:?}"),
    }
}

#[test]
fn a_side_that_cannot_be_kept_against_a_merge_says_so_in_advance() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    ann.create("contended", &[]);
    meet(&mut ann, &mut bo);
    let mut merged = Transition::plain("1", Verb::Merged);
    merged.commit = Some("abc1234".into());
    ann.ask(Request::Command(Command::Transition(merged)));
    bo.does("1", Verb::Abandon);
    meet(&mut ann, &mut bo);
    let open = ann.conflicts(Some("1"));
    let whys: Vec<_> = open[0]
        .sides
        .iter()
        .map(|side| side.unkeepable.as_ref().map(|why| unkeepable(why, None)))
        .collect();
    let [None, Some(why)] = whys.as_slice() else {
        panic!("{whys:?}")
    };
    let refused = ann.settle("1", "b").unwrap_err().message;
    assert!(refused.contains(why), "{refused}");
    ann.settle("1", "a").unwrap();
    assert!(bo.conflicts(Some("1")).len() == 1 && ann.conflicts(Some("1")).is_empty());
}

#[test]
fn a_hold_is_put_down_to_who_put_it_there_and_not_to_who_lifted_another_later() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    ann.create("contended", &[]);
    block(&mut ann, "no key");
    meet(&mut ann, &mut bo);
    block(&mut ann, "still no key");
    clock.check_run(std::time::Duration::from_secs(60));
    bo.does("1", Verb::Unblock);
    meet(&mut ann, &mut bo);
    for who in [&mut ann, &mut bo] {
        let because = because(who);
        let blocked = because
            .iter()
            .find(|line| line.starts_with("It is blocked"))
            .unwrap();
        assert!(blocked.contains("ann blocked it (still no key)"), "{because:?}");
    }
}
