//! Settings of a project: who changes them, how they travel and merge, what is brought in from a node's own
//! file, and that no list shows their document.

use std::time::Duration;

use towline_api::conflict_text::means;
use towline_api::request::{
    Administration, Command, Failure, Filter, NewItem, Query, Reply, Request, Transition,
};
use towline_api::types::LineOutcome;
use towline_api::types::Setting;
use towline_net::NetOutput;
use towline_proto::{Entry, ItemId, Kind, Op, Origin, OriginKind, Role, Verb};
use towline_store::home::Settings;
use towline_store::home::settings::{ArchiveAfter, ClaimTtl, KEYS, Promote, RetryLimit};

use super::pair::{Clock, Replica, meet, pair};
use crate::pending_batch::Work;

fn try_set(replica: &mut Replica, key: &str, value: &str) -> Result<Reply, Failure> {
    replica.try_ask(Request::Command(Command::Set {
        key: key.to_owned(),
        value: Some(value.to_owned()).filter(|value| !value.is_empty()),
    }))
}

fn set(replica: &mut Replica, key: &str, value: &str) {
    try_set(replica, key, value).unwrap();
}

fn settings(replica: &mut Replica) -> Vec<Setting> {
    match replica.ask(Request::Query(Query::Settings)) {
        Reply::Settings(settings) => settings,
        other => panic!("settings, not {other:?}"),
    }
}

fn one(replica: &mut Replica, key: &str) -> Setting {
    let mut all = settings(replica).into_iter();
    all.find(|setting| setting.key == key).unwrap()
}

fn holding(replica: &Replica) -> Settings {
    replica.project.settings.values
}

/// As [`pair`], with somebody who has another role.
fn pair_with(clock: &Clock, role: Role) -> (Replica, Replica) {
    let (mut ann, mut bo) = pair(clock);
    super::refold_on_role_change::raise(&mut ann, bo.me, role);
    meet(&mut ann, &mut bo);
    (ann, bo)
}

#[test]
fn what_a_maintainer_sets_holds_on_every_node_and_after_a_restart() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    for (key, value) in [
        ("promote", "auto"),
        ("archive_after", "36h"),
        ("retry_limit", "never"),
        ("qa", "human"),
        ("claim_ttl", "3600s"),
    ] {
        set(&mut ann, key, value);
    }
    meet(&mut ann, &mut bo);
    let wanted = Settings {
        promote: Promote::Auto,
        archive_after: ArchiveAfter::Span(Duration::from_secs(36 * 3_600)),
        retry_limit: RetryLimit::Never,
        qa: towline_proto::Qa::Human,
        claim_ttl: ClaimTtl(Duration::from_secs(3_600)),
    };
    for mut replica in [ann, bo] {
        assert_eq!(holding(&replica), wanted);
        let shown: Vec<_> = settings(&mut replica).into_iter().map(|one| one.key).collect();
        assert_eq!(shown, KEYS);
        assert_eq!(one(&mut replica, "claim_ttl").value, "1h");
        assert_eq!(one(&mut replica, "qa").set.unwrap().origin.id, "ann");
        let mut again = replica.killed(&clock).restart(&clock);
        assert_eq!(holding(&again), wanted);
        again.ask(Request::Administration(Administration::Rebuild));
        assert_eq!(holding(&again), wanted);
        let Reply::Doctor(doctor) = again.ask(Request::Administration(Administration::Doctor)) else {
            panic!()
        };
        assert_eq!(doctor.findings, Vec::<String>::new());
    }
}

