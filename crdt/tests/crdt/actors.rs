//! Test actors: named people with replicas of one item, who write acts in turn or concurrently.

use std::collections::BTreeMap;

use towline_crdt::compose::{BodyEdit, ComposeError, Composed, Draft, compose};
use towline_crdt::diff::diff;
use towline_crdt::doc::{Acts, ItemDoc, NodePrefix};
use towline_crdt::fold::fold;
use towline_crdt::gate;
use towline_crdt::members::Roles;
use towline_crdt::view::ItemView;
use towline_proto::{
    AuthorSeq, Column, Epoch, Event, ItemId, Kind, Millis, NodeId, Op, Origin, OriginKind, ProjectId, Qa,
    Role,
};

/// The members of the tests, with their roles.
pub(crate) struct TestMembers(pub(crate) BTreeMap<NodePrefix, (NodeId, Role)>);

impl Roles for TestMembers {
    fn role(&self, node: NodePrefix) -> Option<Role> {
        self.0.get(&node).map(|(_, role)| *role)
    }
    fn node(&self, node: NodePrefix) -> Option<NodeId> {
        self.0.get(&node).map(|(node, _)| *node)
    }
}

/// Ann is an owner, Bo and Cy are writers, Dot is a maintainer. Eve is a writer who forges records.
pub(crate) fn test_members() -> TestMembers {
    let member = |byte, role| {
        let node = NodeId([byte; 32]);
        (NodePrefix::from(&node), (node, role))
    };
    TestMembers(BTreeMap::from([
        member(1, Role::Owner),
        member(2, Role::Writer),
        member(3, Role::Writer),
        member(4, Role::Maintainer),
        member(5, Role::Writer),
    ]))
}

/// A row, and the acts from which it was made.
pub(crate) type ShownState = (ItemView, Acts);

/// A person with a replica of one item.
#[derive(Clone)]
pub(crate) struct Actor {
    pub(crate) name: &'static str,
    pub(crate) author: AuthorSeq,
    pub(crate) doc: Option<ItemDoc>,
    pub(crate) clock: u64,
    pub(crate) kind: OriginKind,
}

pub(crate) const ITEM_AT: Millis = Millis(1_000);

impl Actor {
    pub(crate) fn new(name: &'static str, byte: u8) -> Self {
        let author = AuthorSeq {
            node: NodeId([byte; 32]),
            epoch: Epoch(byte.into()),
            seq: 0,
        };
        Self {
            name,
            author,
            doc: None,
            clock: 1_000,
            kind: OriginKind::User,
        }
    }

    fn drafts(&mut self, ops: Vec<Op>) -> Vec<Draft> {
        let origin = Origin::new(self.kind, self.name).expect("a name");
        let clock = &mut self.clock;
        ops.into_iter()
            .map(|op| {
                *clock += 1_000;
                Draft {
                    op,
                    origin: origin.clone(),
                    at: Millis(*clock),
                    request: None,
                }
            })
            .collect()
    }

    /// Creates the item in the backlog.
    pub(crate) fn create(&mut self, qa: Qa) -> ItemId {
        let item = ItemId::derive(ITEM_AT, &self.author, 0);
        let op = Op::Create {
            number: 1,
            kind: Kind::Story,
            title: "Ship it".into(),
            column: Column::Backlog,
            priority: 2,
            qa,
        };
        let drafts = self.drafts(vec![op]);
        let made = compose(None, item, &self.author, &mut 0, &test_members(), drafts, None).expect("created");
        self.passes_the_gate(None, &made);
        self.doc = Some(made.doc);
        self.author.seq += 1;
        item
    }

    /// The current row and acts.
    pub(crate) fn shown(&self) -> ShownState {
        let doc = self.doc.as_ref().expect("an item");
        (self.view(), doc.acts().clone())
    }

    /// The events since an earlier state.
    pub(crate) fn events_since(&self, (view, acts): &ShownState) -> Vec<Event> {
        let doc = self.doc.as_ref().expect("an item");
        let cast = test_members();
        let folded = fold(doc.id(), doc.acts(), &cast).expect("a creation");
        diff(ProjectId([0; 32]), Some((view, acts)), &folded)
    }

    /// Writes an act.
    pub(crate) fn try_does(&mut self, op: Op) -> Result<(), ComposeError> {
        let drafts = self.drafts(vec![op]);
        let base = self.doc.as_ref().expect("an item");
        let made = compose(
            Some(base),
            base.id(),
            &self.author,
            &mut 0,
            &test_members(),
            drafts,
            None,
        )?;
        self.passes_the_gate(Some(base), &made);
        self.doc = Some(made.doc);
        self.author.seq += 1;
        Ok(())
    }

    pub(crate) fn does(&mut self, op: Op) {
        let what = op.name();
        self.try_does(op)
            .unwrap_or_else(|error| panic!("{} cannot {what}: {error}", self.name));
    }

    /// Edits the body.
    pub(crate) fn writes(&mut self, base: Option<&str>, text: &str) {
        let drafts = self.drafts(vec![Op::EditBody]);
        let edit = BodyEdit {
            base: base.map(str::to_owned),
            text: text.to_owned(),
        };
        let doc = self.doc.as_ref().expect("an item");
        let made = compose(
            Some(doc),
            doc.id(),
            &self.author,
            &mut 0,
            &test_members(),
            drafts,
            Some(edit),
        )
        .expect("edited");
        self.doc = Some(made.doc);
        self.author.seq += 1;
    }

    /// Checks that other replicas' gates admit what was composed, and that it gives the same document.
    fn passes_the_gate(&self, base: Option<&ItemDoc>, made: &Composed) {
        let mut ordinal = 0;
        let checked: Vec<_> = made
            .changes
            .iter()
            .map(|change| {
                gate::check(&made.doc.id(), change, &self.author, &mut ordinal)
                    .unwrap_or_else(|why| panic!("{}'s change is refused: {why}", self.name))
            })
            .collect();
        let admitted = gate::admit(base.map(ItemDoc::automerge), &checked)
            .unwrap_or_else(|why| panic!("{}'s change is not admitted: {why}", self.name));
        let theirs = ItemDoc::new(made.doc.id(), admitted).expect("an item's document");
        assert_eq!(theirs.heads(), made.doc.heads());
        assert_eq!(theirs.acts(), made.doc.acts());
    }

    /// Merges everything that another actor has.
    pub(crate) fn receives(&mut self, other: &Self) {
        let theirs = other.doc.as_ref().expect("an item");
        let mut am = match &self.doc {
            Some(doc) => doc.automerge().clone(),
            None => automerge::Automerge::new(),
        };
        am.merge(&mut theirs.automerge().clone()).expect("merged");
        self.doc = Some(ItemDoc::new(theirs.id(), am).expect("an item's document"));
    }

    pub(crate) fn view(&self) -> ItemView {
        let doc = self.doc.as_ref().expect("an item");
        fold(doc.id(), doc.acts(), &test_members())
            .expect("a creation")
            .view
    }
}

/// Both merge each other's state; their rows must then be equal.
pub(crate) fn exchange(a: &mut Actor, b: &mut Actor) -> ItemView {
    a.receives(b);
    b.receives(a);
    assert_eq!(a.view(), b.view(), "{} and {} see the same", a.name, b.name);
    a.view()
}

/// Ann has created an item and Bo has received it.
pub(crate) fn ann_and_bo(qa: Qa) -> (Actor, Actor) {
    let (mut ann, mut bo) = (Actor::new("ann", 1), Actor::new("bo", 2));
    ann.create(qa);
    bo.receives(&ann);
    (ann, bo)
}
