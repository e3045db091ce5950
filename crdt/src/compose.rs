//! Makes the changes of an entry from the operations that somebody asks for.
//!
//! Changes are made nowhere else. Each operation becomes an act that names what its author has observed, and is
//! checked against the transition table before anything is written. An edit of the body becomes splices of its
//! text. What this module makes passes the gate. Randomness and time are arguments; every id is derived from the
//! author's (node, epoch, seq).

mod author_view;
mod body;
mod replay;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, AutomergeError, ChangeHash, ObjType, ROOT, ReadDoc};
use towline_proto::table::{IllegalTransition, legal};
use towline_proto::{
    Act, ActId, AuthorSeq, ItemId, Millis, Op, Origin, Register, RequestId, Rule, act::ActError, limits,
};

use crate::doc::{ACTS, ActRecord, Acts, BODY, DocError, ItemDoc, NodePrefix, object, scalar};
use crate::fold::{ActOutcome, FoldedItem, fold, is_keepable};
use crate::gate::{self, GateError};
use crate::members::Roles;
use crate::view::Conflict;

use author_view::{AuthorView, check_room};
use body::{splices, three_way_merge};
pub use replay::replay;

/// The most characters that one change inserts or deletes, leaving room for acts.
const CHARS_PER_CHANGE: usize = limits::OPS_PER_CHANGE as usize - 400;

/// A change of acts is closed when its records reach this many bytes: with one more record and its key it is
/// still below the limit.
const RECORD_BYTES_PER_CHANGE: usize = limits::CHANGE_BYTES - limits::ACT_BYTES - 4 * 1024;
/// The overhead of a record in a change: its key and its entries in the columns.
const KEY_BYTES: usize = 48;
/// The most acts in one change.
const ACTS_PER_CHANGE: usize = 200;

/// An operation that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The operation.
    pub op: Op,
    /// Who asks for it.
    pub origin: Origin,
    /// The time that is shown for it.
    pub at: Millis,
    /// The id of the request that it is part of, when the request has one.
    pub request: Option<RequestId>,
}

/// A new body for an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyEdit {
    /// The text that was edited; the current text when absent.
    pub base: Option<String>,
    /// The edited text.
    pub text: String,
}

/// The result of composing.
#[derive(Debug)]
pub struct Composed {
    /// Raw changes, in order.
    pub changes: Vec<Vec<u8>>,
    /// The document with them.
    pub doc: ItemDoc,
}