#[test]
fn a_writer_is_refused_here_and_at_the_gate_of_everybody_else() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    let refused = try_set(&mut bo, "promote", "auto").unwrap_err();
    assert_eq!(refused.code.exit(), 4, "{refused}");
    assert!(refused.message.contains("a writer of demo"), "{refused}");
    for (key, value) in [
        ("promote", "often"),
        ("retry_limit", "0"),
        ("colour", "red"),
        ("qa", "nobody"),
    ] {
        let refused = try_set(&mut ann, key, value).unwrap_err();
        assert_eq!(refused.code.exit(), 2, "{key}: {refused}");
    }
    // One that does not ask itself is stopped by the others.
    bo.create("an item of bo's", &[]);
    meet(&mut ann, &mut bo);
    let origin = Origin::new(OriginKind::User, "bo").unwrap();
    let op = Op::Set {
        key: "promote".into(),
        value: Some("auto".into()),
    };
    let drafts = crate::command::drafts(&bo.project.query(), &origin, None, vec![op]);
    let work = Work {
        item: Some(ItemId::settings(&bo.project.id())),
        drafts,
        ..Work::default()
    };
    bo.project.write(work).unwrap();
    bo.project.commit_pending().unwrap();
    bo.project.run_effects();
    assert_eq!(
        holding(&bo),
        Settings::default(),
        "it has no effect at home either"
    );
    let published = bo.told().into_iter().filter_map(|told| match told {
        NetOutput::Publish { bytes, .. } => Some(Entry::decode(bytes.into()).unwrap()),
        _ => None,
    });
    let entry = published.last().unwrap();
    let outcome = ann.project.try_admit(&entry, true).unwrap_err();
    assert!(
        format!("{outcome:?}").contains("may not change the project's settings"),
        "{outcome:?}"
    );
    assert_eq!(holding(&ann), Settings::default());
}

#[test]
fn concurrent_settings_are_decided_equally_everywhere_and_shown_until_resolved() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair_with(&clock, Role::Maintainer);
    set(&mut ann, "promote", "auto");
    set(&mut bo, "promote", "manual");
    set(&mut bo, "qa", "server");
    meet(&mut ann, &mut bo);
    for replica in [&mut ann, &mut bo] {
        assert_eq!(holding(replica).promote, Promote::Auto, "the owner's");
        assert_eq!(holding(replica).qa, towline_proto::Qa::Server);
        let conflict = one(replica, "promote").conflict.unwrap();
        let means: Vec<_> = conflict.sides.iter().map(means).collect();
        assert_eq!(means, ["auto", "manual"]);
        let open = replica.conflicts(None);
        assert_eq!((open.len(), open[0].item.handle.as_str()), (1, "settings"));
        assert_eq!(replica.conflicts(Some("settings")), open);
        assert!(one(replica, "qa").conflict.is_none());
    }
    bo.settle("settings", "b").unwrap();
    meet(&mut ann, &mut bo);
    for replica in [&mut ann, &mut bo] {
        assert_eq!(holding(replica).promote, Promote::Manual);
        assert!(replica.conflicts(None).is_empty());
    }
    // Saying again what stands settles as well.
    set(&mut ann, "promote", "auto");
    set(&mut bo, "promote", "");
    meet(&mut ann, &mut bo);
    assert_eq!(ann.conflicts(None).len(), 1);
    set(&mut ann, "promote", "auto");
    meet(&mut ann, &mut bo);
    assert!(bo.conflicts(None).is_empty());
    assert_eq!(holding(&bo).promote, Promote::Auto);
}

#[test]
fn the_settings_are_in_no_list_no_count_and_take_no_number() {
    let clock = Clock::new();
    let (mut ann, _) = pair(&clock);
    set(&mut ann, "promote", "auto");
    ann.create("the first", &[]);
    assert_eq!(ann.card("1").title, "the first");
    let all = Request::Query(Query::List(Filter {
        all: true,
        ..Filter::default()
    }));
    assert_eq!(ann.cards(all), ["1"]);
    let Reply::Status(status) = ann.ask(Query::Status.into()) else {
        panic!()
    };
    assert_eq!((status.items, status.deleted, status.conflicts), (1, 0, 0));
    let id = ItemId::settings(&ann.project.id());
    for wanted in [id.to_string(), id.key()] {
        let refused = ann
            .try_ask(Request::Query(Query::Show { item: wanted }))
            .unwrap_err();
        assert_eq!(refused.code.exit(), 3, "{refused}");
    }
    let (offset, limit) = (0, 100);
    let Reply::Pages(pages) = ann.ask(Query::Export { offset, limit }.into()) else {
        panic!()
    };
    let Reply::Lines(lines) = ann.ask(Administration::ExportLines { offset, limit }.into()) else {
        panic!()
    };
    assert_eq!((pages.len(), lines.len()), (1, 1));
    let Reply::Events(events) = ann.ask(Request::Query(Query::Events { after: 0, limit: 100 })) else {
        panic!()
    };
    assert!(events.iter().all(|event| event.event.item != id), "{events:?}");
}

