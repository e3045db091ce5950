//! What pages say, given fixed items: hostile text, legal moves only, bounds, reading without forms.

use tokio::sync::{mpsc, watch};
use towline_api::types::{ItemCard, ItemLink, ProjectStatus};
use towline_engine::handle::ProjectLink;
use towline_proto::stage::Holds;
use towline_proto::table::legal_from;
use towline_proto::{
    Column, ItemId, ItemState, Kind, Millis, Origin, OriginKind, ProjectId, Qa, Role, Status, Verb,
};

use super::actions::{VerbInput, targets, verbs};
use super::board::{Board, fragment};
use super::parts::{ago, badge};
use crate::query::BoardQuery;

const NOW: Millis = Millis(1_795_176_000_000);

fn card(number: u32, column: Column) -> ItemCard {
    let mut id = [0; 16];
    id[12..].copy_from_slice(&number.to_be_bytes());
    ItemCard {
        handle: number.to_string(),
        number,
        key: "abcd".into(),
        id: ItemId(id),
        revision: format!("r{number}"),
        kind: Kind::Bug,
        title: format!("Item {number}"),
        column,
        status: Status::Active,
        holds: Holds::default(),
        closing: None,
        deleted: false,
        priority: 2,
        qa: Qa::Agent,
        labels: Vec::new(),
        assignee: None,
        claim: None,
        epic: None,
        depends_on: Vec::new(),
        unmet: 0,
        retries: 0,
        criteria_met: 0,
        criteria: 0,
        comments: 0,
        conflicts: 0,
        attention: Vec::new(),
        progress: None,
        origin: Origin {
            kind: OriginKind::User,
            id: "ann".into(),
        },
        created_at: NOW,
        updated_at: NOW,
        entered_at: Millis(NOW.0 - 3 * 3_600_000),
        claim_heard: None,
        skewed: false,
        in_the_way: None,
        legal: legal_from(ItemState::active(column, Kind::Bug)),
    }
}

fn render(cards: Vec<ItemCard>, query: BoardQuery, csrf: Option<&str>) -> String {
    fragment(&board(cards, query, csrf)).into_string()
}

fn board(cards: Vec<ItemCard>, query: BoardQuery, csrf: Option<&str>) -> Board {
    let (jobs, _) = mpsc::channel(1);
    let (_, feed) = watch::channel(0);
    let link = ProjectLink {
        id: ProjectId([3; 32]),
        name: "demo".into(),
        jobs,
        feed,
    };
    let status = ProjectStatus {
        id: link.id,
        name: "demo".into(),
        node: towline_proto::NodeId([1; 32]),
        node_name: "workbench".into(),
        role: Role::Owner,
        columns: Vec::new(),
        held: 0,
        conflicts: 0,
        deleted: 0,
        items: cards.len(),
        entries: 0,
        log_bytes: 0,
        members: 1,
        waiting: 0,
        digest: String::new(),
        last_event: None,
        peers: None,
        board: None,
        unavailable: Vec::new(),
    };
    let queue = cards.clone();
    Board::new(
        &link,
        0,
        status,
        cards,
        &queue,
        query,
        csrf.map(str::to_owned),
        NOW,
    )
}

#[test]
fn a_hostile_title_is_text_wherever_it_stands() {
    let mut hostile = card(1, Column::Backlog);
    hostile.title = "<script>alert(1)</script>\"'&".into();
    hostile.labels = vec!["<img src=x>".into()];
    hostile.assignee = Some("\" onfocus=\"alert(1)".into());
    let page = render(vec![hostile], BoardQuery::default(), Some("token"));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;"));
    assert!(!page.contains("<script") && !page.contains("<img"));
    assert!(!page.contains("\" onfocus"));
}

#[test]
fn badges_say_in_words_what_they_say_in_colour() {
    insta::assert_snapshot!(
        badge(Status::MergeFailureFinal).into_string(),
        @r#"<span class="badge s-merge-failure-final">merge given up</span>"#
    );
}

#[test]
fn a_menu_offers_the_transition_that_leads_there_and_the_override_where_none_does() {
    let told = |card: &ItemCard| {
        let one = |target: super::actions::MoveTarget| format!("{}={}", target.column, target.value);
        targets(card).into_iter().map(one).collect::<Vec<_>>().join(" ")
    };
    insta::assert_snapshot!(
        told(&card(1, Column::Backlog)),
        @"upcoming=move:upcoming coding=start qa=move:qa merge=move:merge done=merged"
    );
    let mut waiting = card(2, Column::Backlog);
    waiting.unmet = 1;
    waiting.legal.retain(|verb| *verb != Verb::Start);
    assert!(told(&waiting).contains("coding=move:coding"));
    insta::assert_snapshot!(
        told(&card(3, Column::Done)),
        @"upcoming=move:upcoming backlog=reopen coding=move:coding qa=move:qa merge=move:merge archived=archive"
    );
    let mut deleted = card(4, Column::Backlog);
    deleted.legal = vec![Verb::Restore];
    assert_eq!(told(&deleted), "");
}

