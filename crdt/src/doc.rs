//! One item's Automerge document and the acts in it.
//!
//! ```text
//! ROOT ── acts: Map   <32 hex digits of an ActId> → Bytes (an act record), written once
//!      └─ body: Text  markdown
//! ```
//!
//! The item's first change creates both objects. An [`ItemDoc`] keeps the acts decoded beside the document, so
//! that the fold never reads Automerge. Bytes from a peer reach a document only through the gate; this module
//! does not check what it is given.

use std::collections::BTreeMap;

use automerge::{Automerge, ChangeHash, ObjId, ROOT, ReadDoc, ScalarValue, Value};
use towline_proto::act::ActError;
use towline_proto::{Act, ActId, ItemId, NodeId};

/// The key of the acts in a document's root.
pub const ACTS: &str = "acts";
/// The key of the body in a document's root.
pub const BODY: &str = "body";

/// An act as a document holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActRecord {
    /// The decoded act.
    pub act: Act,
    /// The first 16 bytes of the node that signed it, as its Automerge actor holds them.
    pub node: NodePrefix,
    /// The hash of the record's bytes, for breaking ties.
    pub hash: [u8; 32],
}

/// The first 16 bytes of a node id: all that an Automerge actor has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodePrefix(pub [u8; 16]);

impl From<&NodeId> for NodePrefix {
    fn from(node: &NodeId) -> Self {
        let mut prefix = [0; 16];
        prefix.copy_from_slice(&node.0[..16]);
        Self(prefix)
    }
}

/// The acts of an item, by id.
pub type Acts = BTreeMap<ActId, ActRecord>;

/// An item's document.
#[derive(Debug, Clone)]
pub struct ItemDoc {
    id: ItemId,
    am: Automerge,
    acts: Acts,
}

/// Why a saved document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DocError {
    /// Automerge cannot read or write it.
    #[error("the document of item {item} is damaged: {source}")]
    Automerge {
        /// Whose.
        item: ItemId,
        /// What Automerge says.
        source: automerge::AutomergeError,
    },
    /// It does not have the shape of an item's document.
    #[error("the document of item {item} has no {what}")]
    Shape {
        /// Whose.
        item: ItemId,
        /// What is missing.
        what: &'static str,
    },
    /// An act in it is not readable.
    #[error("act {act} of item {item}: {source}")]
    Act {
        /// Whose.
        item: ItemId,
        /// Which key.
        act: String,
        /// Why.
        source: ActError,
    },
}

impl ItemDoc {
    /// Wraps a document and decodes its acts.
    ///
    /// # Errors
    /// When it is not shaped like an item's document.
    pub fn new(id: ItemId, am: Automerge) -> Result<Self, DocError> {
        let map = object(&am, id, ACTS)?;
        let mut acts = Acts::new();
        for entry in am.map_range(&map, ..) {
            let signer = node_of(&entry.id());
            let automerge::ValueRef::Scalar(automerge::ScalarValueRef::Bytes(bytes)) = entry.value else {
                return Err(DocError::Shape {
                    item: id,
                    what: "readable acts",
                });
            };
            let key = entry.key.to_string();
            let act_id: ActId = key.parse().map_err(|_| DocError::Shape {
                item: id,
                what: "act ids",
            })?;
            let node = signer.ok_or(DocError::Shape {
                item: id,
                what: "known actors",
            })?;
            let act = Act::decode(&bytes).map_err(|source| DocError::Act {
                item: id,
                act: key,
                source,
            })?;
            acts.insert(
                act_id,
                ActRecord {
                    act,
                    node,
                    hash: Act::record_hash(&bytes),
                },
            );
        }
        Ok(Self { id, am, acts })
    }

    /// Wraps a document whose acts are known, as the gate has decoded them.
    pub const fn with_acts(id: ItemId, am: Automerge, acts: Acts) -> Self {
        Self { id, am, acts }
    }

    /// Reads what [`ItemDoc::save`] wrote.
    ///
    /// # Errors
    /// When the bytes are damaged or not an item's document.
    pub fn load(id: ItemId, bytes: &[u8]) -> Result<Self, DocError> {
        let am = Automerge::load(bytes).map_err(|source| DocError::Automerge { item: id, source })?;
        Self::new(id, am)
    }

    /// The whole document, compacted but not deflated: deflating takes ten times as long as everything else, and
    /// a document is written with every change. The bytes are not canonical: compare [`heads`](Self::heads)
    /// instead.
    pub fn save(&self) -> Vec<u8> {
        self.am.save_nocompress()
    }

    /// The item's id.
    pub const fn id(&self) -> ItemId {
        self.id
    }

    /// The Automerge document.
    pub const fn automerge(&self) -> &Automerge {
        &self.am
    }

    /// The acts, decoded.
    pub const fn acts(&self) -> &Acts {
        &self.acts
    }

    /// The document's heads, sorted.
    pub fn heads(&self) -> Vec<ChangeHash> {
        let mut heads = self.am.get_heads();
        heads.sort_unstable();
        heads
    }

    /// The body.
    ///
    /// # Errors
    /// When the document has none.
    pub fn body(&self) -> Result<String, DocError> {
        let text = object(&self.am, self.id, BODY)?;
        self.am.text(&text).map_err(|source| DocError::Automerge {
            item: self.id,
            source,
        })
    }
}

/// The object under a key of the root.
pub(crate) fn object(am: &Automerge, item: ItemId, key: &'static str) -> Result<ObjId, DocError> {
    match am.get(ROOT, key) {
        Ok(Some((Value::Object(_), object))) => Ok(object),
        Ok(_) => Err(DocError::Shape { item, what: key }),
        Err(source) => Err(DocError::Automerge { item, source }),
    }
}

/// The node that wrote the operation with this id.
fn node_of(id: &ObjId) -> Option<NodePrefix> {
    match id {
        ObjId::Root => None,
        ObjId::Id(_, actor, _) => actor.to_bytes().get(..16)?.try_into().ok().map(NodePrefix),
    }
}

/// An act as the scalar that goes into a document.
pub(crate) fn scalar(bytes: Vec<u8>) -> ScalarValue {
    ScalarValue::Bytes(bytes)
}
