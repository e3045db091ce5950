//! What an item waits for, what that waits for, and so on.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use towline_api::types::{ItemCard, ItemLink};
use towline_proto::ItemId;

use super::text::width;
use super::{View, show::one_link};

/// Most lines of a tree: a graph that is larger than a screen is not read as one.
const LINES: usize = 500;
/// Columns of an arm of the tree.
const BRANCH_WIDTH: usize = 3;

/// An item and what it waits for.
#[derive(Debug, Serialize)]
pub(crate) struct Tree {
    #[serde(flatten)]
    link: ItemLink,
    depends_on: Vec<Tree>,
    /// It is shown further up and not repeated.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    repeated: bool,
}

/// The tree below an item, from the cards of a project. Each item is unfolded once, so that neither
/// a cycle nor a lattice makes it grow without end.
pub(crate) fn tree(root: &ItemCard, cards: &[ItemCard]) -> Tree {
    let cards: BTreeMap<_, _> = cards.iter().map(|card| (card.id, card)).collect();
    let link = ItemLink {
        handle: root.handle.clone(),
        id: root.id,
        title: root.title.clone(),
        status: Some(root.status),
        satisfied: false,
        suspended: false,
        note: None,
    };
    let mut told = BTreeSet::new();
    grow(link, &root.depends_on, &cards, &mut told)
}

fn grow(
    link: ItemLink,
    below: &[ItemLink],
    cards: &BTreeMap<ItemId, &ItemCard>,
    told: &mut BTreeSet<ItemId>,
) -> Tree {
    let repeated = !told.insert(link.id) || told.len() > LINES;
    let mut depends_on = Vec::new();
    if !repeated {
        for next in below {
            let further = cards.get(&next.id).map_or(&[][..], |card| &card.depends_on);
            depends_on.push(grow(next.clone(), further, cards, told));
        }
    }
    Tree {
        link,
        repeated: repeated && !below.is_empty(),
        depends_on,
    }
}

/// The tree as lines.
fn lines(view: &View, tree: &Tree) -> String {
    let mut out = format!("{}\n", one_link(view, &tree.link, false, view.width));
    branches(&mut out, view, tree, "", 1);
    out
}

fn branches(out: &mut String, view: &View, tree: &Tree, before: &str, depth: usize) {
    // Below half the width the depth is printed as a number instead of an indent.
    let deep = (depth - 1) * BRANCH_WIDTH > view.width / 2;
    for (at, branch) in tree.depends_on.iter().enumerate() {
        let last = at + 1 == tree.depends_on.len();
        let (arm, trunk) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let above = if branch.repeated { "  (see above)" } else { "" };
        let start = if deep {
            format!("{} {depth} {arm}", "…".repeat(BRANCH_WIDTH))
        } else {
            format!("{before}{arm}")
        };
        let room = view.width.saturating_sub(width(&start) + width(above));
        let line = one_link(view, &branch.link, true, room);
        out.push_str(&format!("{start}{line}{above}\n"));
        let before = if deep {
            before.to_owned()
        } else {
            format!("{before}{trunk}")
        };
        branches(out, view, branch, &before, depth + 1);
    }
}

impl Tree {
    /// The tree as a page.
    pub(crate) fn page(&self, view: &View) -> String {
        lines(view, self)
    }
}