#[test]
fn the_menu_proposes_the_next_ordinary_step_and_never_a_fact() {
    let proposed = |card: &ItemCard| {
        let proposed = targets(card).into_iter().find(|target| target.proposed);
        proposed.map(|target| target.value)
    };
    let held = |mut card: ItemCard, frozen: bool| {
        let mut standing = ItemState::active(card.column, card.kind);
        (standing.frozen, standing.failure) = (frozen, !frozen);
        card.legal = legal_from(standing);
        card
    };
    let mut waiting = card(1, Column::Backlog);
    waiting.unmet = 1;
    waiting.legal.retain(|verb| *verb != Verb::Start);
    for (card, expected) in [
        (card(2, Column::Upcoming), Some("triage")),
        (card(3, Column::Backlog), Some("start")),
        (card(4, Column::Coding), Some("submit")),
        (card(5, Column::Qa), Some("pass-qa")),
        (card(6, Column::Done), Some("archive")),
        (card(7, Column::Merge), None),
        (card(8, Column::Archived), None),
        (held(card(9, Column::Backlog), true), None),
        (held(card(10, Column::Merge), false), None),
        (waiting, None),
    ] {
        assert_eq!(
            proposed(&card).as_deref(),
            expected,
            "{} {:?}",
            card.column,
            card.legal
        );
    }
}

#[test]
fn a_card_carries_its_transitions_for_the_one_menu_of_the_page() {
    let carried = |card: ItemCard| {
        let page = render(vec![card], BoardQuery::default(), Some("token"));
        let moves = page.split("data-moves=\"").nth(1).expect("a card");
        moves.split('"').next().expect("moves").replace("&gt;", ">")
    };
    insta::assert_snapshot!(
        carried(card(1, Column::Backlog)),
        @"move:upcoming>upcoming! start>coding* move:qa>qa! move:merge>merge! merged>done block! freeze"
    );
    // Nothing is proposed where a mistaken press would record a merge, and sending back says why.
    insta::assert_snapshot!(
        carried(card(2, Column::Merge)),
        @"move:upcoming>upcoming! move:backlog>backlog! request-changes>coding! move:qa>qa! merged>done claim block! freeze"
    );
    // A start that waits for others is one by force, and no move around it.
    let mut waiting = card(3, Column::Backlog);
    waiting.unmet = 1;
    waiting.legal.retain(|verb| *verb != Verb::Start);
    let moves = carried(waiting);
    assert!(moves.contains("start>coding! "), "{moves}");
    let page = render(vec![card(1, Column::Backlog)], BoardQuery::default(), None);
    assert!(!page.contains("data-moves"), "nobody is signed in");
}

#[test]
fn what_changed_is_sent_with_its_place_and_what_speaks_of_it() {
    let mut waiting = card(3, Column::Backlog);
    waiting.depends_on = vec![ItemLink {
        handle: "2".into(),
        id: card(2, Column::Coding).id,
        title: "Item 2".into(),
        status: Some(Status::Active),
        satisfied: false,
        suspended: false,
        note: None,
    }];
    let cards = vec![
        card(1, Column::Backlog),
        waiting,
        card(4, Column::Coding),
        card(2, Column::Coding),
        card(5, Column::Done),
    ];
    let board = board(cards, BoardQuery::default(), None);
    let sent = super::board::changes(&board, &[card(2, Column::Coding).id].into()).into_string();
    assert_eq!(sent.matches("<article").count(), 2, "{sent}");
    let after = |number: u32| format!("data-after=\"{}\"", card(number, Column::Coding).id);
    assert!(sent.contains(&after(4)) && sent.contains(&after(1)), "{sent}");
    assert!(
        sent.contains("data-list=\"coding\" data-total=\"2\" data-shown=\"2\""),
        "{sent}"
    );
}

#[test]
fn an_empty_board_says_how_to_begin() {
    let page = render(Vec::new(), BoardQuery::default(), Some("token"));
    assert!(
        page.contains("No items yet") && page.contains("href=\"/p/demo/new\""),
        "{page}"
    );
    let page = render(Vec::new(), BoardQuery::default(), None);
    assert!(!page.contains("/p/demo/new"), "nobody is signed in: {page}");
}

