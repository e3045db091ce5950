//! What happens in the project of the demo: its items, and what two people do to one of them while they are apart.
//!
//! Commands and texts only. The numbers are those of the items in the order in which they are created.

use towline_api::request::{Command, NewItem, Transition};
use towline_proto::{Kind, Verb};

/// One command.
pub(super) type Step = Command;

/// The name of the project.
pub(super) const PROJECT: &str = "shop";
/// The item with the conflict.
pub(super) const DISPUTED: &str = "3";

pub(super) const INTRODUCTION: &str = "Two nodes of one project run on this machine, Ann's and Bob's. \
    While they were apart,\nAnn marked item 3 as done, and Bob blocked it.";

pub(super) const WHAT_TO_LOOK_AT: &str = "\
    What to look at:
  - Item 3 has the same conflict on both boards. Its page says who did what, what is
    in effect, and what each choice would result in.
  - Resolve the conflict on one board: the other board follows.
  - Move a card or write a comment on one board, and watch the other.";

/// What Ann does before Bob joins.
pub(super) fn beginning() -> Vec<Step> {
    let mut steps = vec![
        create(Kind::Epic, "Check out without an account", 1, &["checkout"]),
        Command::Create(NewItem {
            epic: Some("1".to_owned()),
            body: "People leave when they have to register first.\n\nAsk for the e-mail address **after** the payment."
                .to_owned(),
            criteria: vec![
                "An order needs no password".to_owned(),
                "The receipt arrives by e-mail".to_owned(),
            ],
            ..item(Kind::Story, "Order as a guest", 1, &["checkout", "web"])
        }),
        Command::Create(NewItem {
            body: "Two clicks on *Pay* send two payments. Seen with order 1881.".to_owned(),
            ..item(Kind::Bug, "A double click charges the card twice", 0, &["payments"])
        }),
        Command::Create(NewItem {
            epic: Some("1".to_owned()),
            depends_on: vec!["2".to_owned()],
            ..item(Kind::Story, "Send the receipt by e-mail", 2, &["checkout"])
        }),
        create(Kind::Spike, "Which payment provider for Japan?", 2, &["payments"]),
        create(Kind::Refactor, "Split the cart into modules", 3, &[]),
        create(Kind::Bug, "Search finds nothing for “Straße”", 2, &["search"]),
        Command::Create(NewItem {
            upcoming: true,
            ..item(Kind::Story, "Dark mode", 4, &["web"])
        }),
        create(Kind::Bug, "Sign-in fails on Safari", 1, &["web"]),
    ];
    steps.extend([
        verb("2", Verb::Start),
        verb("3", Verb::Start),
        verb("3", Verb::Submit),
        verb("3", Verb::PassQa),
        Command::Transition(Transition {
            holder: Some("coder-1".to_owned()),
            ..Transition::plain("6", Verb::Start)
        }),
        verb("7", Verb::Start),
        verb("7", Verb::Submit),
        verb("9", Verb::Merged),
        comment("7", "The index folds ß to ss, the query does not."),
    ]);
    steps
}

/// What Ann does while Bob's node is away.
pub(super) fn ann_meanwhile() -> Vec<Step> {
    vec![verb(DISPUTED, Verb::Merged)]
}

/// What Bob does while his node is away.
pub(super) fn bob_meanwhile() -> Vec<Step> {
    vec![
        Command::Transition(Transition {
            reason: Some("the refund test fails with this change".to_owned()),
            ..Transition::plain(DISPUTED, Verb::Block)
        }),
        comment("2", "I can take the receipt when this is in."),
        Command::Transition(Transition {
            reason: Some("the provider wants to see our numbers first".to_owned()),
            ..Transition::plain("5", Verb::Block)
        }),
    ]
}

fn item(kind: Kind, title: &str, priority: u8, labels: &[&str]) -> NewItem {
    NewItem {
        kind,
        title: title.to_owned(),
        body: String::new(),
        upcoming: false,
        priority: Some(priority),
        qa: None,
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        depends_on: Vec::new(),
        epic: None,
        assignee: None,
        criteria: Vec::new(),
    }
}

fn create(kind: Kind, title: &str, priority: u8, labels: &[&str]) -> Step {
    Command::Create(item(kind, title, priority, labels))
}

fn verb(item: &str, verb: Verb) -> Step {
    Command::Transition(Transition::plain(item, verb))
}

fn comment(item: &str, text: &str) -> Step {
    Command::Comment {
        item: item.to_owned(),
        text: text.to_owned(),
    }
}