/// Why nothing was composed.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The transition table forbids it.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// A text or number is out of bounds.
    #[error(transparent)]
    Act(#[from] ActError),
    /// The document is damaged.
    #[error(transparent)]
    Doc(#[from] DocError),
    /// Automerge refused.
    #[error("Automerge refused the change: {0}")]
    Automerge(#[from] AutomergeError),
    /// There is no such conflict.
    #[error("no unresolved conflict about the {over}")]
    NoSuchConflict {
        /// About what.
        over: Register,
    },
    /// An act that lost by this rule cannot be kept.
    #[error("this side cannot be kept: it is overridden by the rule `{0}`")]
    CannotKeep(Rule),
    /// The item has reached a limit.
    #[error("the item already has {max} {what}, which is the maximum")]
    Full {
        /// Of what.
        what: &'static str,
        /// How many.
        max: usize,
    },
    /// Every replica's gate would refuse the change, so it must not be written.
    #[error("the change is not valid: {0}")]
    Gate(#[from] GateError),
    /// The body is not acceptable.
    #[error("invalid description: {0}")]
    Body(towline_proto::text::TextError),
}

/// The id of the act with this ordinal in the author's entry, so that other acts of the entry can name it.
pub fn act_id(author: &AuthorSeq, ordinal: u32) -> ActId {
    ActId::derive(&author.node, author.epoch, author.seq, ordinal)
}

/// Composes the changes of one item for one entry.
#[derive(Debug)]
struct Composer<'a, R> {
    item: ItemId,
    author: &'a AuthorSeq,
    ordinal: &'a mut u32,
    roles: &'a R,
    am: Automerge,
    acts: Acts,
    /// The heads of the document before anything was written.
    before: Vec<ChangeHash>,
}

/// Makes the changes that apply `drafts` and `body` to an item. `base` is the item's document, or `None` for a
/// new item; then the first draft must create it, and its id must be `ItemId::derive(at, author, ordinal)`.
/// `ordinal` counts the acts of the whole entry.
///
/// # Errors
/// When something is illegal or out of bounds; then nothing has been changed.
pub fn compose<R: Roles>(
    base: Option<&ItemDoc>,
    item: ItemId,
    author: &AuthorSeq,
    ordinal: &mut u32,
    roles: &R,
    drafts: Vec<Draft>,
    body: Option<BodyEdit>,
) -> Result<Composed, ComposeError> {
    let (mut am, acts) = match base {
        Some(doc) => (doc.automerge().clone(), doc.acts().clone()),
        None => (Automerge::new(), Acts::new()),
    };
    am.set_actor(ActorId::from(author.actor()));
    let before = am.get_heads();
    let mut composer = Composer {
        item,
        author,
        ordinal,
        roles,
        am,
        acts,
        before,
    };
    composer.write_acts(drafts)?;
    composer.finish(body)
}

impl<R: Roles> Composer<'_, R> {
    /// Writes the body and returns the result.
    fn finish(mut self, body: Option<BodyEdit>) -> Result<Composed, ComposeError> {
        if let Some(edit) = body {
            towline_proto::text::body(&edit.text).map_err(ComposeError::Body)?;
            self.write_body(edit)?;
        }
        // The scan checks the bounds that depend on sizes. Every other rule of the gate holds by construction,
        // and tests put each composed change through the whole gate. Automerge rebuilds changes from the whole
        // document, so they are requested once.
        let changes = self.am.get_changes(&self.before).into_iter();
        let changes: Vec<Vec<u8>> = changes.map(|change| change.raw_bytes().to_vec()).collect();
        for change in &changes {
            gate::scan(change)?;
        }
        Ok(Composed {
            changes,
            doc: ItemDoc::with_acts(self.item, self.am, self.acts),
        })
    }

    fn write_acts(&mut self, drafts: Vec<Draft>) -> Result<(), ComposeError> {
        let mut records = Vec::with_capacity(drafts.len());
        // With a fold for every draft, the cost of thousands of comments would be quadratic.
        let mut view: Option<AuthorView> = None;
        for draft in drafts {
            if view.is_none() && author_view::is_edit(&draft.op) {
                let folded = fold(self.item, &self.acts, self.roles);
                view = folded.as_ref().map(AuthorView::of);
            }
            let edit = view.as_ref().and_then(|view| view.edit(&draft.op));
            let saw = match (&edit, &view) {
                (Some(edit), Some(view)) => {
                    view.check_room(&draft.op)?;
                    edit.saw.clone()
                }
                _ => {
                    let folded = fold(self.item, &self.acts, self.roles);
                    check(folded.as_ref(), &draft.op)?;
                    folded.map(|folded| folded.saw_for(&draft.op)).unwrap_or_default()
                }
            };
            let act = Act {
                op: draft.op,
                saw,
                at: draft.at,
                origin: draft.origin,
                nonce: None,
                request: draft.request,
            };
            let bytes = act.record()?;
            let id = act_id(self.author, *self.ordinal);
            *self.ordinal = self.ordinal.saturating_add(1);
            let node = NodePrefix::from(&self.author.node);
            match (&mut view, edit) {
                (Some(view), Some(edit)) => view.apply(id, &act.op, edit),
                (view, _) => *view = None,
            }
            self.acts.insert(
                id,
                ActRecord {
                    act,
                    node,
                    hash: Act::record_hash(&bytes),
                },
            );
            records.push((id, bytes));
        }
        self.put_records(records)
    }

    /// Puts records into the document, in as many changes as they take.
    fn put_records(&mut self, records: Vec<(ActId, Vec<u8>)>) -> Result<(), ComposeError> {
        let mut group = Vec::new();
        let mut bytes = 0;
        for (id, record) in records {
            bytes += record.len() + KEY_BYTES;
            group.push((id, record));
            if bytes >= RECORD_BYTES_PER_CHANGE || group.len() >= ACTS_PER_CHANGE {
                self.put_acts(std::mem::take(&mut group))?;
                bytes = 0;
            }
        }
        self.put_acts(group)
    }

    /// Puts records into the document as one change.
    fn put_acts(&mut self, records: Vec<(ActId, Vec<u8>)>) -> Result<(), ComposeError> {
        if records.is_empty() {
            return Ok(());
        }
        let item = self.item;
        self.transact(|tx| {
            let acts = match tx.get(ROOT, ACTS)? {
                Some((_, acts)) => acts,
                None => {
                    let acts = tx.put_object(ROOT, ACTS, ObjType::Map)?;
                    tx.put_object(ROOT, BODY, ObjType::Text)?;
                    acts
                }
            };
            for (id, bytes) in records {
                tx.put(&acts, id.to_string(), scalar(bytes))?;
            }
            Ok(())
        })
        .map_err(|source| DocError::Automerge { item, source }.into())
    }

    /// Runs one transaction, which makes one change.
    fn transact(
        &mut self,
        work: impl FnOnce(&mut automerge::transaction::Transaction<'_>) -> Result<(), AutomergeError>,
    ) -> Result<(), AutomergeError> {
        let mut tx = self.am.transaction();
        if let Err(error) = work(&mut tx) {
            tx.rollback();
            return Err(error);
        }
        tx.commit_with(CommitOptions::default().with_time(0));
        Ok(())
    }

    fn write_body(&mut self, edit: BodyEdit) -> Result<(), ComposeError> {
        let body = object(&self.am, self.item, BODY)?;
        let current = self.am.text(&body)?;
        let wanted = match edit.base {
            Some(base) if base != current => three_way_merge(&base, &current, &edit.text)?,
            _ => edit.text,
        };
        let splices = splices(&current, &wanted);
        // A finer comparison can only help when something is replaced. Trying it costs as much as writing, and
        // rolling it back when it does not fit costs several times as much.
        let replaces =
            splices.iter().any(|splice| splice.delete > 0) && splices.iter().any(|splice| splice.delete == 0);
        if replaces && self.write_difference(&body, &wanted)? {
            return Ok(());
        }
        for splice in splices {
            self.transact(|tx| tx.splice_text(&body, splice.at, splice.delete, &splice.insert))?;
        }
        Ok(())
    }

    /// Writes the smallest difference in one change, if it fits into one.
    fn write_difference(&mut self, body: &automerge::ObjId, wanted: &str) -> Result<bool, ComposeError> {
        if wanted.len() > CHARS_PER_CHANGE * 4 {
            return Ok(false);
        }
        let mut tx = self.am.transaction();
        if let Err(error) = tx.update_text(body, wanted) {
            tx.rollback();
            return Err(error.into());
        }
        if tx.pending_ops() > CHARS_PER_CHANGE {
            tx.rollback();
            return Ok(false);
        }
        tx.commit_with(CommitOptions::default().with_time(0));
        Ok(true)
    }
}

fn check(folded: Option<&FoldedItem<'_>>, op: &Op) -> Result<(), ComposeError> {
    let Some(folded) = folded else { return Ok(()) };
    if let Some(verb) = op.verb() {
        legal(verb, folded.view.state())?;
    }
    let view = &folded.view;
    check_room(op, folded.acts.len(), view.labels.len(), view.comments as usize)?;
    if let Op::Resolve { over, keep } = op {
        let open = folded
            .view
            .conflicts
            .iter()
            .find(|conflict| conflict.register == *over);
        let is_side = |conflict: &&Conflict| conflict.winner == *keep || conflict.losers.contains(keep);
        if open.filter(is_side).is_none() {
            return Err(ComposeError::NoSuchConflict { over: over.clone() });
        }
        if let Some(ActOutcome::Overridden { rule, .. }) = folded.acts.get(keep).map(|act| &act.outcome)
            && !is_keepable(*rule)
        {
            return Err(ComposeError::CannotKeep(*rule));
        }
    }
    Ok(())
}
