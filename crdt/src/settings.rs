//! The document of a project's settings. Each project has one, under an id derived from the project
//! ([`ItemId::settings`]).
//!
//! Disconnected members must write to the same document, so no member creates it: every replica starts from the
//! same first change ([`initial_document`]), whose bytes are pinned by a test and which is in no log. Everything
//! after that is an act as in any item, each setting signed by a maintainer or an owner, so the gate, the fold,
//! conflicts and replication work as for items. What a value means is defined where it is used. Settings and
//! values that this version does not know are kept.
//!
//! Pure, like the rest of the crate.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, AutomergeError, ObjType, ROOT};
use towline_proto::{
    Act, ActId, AuthorSeq, Column, Epoch, ItemId, Kind, Millis, NodeId, Op, Origin, OriginKind, Qa, Register,
};

use crate::doc::{ACTS, BODY, DocError, ItemDoc, scalar};
use crate::fold::is_setting_op;
use crate::gate::{CheckedChange, GateError};

/// The author of the first change: a key that nobody has.
const NOBODY: AuthorSeq = AuthorSeq {
    node: NodeId([0; 32]),
    epoch: Epoch(0),
    seq: 0,
};

/// The id of the act in the first change.
pub fn first_act() -> ActId {
    ActId::derive(&NOBODY.node, NOBODY.epoch, NOBODY.seq, 0)
}

/// The document of a project in which nothing has been set: the same bytes on every replica.
///
/// # Errors
/// When Automerge refuses, which the tests rule out.
pub fn initial_document(id: ItemId) -> Result<ItemDoc, DocError> {
    let made = initial_automerge().map_err(|source| DocError::Automerge { item: id, source })?;
    ItemDoc::new(id, made)
}

fn initial_automerge() -> Result<Automerge, AutomergeError> {
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

/// Checks that settings are written to the settings document only, and everything else to items. Needs the
/// change alone, like [`crate::gate::check`].
///
/// # Errors
/// What is in the wrong document.
pub fn check_document(is_settings: bool, change: &CheckedChange) -> Result<(), GateError> {
    let refused = |what: &str| Err(GateError::Schema(what.to_owned()));
    let mut ops = change.acts.iter().map(|(_, act, _)| &act.op);
    if !is_settings {
        return match ops.any(is_setting_op) {
            true => refused("a setting of the project in an item"),
            false => Ok(()),
        };
    }
    // A newer version may write what this one does not know.
    let known = |op: &Op| is_setting_op(op) || *op == Op::Unknown;
    if change.creates || change.edits_body || !ops.all(known) {
        return refused("something else than settings among the project's settings");
    }
    Ok(())
}

/// Whether an operation changes a setting, or resolves a conflict about one.
pub const fn is_setting(op: &Op) -> bool {
    is_setting_op(op)
}

/// The name of the setting that a register holds, if it holds one.
pub const fn key(register: &Register) -> Option<&String> {
    match register {
        Register::Setting(key) => Some(key),
        _ => None,
    }
}
