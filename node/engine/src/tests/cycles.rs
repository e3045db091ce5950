//! Circles of dependencies that people made apart: who waits, what is shown, how it ends.

use towline_api::conflict_text::{means, unkeepable};
use towline_api::explanation_text::sentences;
use towline_api::notice_text::link_note_text;
use towline_api::request::{Administration, Command, Query, Reply, Request, Transition};
use towline_api::types::OpenConflict;
use towline_api::types::{ConflictTopic, SideResult, Unkeepable};
use towline_proto::{Rule, Verb};

use super::pair::{Clock, Replica, meet, pair};

fn apart(clock: &Clock) -> (Replica, Replica) {
    let (mut ann, mut bo) = pair(clock);
    for title in ["one", "two", "three", "four"] {
        ann.create(title, &[]);
    }
    meet(&mut ann, &mut bo);
    (ann, bo)
}

/// Who waits and for whom, of the dependency that is suspended.
fn suspended(open: &OpenConflict) -> (String, String) {
    let side = open.sides.iter().find(|side| !side.effective).unwrap();
    let SideResult::Waits { item, on } = &side.result else {
        panic!("{side:?}")
    };
    (item.handle.clone(), on.handle.clone())
}

#[test]
fn in_a_concurrent_cycle_one_dependency_is_suspended_and_both_items_show_it() {
    let clock = Clock::new();
    let (mut ann, mut bo) = apart(&clock);
    ann.depends("1", "2");
    bo.depends("2", "1");
    assert_eq!(ann.card("1").conflicts, 0, "nothing has met yet");
    meet(&mut ann, &mut bo);

    let open = ann.conflicts(None);
    let [circle] = open.as_slice() else {
        panic!("{open:?}")
    };
    assert_eq!(
        (circle.rule, &circle.topic),
        (Rule::Cycle, &ConflictTopic::Dependencies)
    );
    assert_eq!(circle.sides.len(), 2);
    assert!(circle.sides[0].effective && !circle.sides[1].effective);
    let (free, on) = suspended(circle);
    let bos = bo.conflicts(None);
    assert_eq!(
        (&bos[0].id, suspended(&bos[0])),
        (&circle.id, (free.clone(), on.clone())),
        "the same on both"
    );

    for item in [&free, &on] {
        let page = ann.page(item);
        assert_eq!((page.card.conflicts, page.open_conflicts.len()), (1, 1), "{item}");
        assert_eq!(page.open_conflicts[0].id, circle.id);
    }
    let card = ann.card(&free);
    assert_eq!(card.unmet, 0, "what is suspended is not waited for");
    let note = link_note_text(card.depends_on[0].note.as_ref().unwrap());
    assert_eq!(note, format!("suspended: it closes a cycle with {on}"));
    assert_eq!(ann.card(&on).unmet, 1);
    let Reply::Explanations(why) = ann.ask(Request::Query(Query::Explain { item: free.clone() })) else {
        panic!()
    };
    let says = format!("It does not wait for {on} ");
    assert!(
        sentences(&why[0], None)
            .iter()
            .any(|because| because.starts_with(&says) && because.contains("(suspended")),
        "{why:?}"
    );
    assert_eq!(why[0].conflicts.len(), 1);
    let ready = ann.cards(Request::Query(Query::Ready {
        asker: None,
        all: false,
    }));
    assert!(ready.contains(&free) && !ready.contains(&on), "{ready:?}");
    let Reply::Status(status) = ann.ask(Request::Query(Query::Status)) else {
        panic!()
    };
    assert_eq!(status.conflicts, 2);
    let Reply::Doctor(doctor) = ann.ask(Request::Administration(Administration::Doctor)) else {
        panic!()
    };
    assert_eq!(doctor.findings, Vec::<String>::new());

    ann.does(&free, Verb::Start);
    let refused = ann
        .try_ask(Request::Command(Command::Transition(Transition::plain(
            &on,
            Verb::Start,
        ))))
        .unwrap_err();
    assert!(
        refused.message.contains(&format!("waits for {free}")),
        "{refused}"
    );

    // Over as soon as somebody removes one of the two, whichever, wherever.
    bo.ask(Request::Command(Command::Depends {
        item: on.clone(),
        add: vec![],
        remove: vec![free.clone()],
    }));
    meet(&mut ann, &mut bo);
    assert!(ann.conflicts(None).is_empty() && bo.conflicts(None).is_empty());
    let card = ann.card(&free);
    assert_eq!(
        (card.conflicts, card.unmet, card.depends_on[0].note.clone()),
        (0, 1, None)
    );
}

