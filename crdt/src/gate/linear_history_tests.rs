//! What is seen as a chain: a "no" is only dear, so nothing else would notice one too many.

use towline_proto::{
    AuthorSeq, Column, Epoch, ItemId, Kind, Millis, NodeId, Op, Origin, OriginKind, Qa, Role,
};

use super::*;
use crate::compose::{BodyEdit, Draft, compose};
use crate::doc::{ItemDoc, NodePrefix};
use crate::gate::check;
use crate::members::Roles;

struct Everybody;

impl Roles for Everybody {
    fn role(&self, _: NodePrefix) -> Option<Role> {
        Some(Role::Writer)
    }
    fn node(&self, _: NodePrefix) -> Option<NodeId> {
        None
    }
}

fn author(who: u8, seq: u64) -> AuthorSeq {
    AuthorSeq {
        node: NodeId([who; 32]),
        epoch: Epoch(who.into()),
        seq,
    }
}

/// What somebody does to an item, and the changes as they pass the gate elsewhere.
fn does(base: Option<&ItemDoc>, at: AuthorSeq, op: Op, body: Option<&str>) -> (ItemDoc, Vec<CheckedChange>) {
    let item = base.map_or_else(|| ItemId::derive(Millis(1), &at, 0), ItemDoc::id);
    let draft = Draft {
        op,
        origin: Origin::new(OriginKind::User, "ann").unwrap(),
        at: Millis(1),
        request: None,
    };
    let body = body.map(|text| BodyEdit {
        base: None,
        text: text.to_owned(),
    });
    let made = compose(base, item, &at, &mut 0, &Everybody, vec![draft], body).unwrap();
    let mut ordinal = 0;
    let checked = made
        .changes
        .iter()
        .map(|change| check(&item, change, &at, &mut ordinal).unwrap());
    let checked = checked.collect();
    (made.doc, checked)
}

fn create() -> Op {
    Op::Create {
        number: 1,
        kind: Kind::Story,
        title: "Ship it".into(),
        column: Column::Backlog,
        priority: 2,
        qa: Qa::Agent,
    }
}

fn edit() -> Op {
    Op::EditBody
}

#[test]
fn sequential_changes_of_two_people_are_linear_from_every_start() {
    let (made, mut changes) = does(None, author(1, 0), create(), None);
    let (edited, more) = does(Some(&made), author(2, 0), edit(), Some("A long plank, of oak."));
    changes.extend(more);
    let (again, more) = does(
        Some(&edited),
        author(1, 1),
        edit(),
        Some("A short plank, of ash, and nails."),
    );
    changes.extend(more);
    let (_, more) = does(Some(&again), author(2, 1), edit(), Some("A plank."));
    changes.extend(more);
    assert!(changes.len() >= 4);
    for known in 0..changes.len() {
        let mut doc = Automerge::new();
        let here = changes[..known].iter().map(|checked| checked.change.clone());
        doc.apply_changes(here.collect::<Vec<_>>()).unwrap();
        assert!(is_linear(&mut doc, &changes[known..]).unwrap(), "from {known} on");
    }
}

#[test]
fn concurrent_or_reordered_changes_are_not_linear() {
    let (made, created) = does(None, author(1, 0), create(), None);
    let (_, one) = does(Some(&made), author(1, 1), edit(), Some("A plank."));
    let (_, other) = does(Some(&made), author(2, 0), edit(), Some("Nails."));
    let concurrent: Vec<CheckedChange> = created.into_iter().chain(one).chain(other).collect();
    assert!(!is_linear(&mut Automerge::new(), &concurrent).unwrap());

    let (made, mut changes) = does(None, author(1, 0), create(), None);
    let (next, one) = does(Some(&made), author(1, 1), edit(), Some("A plank."));
    let (_, two) = does(Some(&next), author(1, 2), edit(), Some("Planks."));
    changes.extend(two);
    changes.extend(one);
    assert!(!is_linear(&mut Automerge::new(), &changes).unwrap());
}

#[test]
fn a_change_that_merges_everything_continues_a_linear_history() {
    let (made, created) = does(None, author(1, 0), create(), None);
    let (long, theirs) = does(
        Some(&made),
        author(1, 1),
        edit(),
        Some("A long plank, of oak, and nails."),
    );
    let title = "Ash".to_owned();
    let (short, mut changes) = does(Some(&made), author(2, 0), Op::SetTitle { title }, None);
    let mut both = short.automerge().clone();
    both.merge(&mut long.automerge().clone()).unwrap();
    let both = ItemDoc::new(made.id(), both).unwrap();
    let (_, more) = does(Some(&both), author(2, 1), edit(), Some("Oak."));
    changes.extend(more);
    let mut doc = Automerge::new();
    let here = created.into_iter().chain(theirs).map(|checked| checked.change);
    doc.apply_changes(here.collect::<Vec<_>>()).unwrap();
    assert!(is_linear(&mut doc, &changes).unwrap());
}