#[test]
fn a_setting_that_cannot_be_stored_or_is_a_dry_run_leaves_nothing() {
    let clock = Clock::new();
    let (mut ann, _) = pair(&clock);
    let (key, value) = ("promote".into(), Some("auto".into()));
    let of = Box::new(Command::Set { key, value }.into());
    let Reply::Settings(rehearsed) = ann.ask(Request::DryRun { of }) else {
        panic!()
    };
    assert_eq!(rehearsed[0].value, "auto");
    assert_eq!(holding(&ann), Settings::default());
    assert!(one(&mut ann, "promote").set.is_none());
}

#[test]
fn what_a_file_of_an_earlier_version_said_is_brought_in_once_by_who_may() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    let file = |value: &str| {
        vec![
            ("promote".to_owned(), value.to_owned()),
            ("claim_ttl".to_owned(), "1h".to_owned()),
        ]
    };
    bo.project.set_legacy_settings(file("auto"));
    bo.project.run_maintenance();
    assert!(
        one(&mut bo, "promote").set.is_none(),
        "a writer's file says nothing"
    );
    ann.project.set_legacy_settings(file("auto"));
    ann.project.run_maintenance();
    let brought = one(&mut ann, "promote");
    assert_eq!(
        (brought.value.as_str(), brought.set.unwrap().origin.id.as_str()),
        ("auto", "config.toml")
    );
    set(&mut ann, "promote", "");
    let mut ann = ann.restart(&clock);
    ann.project.set_legacy_settings(file("auto"));
    ann.project.run_maintenance();
    assert_eq!(
        holding(&ann).promote,
        Promote::Manual,
        "the project has spoken since"
    );
    meet(&mut ann, &mut bo);
    assert_eq!(holding(&bo).claim_ttl, ClaimTtl(Duration::from_secs(3_600)));
}

#[test]
fn an_export_carries_the_settings_with_everything_that_was_done_to_them() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair_with(&clock, Role::Maintainer);
    let line =
        |replica: &mut Replica| match replica.ask(Request::Administration(Administration::SettingsLine)) {
            Reply::SettingsLine(line) => line,
            other => panic!("settings, not {other:?}"),
        };
    assert_eq!(line(&mut ann), None);
    set(&mut ann, "promote", "auto");
    set(&mut bo, "promote", "manual");
    set(&mut bo, "retry_limit", "2");
    meet(&mut ann, &mut bo);
    set(&mut ann, "retry_limit", "");
    meet(&mut ann, &mut bo);
    let told = line(&mut ann).unwrap();
    assert_eq!(line(&mut bo).as_deref(), Some(&*told), "the same on every node");
    assert_eq!(told.settings["promote"].as_deref(), Some("auto"));
    assert_eq!(
        (told.settings["retry_limit"].as_deref(), told.conflicts.len()),
        (None, 1)
    );

    let take = |replica: &mut Replica, line: &towline_api::export_line::SettingsLine| {
        let line = Box::new(line.clone());
        let dry_run = false;
        match replica.ask(Administration::ImportSettings { line, dry_run }.into()) {
            Reply::LineOutcomes(taken) => taken.into_iter().next().unwrap(),
            other => panic!("taken, not {other:?}"),
        }
    };
    let mut cy = Replica::make("cy", &clock, None);
    assert!(matches!(take(&mut cy, &told), LineOutcome::Updated { .. }));
    assert_eq!(
        line(&mut cy).as_deref(),
        Some(&*told),
        "and the same bytes in another project"
    );
    assert_eq!(holding(&cy), holding(&ann));
    assert_eq!(take(&mut cy, &told), LineOutcome::Unchanged);
    set(&mut ann, "qa", "human");
    let later = line(&mut ann).unwrap();
    assert!(matches!(take(&mut cy, &later), LineOutcome::Updated { .. }));
    assert_eq!(holding(&cy).qa, towline_proto::Qa::Human);
    // Settings that went their own way stay.
    set(&mut cy, "qa", "agent");
    set(&mut ann, "qa", "server");
    let other = line(&mut ann).unwrap();
    let LineOutcome::Rejected { why } = take(&mut cy, &other) else {
        panic!()
    };
    assert!(why.contains("settings of its own"), "{why}");
    assert_eq!(holding(&cy).qa, towline_proto::Qa::Agent);
    // What is no setting is not taken, and neither is anything by who may not set.
    let mut alien = (*told).clone();
    alien.acts[1].op = "freeze".into();
    alien.acts[1].with.clear();
    let LineOutcome::Rejected { why } = take(&mut Replica::make("di", &clock, None), &alien) else {
        panic!()
    };
    assert!(why.contains("freeze is not a setting"), "{why}");
    let (_, mut writer) = pair(&clock);
    let LineOutcome::Rejected { why } = take(&mut writer, &told) else {
        panic!()
    };
    assert!(why.contains("maintainer"), "{why}");
}

