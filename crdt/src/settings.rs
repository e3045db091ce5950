//! The document of a project's settings: one for each project, under an id that follows from the project
//! alone ([`ItemId::settings`]).
//!
//! Members who are apart must write to the same document, so nobody creates it: every replica begins with
//! the same first change ([`begin`]), whose bytes are pinned by a test, and that change stands in no log.
//! What follows are acts as in any item, each a setting that a maintainer or an owner wrote, so that gate,
//! fold, conflicts and replication are those of items. What a value means is said where it is used; a
//! setting or value that this version does not know is kept.
//!
//! Pure, as the rest of the crate.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, AutomergeError, ObjType, ROOT};
use towline_proto::{
    Act, ActId, AuthorSeq, Column, Epoch, ItemId, Kind, Millis, NodeId, Op, Origin, OriginKind, Qa, Register,
};

use crate::doc::{ACTS, BODY, DocError, ItemDoc, scalar};
use crate::fold::sets;
use crate::gate::{CheckedChange, GateError};

/// Who the first change is by: nobody has this key.
const NOBODY: AuthorSeq = AuthorSeq {
    node: NodeId([0; 32]),
    epoch: Epoch(0),
    seq: 0,
};

/// The act that the document begins with.
pub fn first_act() -> ActId {
    ActId::derive(&NOBODY.node, NOBODY.epoch, NOBODY.seq, 0)
}

/// The settings of a project in which nobody has set anything: the same bytes on every replica.
///
/// # Errors
/// When Automerge refuses, which the tests rule out.
pub fn initial_document(id: ItemId) -> Result<ItemDoc, DocError> {
    let made = beginning().map_err(|source| DocError::Automerge { item: id, source })?;
    ItemDoc::new(id, made)
}

fn beginning() -> Result<Automerge, AutomergeError> {
    let act = Act {
        op: Op::Create {
            number: 1,
            kind: Kind::Story,
            title: "settings".to_owned(),
            column: Column::Upcoming,
            priority: 0,
            qa: Qa::Agent,
        },
        saw: Vec::new(),
        at: Millis(0),
        origin: Origin {
            kind: OriginKind::System,
            id: "towline".to_owned(),
        },
        nonce: None,
        request: None,
    };
    let mut am = Automerge::new().with_actor(ActorId::from(NOBODY.actor()));
    let mut tx = am.transaction();
    let acts = tx.put_object(ROOT, ACTS, ObjType::Map)?;
    tx.put_object(ROOT, BODY, ObjType::Text)?;
    tx.put(&acts, first_act().to_string(), scalar(act.encode()))?;
    tx.commit_with(CommitOptions::default().with_time(0));
    Ok(am)
}

/// Checks that what a change holds belongs where it is written: settings among the settings, and
/// everything else elsewhere. Needs the change alone, as [`crate::gate::check`] does.
///
/// # Errors
/// What does not belong there.
pub fn check_document(is_settings: bool, change: &CheckedChange) -> Result<(), GateError> {
    let refused = |what: &str| Err(GateError::Schema(what.to_owned()));
    let mut ops = change.acts.iter().map(|(_, act, _)| &act.op);
    if !is_settings {
        return match ops.any(sets) {
            true => refused("a setting of the project in an item"),
            false => Ok(()),
        };
    }
    // A newer version may write what this one does not know.
    let known = |op: &Op| sets(op) || *op == Op::Unknown;
    if change.creates || change.edits_body || !ops.all(known) {
        return refused("something else than settings among the project's settings");
    }
    Ok(())
}

/// Whether an operation changes a setting, or settles a contest about one.
pub const fn is_setting(op: &Op) -> bool {
    sets(op)
}

/// What a register of the document is about, if it is a setting.
pub const fn key(register: &Register) -> Option<&String> {
    match register {
        Register::Setting(key) => Some(key),
        _ => None,
    }
}