#[test]
fn resolving_a_cycle_removes_the_suspended_dependency() {
    let clock = Clock::new();
    let (mut ann, mut bo) = apart(&clock);
    ann.depends("1", "2");
    bo.depends("2", "1");
    ann.depends("3", "4");
    bo.depends("4", "3");
    meet(&mut ann, &mut bo);
    let open = ann.conflicts(Some("1"));
    let (waits, on) = suspended(&open[0]);

    // What takes effect is kept: the suspended one goes.
    ann.settle("1", "a").unwrap();
    assert!(ann.card(&waits).depends_on.is_empty());
    assert_eq!(ann.card(&on).depends_on.len(), 1);
    // In a circle of two the suspended one can be kept as well: the other one goes.
    let open = ann.conflicts(Some("3"));
    let (waits, on) = suspended(&open[0]);
    ann.settle("4", &waits).unwrap();
    assert!(ann.card(&on).depends_on.is_empty());
    assert_eq!(ann.card(&waits).unmet, 1);
    assert!(ann.conflicts(None).is_empty());
    meet(&mut ann, &mut bo);
    assert!(bo.conflicts(None).is_empty());
}

#[test]
fn resolving_a_cycle_replies_about_the_requested_item() {
    let clock = Clock::new();
    for asked in ["1", "2"] {
        for keep in ["a", "b"] {
            let (mut ann, mut bo) = apart(&clock);
            ann.depends("1", "2");
            bo.depends("2", "1");
            meet(&mut ann, &mut bo);
            let open = ann.conflicts(Some(asked));
            let gone = open[0].sides.iter().find(|side| side.key != keep).unwrap();
            let SideResult::Waits { item: waits, on } = &gone.result else {
                panic!("{gone:?}")
            };
            let Reply::Applied(applied) = ann.settle(asked, keep).unwrap() else {
                panic!("applied")
            };
            assert_eq!(applied.card.handle, asked);
            assert_eq!((applied.from, applied.changed), (Some(applied.card.column), true));
            assert_eq!(applied.card.conflicts, 0);
            assert_eq!(
                applied.notes[0],
                format!("{} no longer depends on {}", waits.handle, on.handle)
            );
        }
    }
}

#[test]
fn keeping_the_suspended_dependency_of_a_longer_cycle_asks_which_other_one_to_remove() {
    let clock = Clock::new();
    let (mut ann, mut bo) = apart(&clock);
    ann.depends("1", "2");
    ann.depends("2", "3");
    bo.depends("3", "1");
    meet(&mut ann, &mut bo);
    let open = ann.conflicts(None);
    assert_eq!(open[0].sides.len(), 3);
    let (waits, on) = suspended(&open[0]);
    let refused = ann.settle(&waits, "c").unwrap_err();
    assert_eq!(refused.code.exit(), 5);
    for side in open[0].sides.iter().filter(|side| side.effective) {
        assert!(refused.message.contains(&means(side)), "{refused}");
    }
    assert_eq!(ann.conflicts(None).len(), 1, "nothing was changed");
    // A circle is over too when one of its items is: it waits for nobody then.
    ann.does(&on, Verb::Merged);
    assert!(ann.conflicts(None).is_empty());
    let card = ann.card(&waits);
    assert_eq!(
        (card.conflicts, card.unmet, card.depends_on[0].note.clone()),
        (0, 0, None)
    );
    ann.does(&on, Verb::Reopen);
    assert_eq!(ann.conflicts(None).len(), 1, "and there again with it");
    meet(&mut ann, &mut bo);
    assert_eq!(bo.conflicts(None)[0].id, open[0].id);
    let after = ann.restart(&clock).conflicts(None);
    assert_eq!(after[0].id, open[0].id);
}