#[test]
fn new_items_take_their_qa_from_the_settings() {
    let clock = Clock::new();
    let (mut ann, _) = pair(&clock);
    set(&mut ann, "qa", "human");
    ann.create("one", &[]);
    assert_eq!(ann.card("1").qa, towline_proto::Qa::Human);
    let new = serde_json::json!({ "kind": "bug", "title": "two", "qa": "server" });
    ann.ask(Request::Command(Command::Create(
        serde_json::from_value::<NewItem>(new).unwrap(),
    )));
    let card = ann.card("2");
    assert_eq!((card.kind, card.qa), (Kind::Bug, towline_proto::Qa::Server));
}

fn sends_back(replica: &mut Replica, item: &str) -> Reply {
    replica.does(item, Verb::Submit);
    let mut back = Transition::plain(item, Verb::RequestChanges);
    back.reason = Some("the test is missing".into());
    replica.ask(Request::Command(Command::Transition(back)))
}

#[test]
fn an_item_that_is_sent_back_once_too_often_is_blocked_on_every_node() {
    let clock = Clock::new();
    let (mut ann, mut bo) = pair(&clock);
    set(&mut ann, "retry_limit", "2");
    ann.create("hard", &[]);
    ann.does("1", Verb::Start);
    for sent_back in 1..=2 {
        sends_back(&mut ann, "1");
        let card = ann.card("1");
        assert_eq!((card.retries, card.holds.blocked), (sent_back, None));
    }
    let Reply::Applied(applied) = sends_back(&mut ann, "1") else {
        panic!()
    };
    assert!(
        applied
            .notes
            .iter()
            .any(|note| note.contains("sent back 3 times")),
        "{:?}",
        applied.notes
    );
    meet(&mut ann, &mut bo);
    for replica in [&mut ann, &mut bo] {
        let card = replica.card("1");
        assert_eq!((card.retries, card.column), (3, towline_proto::Column::Coding));
        assert_eq!(card.holds.blocked.unwrap().reason, "sent back 3 times");
    }
    // The reason of somebody who blocked it before is kept beside that.
    ann.does("1", Verb::Unblock);
    ann.does("1", Verb::Submit);
    for (verb, reason) in [(Verb::Block, "no keys"), (Verb::RequestChanges, "wrong")] {
        let mut asked = Transition::plain("1", verb);
        asked.reason = Some(reason.into());
        ann.ask(Request::Command(Command::Transition(asked)));
    }
    assert_eq!(
        ann.card("1").holds.blocked.unwrap().reason,
        "sent back 4 times; no keys"
    );
}