#[test]
fn a_filter_is_a_chip_with_its_way_out() {
    let query = BoardQuery {
        tab: "done".into(),
        label: "ui".into(),
        kind: "bug".into(),
        ..BoardQuery::default()
    };
    let page = render(vec![card(1, Column::Done)], query, None);
    assert!(
        page.contains("class=\"chip\" href=\"/p/demo?tab=done&amp;kind=bug\""),
        "{page}"
    );
    assert!(
        page.contains("class=\"clear\" href=\"/p/demo?tab=done\""),
        "{page}"
    );
}

#[test]
fn a_card_names_what_it_waits_for() {
    let link = |number: u32, satisfied: bool| ItemLink {
        handle: number.to_string(),
        id: ItemId([9; 16]),
        title: format!("Item {number}"),
        status: Some(Status::Active),
        satisfied,
        suspended: false,
        note: None,
    };
    let waiting = |open: std::ops::Range<u32>| {
        let mut card = card(1, Column::Backlog);
        card.unmet = open.len();
        card.depends_on = open.map(|number| link(number, false)).collect();
        card.depends_on.push(link(7, true));
        render(vec![card], BoardQuery::default(), None)
    };
    assert!(waiting(40..41).contains(">waits for 40</li>"));
    assert!(waiting(40..43).contains(">waits for 40, 41, 42</li>"));
    let long = waiting(40..45);
    assert!(long.contains(">waits for 40, 41, 42 +2 more</li>"), "{long}");
    assert!(long.contains("title=\"40 Item 40; 41 Item 41"), "{long}");
}

#[test]
fn who_works_on_it_is_cut_on_a_card_and_not_called_an_agent() {
    let mut long = card(1, Column::Coding);
    long.assignee = Some("x".repeat(120));
    let page = render(vec![long], BoardQuery::default(), None);
    assert!(
        page.contains(&format!("title=\"Assigned to {}\"", "x".repeat(120))),
        "{page}"
    );
    assert!(!page.contains(&format!(">{}<", "x".repeat(120))), "{page}");
    let mut claimed = card(2, Column::Coding);
    claimed.claim = Some(towline_proto::stage::Claim {
        act: towline_proto::ActId([1; 16]),
        holder: "ann".into(),
        node: towline_proto::NodeId([1; 32]),
        generation: 1,
        at: NOW,
    });
    let page = render(vec![claimed], BoardQuery::default(), None);
    assert!(
        page.contains("title=\"Claimed by ann\"") && !page.contains("agent"),
        "{page}"
    );
}

#[test]
fn only_legal_verbs_are_offered_and_each_asks_for_what_it_needs() {
    for column in Column::ALL {
        let card = card(1, *column);
        for (verb, needs) in verbs(&card) {
            assert!(card.legal.contains(&verb), "{verb} from {column}");
            let required = needs == VerbInput::Reason { required: true };
            assert_eq!(required, verb.rule().reason, "{verb}");
        }
    }
}

#[test]
fn who_is_not_signed_in_gets_the_board_without_forms() {
    let page = render(vec![card(1, Column::Coding)], BoardQuery::default(), None);
    assert!(page.contains("Item 1"));
    assert!(!page.contains("method=\"post\"") && !page.contains("draggable=\"true\""));
}

#[test]
fn a_long_column_is_cut_and_says_so_until_it_is_asked_for() {
    let cards: Vec<_> = (0..250).map(|number| card(number, Column::Coding)).collect();
    let count = |page: &str| page.matches("<article").count();
    let page = render(cards.clone(), BoardQuery::default(), None);
    assert_eq!(count(&page), 200);
    assert!(page.contains(">50</span> more") && page.contains("?show=coding"));
    let whole = BoardQuery {
        show: "coding".into(),
        ..BoardQuery::default()
    };
    assert_eq!(count(&render(cards, whole, None)), 250);
}

#[test]
fn the_merge_column_numbers_what_can_be_merged() {
    let mut frozen = card(1, Column::Merge);
    frozen.holds.frozen = true;
    let page = render(
        vec![frozen, card(2, Column::Merge), card(3, Column::Merge)],
        BoardQuery::default(),
        None,
    );
    assert_eq!(page.matches("queue place").count(), 2);
    assert!(page.contains("</span>1st") && page.contains("</span>2nd"));
}

#[test]
fn ages_are_told_in_the_largest_unit() {
    let before = |ms: u64| ago(NOW, Millis(NOW.0 - ms));
    assert_eq!(before(0), "now");
    assert_eq!(before(59 * 60_000), "59 min");
    assert_eq!(before(3 * 3_600_000), "3 h");
    assert_eq!(before(50 * 86_400_000), "50 d");
    assert_eq!(before(70 * 86_400_000), "10 weeks");
    assert_eq!(ago(Millis(0), NOW), "now");
}
