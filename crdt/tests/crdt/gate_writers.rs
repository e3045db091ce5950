//! Writers for the tests of the gate: honest changes from Automerge's own transactions, and dishonest ones made by
//! editing their operations or bytes. Nothing here uses code of the gate to write.

use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, AutoCommit, Automerge, Change, ExpandedChange, ObjId, ObjType, ROOT, ReadDoc};
use towline_crdt::gate::{self, CheckedChange, GateError};
use towline_proto::{
    Act, ActId, AuthorSeq, Column, Epoch, ItemId, Kind, Millis, NodeId, Op, Origin, OriginKind, Qa,
};

/// The time of everything.
pub(crate) const NOON: Millis = Millis(1_790_000_000_000);

/// A writer with its own copy of one item.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    /// The position of its next entry.
    pub(crate) author: AuthorSeq,
    /// The item.
    pub(crate) item: ItemId,
    /// Its copy.
    pub(crate) doc: AutoCommit,
}

/// The position of a node's first entry.
pub(crate) fn author(node: u8) -> AuthorSeq {
    AuthorSeq {
        node: NodeId([node; 32]),
        epoch: Epoch(u64::from(node) + 7),
        seq: 0,
    }
}

/// An act that somebody asks for.
pub(crate) fn act(op: Op) -> Act {
    Act {
        op,
        saw: vec![],
        at: NOON,
        origin: Origin::new(OriginKind::ALL[0], "ann").unwrap(),
        nonce: None,
        request: None,
    }
}

/// The act that creates an item.
pub(crate) fn creation(title: &str) -> Op {
    Op::Create {
        number: 1,
        kind: Kind::ALL[0],
        title: title.into(),
        column: Column::Backlog,
        priority: 2,
        qa: Qa::ALL[0],
    }
}

impl Writer {
    /// A node that has no item yet.
    pub(crate) fn new(node: u8) -> Self {
        let author = author(node);
        let doc = AutoCommit::new().with_actor(ActorId::from(author.actor()));
        Self {
            author,
            item: ItemId::derive(NOON, &author, 0),
            doc,
        }
    }

    /// Creates the item, with a body; returns the bytes of its first change.
    pub(crate) fn create(&mut self, title: &str, body: &str) -> Vec<u8> {
        let acts = self.doc.put_object(ROOT, "acts", ObjType::Map).unwrap();
        let text = self.doc.put_object(ROOT, "body", ObjType::Text).unwrap();
        self.put(&acts, 0, creation(title));
        self.doc.splice_text(&text, 0, 0, body).unwrap();
        self.commit()
    }

    /// Another node with the same state.
    pub(crate) fn joined_by(&mut self, node: u8) -> Self {
        let author = author(node);
        let doc = self.doc.fork().with_actor(ActorId::from(author.actor()));
        Self {
            author,
            item: self.item,
            doc,
        }
    }

    /// Writes one act.
    pub(crate) fn act(&mut self, op: Op) -> Vec<u8> {
        let acts = self.object("acts");
        self.put(&acts, 0, op);
        self.commit()
    }

    /// Replaces part of the body, with the act for that.
    pub(crate) fn edit(&mut self, at: usize, delete: isize, insert: &str) -> Vec<u8> {
        let (acts, body) = (self.object("acts"), self.object("body"));
        self.put(&acts, 0, Op::EditBody);
        self.doc.splice_text(&body, at, delete, insert).unwrap();
        self.commit()
    }

    /// Merges what another one has.
    pub(crate) fn merge(&mut self, other: &mut Self) {
        self.doc.merge(&mut other.doc).unwrap();
    }

    /// One of the two objects.
    pub(crate) fn object(&self, key: &str) -> ObjId {
        self.doc.get(ROOT, key).unwrap().unwrap().1
    }

    /// Puts an act without committing.
    pub(crate) fn put(&mut self, acts: &ObjId, ordinal: u32, op: Op) {
        let AuthorSeq { node, epoch, seq } = self.author;
        let key = ActId::derive(&node, epoch, seq, ordinal).to_string();
        self.doc.put(acts, key, act(op).encode()).unwrap();
    }

    /// Commits everything written since the last change and returns the bytes. The next change belongs to the
    /// next entry.
    pub(crate) fn commit(&mut self) -> Vec<u8> {
        self.doc
            .commit_with(CommitOptions::default().with_time(0))
            .unwrap();
        self.author.seq += 1;
        self.doc.get_last_local_change().unwrap().raw_bytes().to_vec()
    }

    /// The position of the last commit's entry.
    pub(crate) fn was(&self) -> AuthorSeq {
        AuthorSeq {
            seq: self.author.seq - 1,
            ..self.author
        }
    }
}

/// Checks a change that is alone in its entry.
pub(crate) fn check(item: &ItemId, bytes: &[u8], author: &AuthorSeq) -> Result<CheckedChange, GateError> {
    gate::check(item, bytes, author, &mut 0)
}

/// Checks a change and applies it.
pub(crate) fn pass(
    doc: Option<&Automerge>,
    item: &ItemId,
    bytes: &[u8],
    author: &AuthorSeq,
) -> Result<Automerge, GateError> {
    gate::admit(doc, &[check(item, bytes, author)?])
}

/// A change whose content was edited by hand and encoded by Automerge.
pub(crate) fn forge(bytes: &[u8], edit: impl FnOnce(&mut ExpandedChange)) -> Vec<u8> {
    let mut expanded = Change::try_from(bytes).unwrap().decode();
    edit(&mut expanded);
    Change::from(expanded).raw_bytes().to_vec()
}

/// Where the data of a chunk begins, behind its length.
pub(crate) fn data_at(bytes: &[u8]) -> usize {
    9 + bytes[9..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1
}

/// A change chunk around data, with the checksum that Automerge would write if it can read it.
pub(crate) fn wrap(data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1];
    bytes.extend(uleb(data.len() as u64));
    bytes.extend(data);
    if gate::scan(&bytes).is_ok()
        && let Ok(Ok(change)) = catch_unwind(AssertUnwindSafe(|| Change::try_from(&bytes[..])))
    {
        bytes[4..8].copy_from_slice(&change.hash().0[..4]);
    }
    bytes
}

/// An unsigned LEB128 number.
pub(crate) fn uleb(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// An item that Ann created: Ann, the admitted document, and the change.
pub(crate) fn item() -> (Writer, Automerge, Vec<u8>) {
    let mut ann = Writer::new(1);
    let bytes = ann.create("a door that opens", "Hinges.");
    let doc = pass(None, &ann.item, &bytes, &ann.was()).unwrap();
    (ann, doc, bytes)
}

pub(crate) fn schema_broken(result: Result<CheckedChange, GateError>) -> bool {
    matches!(result, Err(GateError::Schema(_)))
}
