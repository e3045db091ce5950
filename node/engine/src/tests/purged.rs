//! What was emptied out of the trash is shown nowhere, and its number stays its own.

use towline_api::request::{Administration, Command, Filter, Query, Reply, Request, Transition};
use towline_api::types::LinkNote;
use towline_proto::Verb;

use super::pair::{Clock, meet, pair};

#[test]
fn a_purged_item_is_shown_nowhere_and_its_number_is_not_given_out_again() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    ann.create("stays", &[]);
    ann.create("the secret plan", &[]);
    ann.depends("1", "2");
    let id = ann.card("2").id.to_string();
    ann.does("2", Verb::Delete);
    assert_eq!(ann.page("2").card.handle, "2", "the trash can be looked at");
    ann.does("2", Verb::Purge);
    meet(&mut ann, &mut bo);

    for replica in [&mut ann, &mut bo] {
        let all = Filter {
            all: true,
            ..Filter::default()
        };
        let trash = Filter {
            deleted: true,
            ..Filter::default()
        };
        assert_eq!(replica.cards(Request::Query(Query::List(all))), ["1"]);
        assert!(replica.cards(Request::Query(Query::List(trash))).is_empty());
        let search = Request::Query(Query::Search {
            text: "secret".into(),
            limit: 9,
        });
        assert!(replica.cards(search).is_empty());
        assert!(
            replica
                .cards(Request::Query(Query::Ready {
                    asker: None,
                    all: false
                }))
                .is_empty(),
            "1 waits for what cannot be done any more"
        );
        let card = replica.card("1");
        let link = &card.depends_on[0];
        assert_eq!((link.handle.as_str(), link.title.as_str()), ("2", ""));
        assert_eq!((&link.note, link.satisfied), (&Some(LinkNote::Purged), false));

        for request in [
            Request::Query(Query::Show { item: "2".into() }),
            Request::Query(Query::Show { item: id.clone() }),
            Request::Query(Query::Explain { item: "2".into() }),
            Request::Query(Query::Log {
                item: Some("2".into()),
                limit: 9,
            }),
            Request::Command(Command::Transition(Transition::plain("2", Verb::Restore))),
        ] {
            let refused = replica.try_ask(request).unwrap_err();
            assert_eq!(refused.code.exit(), 3, "{refused}");
            assert!(refused.message.contains("was purged"), "{refused}");
        }
        let everything = [
            replica.ask(Request::Query(Query::Export { offset: 0, limit: 9 })),
            replica.ask(Request::Query(Query::Log {
                item: None,
                limit: 99,
            })),
        ];
        for reply in everything {
            let told = serde_json::to_string(&reply).unwrap();
            assert!(!told.contains("secret plan"), "{told}");
        }
        let Reply::Status(status) = replica.ask(Request::Query(Query::Status)) else {
            panic!()
        };
        assert_eq!((status.items, status.deleted), (1, 0));
        let Reply::Doctor(doctor) = replica.ask(Request::Administration(Administration::Doctor)) else {
            panic!()
        };
        assert_eq!(doctor.findings, Vec::<String>::new());
    }
    bo.create("new", &[]);
    assert_eq!(bo.card("3").title, "new");
}

#[test]
fn a_number_that_two_items_shared_does_not_become_the_other_ones() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    ann.create("by ann", &[]);
    bo.create("by bo", &[]);
    meet(&mut ann, &mut bo);
    ann.does("1a", Verb::Delete);
    ann.does("1a", Verb::Purge);
    let rest = ann.card("1");
    assert_eq!(rest.handle, "1b", "to look at, there is only one left");
    let refused = ann
        .try_ask(Request::Command(Command::Transition(Transition::plain(
            "1",
            Verb::Start,
        ))))
        .unwrap_err();
    assert!(refused.message.contains("1a (purged), 1b"), "{refused}");
    ann.does("1b", Verb::Start);
}