#[test]
fn a_cycle_through_a_successor_blocks_nobody_either() {
    let clock = Clock::new();
    let (mut ann, mut bo) = apart(&clock);
    ann.depends("1", "2");
    let mut supersede = Transition::plain("2", Verb::Supersede);
    supersede.by = Some("3".into());
    bo.ask(Request::Command(Command::Transition(supersede)));
    ann.depends("3", "1");
    meet(&mut ann, &mut bo);
    let open = ann.conflicts(None);
    assert_eq!(open.len(), 1);
    let (waits, _) = suspended(&open[0]);
    assert!(waits == "1" || waits == "3");
    assert!(
        ann.cards(Request::Query(Query::Ready {
            asker: None,
            all: false
        }))
        .contains(&waits)
    );
}

/// One puts another in an item's place, and somebody apart has that one wait for the item.
#[test]
fn a_cycle_of_a_successor_and_a_dependency_is_resolved_as_the_message_says() {
    let clock = Clock::new();
    let (mut ann, mut bo) = apart(&clock);
    let mut asked = Transition::plain("1", Verb::Supersede);
    asked.by = Some("2".into());
    ann.ask(Request::Command(Command::Transition(asked)));
    bo.depends("2", "1");
    meet(&mut ann, &mut bo);

    let open = ann.conflicts(None);
    let [circle] = open.as_slice() else {
        panic!("{open:?}")
    };
    let results: Vec<_> = circle
        .sides
        .iter()
        .map(|side| (side.effective, means(side)))
        .collect();
    assert_eq!(
        results,
        [
            (true, "2 replaces 1".to_owned()),
            (false, "2 waits for 1".to_owned())
        ]
    );
    let why = unkeepable(circle.sides[1].unkeepable.as_ref().unwrap(), None);
    assert!(
        why.contains("cannot wait for itself") && why.contains("reopen 1"),
        "{why}"
    );
    assert_eq!(ann.settle("2", "b").unwrap_err().message, why);
    ann.settle("2", "a").unwrap();
    assert!(ann.conflicts(None).is_empty());
    assert!(ann.card("2").depends_on.is_empty());
}

#[test]
fn an_item_does_not_take_the_place_of_one_that_it_waits_for() {
    let clock = Clock::new();
    let (mut ann, _) = apart(&clock);
    ann.depends("3", "2");
    ann.depends("2", "1");
    let mut asked = Transition::plain("1", Verb::Supersede);
    asked.by = Some("3".into());
    let refused = ann
        .try_ask(Request::Command(Command::Transition(asked)))
        .unwrap_err();
    assert_eq!(refused.code.exit(), 5);
    assert!(refused.message.contains("3 depends on 1"), "{refused}");
}

#[test]
fn in_a_longer_cycle_the_suspended_side_says_what_to_remove_to_keep_it() {
    let clock = Clock::new();
    let (mut ann, mut bo) = apart(&clock);
    ann.depends("1", "2");
    ann.depends("2", "3");
    bo.depends("3", "1");
    meet(&mut ann, &mut bo);
    let open = ann.conflicts(None);
    let side = open[0].sides.iter().find(|side| !side.effective).unwrap();
    let Some(Unkeepable::OtherDependencies { others, .. }) = &side.unkeepable else {
        panic!("{side:?}")
    };
    assert_eq!(others.len(), 2);
    let others = open[0].sides.iter().filter(|side| side.effective);
    assert!(others.clone().count() == 2 && others.clone().all(|side| side.unkeepable.is_none()));
}
