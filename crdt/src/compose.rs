//! From what somebody asks for to the changes of an entry.
//!
//! The one way to make a change: each operation becomes an act that names what its author had in
//! front of it, checked against the transition table before anything is made; an edit of the body
//! becomes splices of its text. What comes out is what the gate admits. Randomness and time are
//! arguments: the author's place decides every id.

mod author_view;
mod body;
mod replay;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, AutomergeError, ChangeHash, ObjType, ROOT, ReadDoc};
use towline_proto::table::{IllegalTransition, legal};
use towline_proto::{Act, ActId, AuthorSeq, ItemId, Millis, Op, Origin, RequestId, act::ActError, limits};

use crate::doc::{ACTS, ActRecord, Acts, BODY, DocError, ItemDoc, NodePrefix, object, scalar};
use crate::fold::{ActOutcome, FoldedItem, fold, why_not_keepable};
use crate::gate::{self, GateError};
use crate::members::Roles;
use crate::view::Conflict;

use author_view::{AuthorView, check_room};
use body::{merge, pieces};
pub use replay::replay;

/// Characters that one change inserts or deletes at most, with room left for the acts beside them.
const CHARS_PER_CHANGE: usize = limits::OPS_PER_CHANGE as usize - 400;

/// Bytes of records that one change of acts aims at: with one more record and its key it stays below
/// what a change may have.
const RECORD_BYTES_PER_CHANGE: usize = limits::CHANGE_BYTES - limits::ACT_BYTES - 4 * 1024;
/// What a record takes in a change beside its bytes: its key, and its place in the columns.
const KEY_BYTES: usize = 48;
/// Acts that one change holds at most.
const ACTS_PER_CHANGE: usize = 200;

/// Something to do to an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What.
    pub op: Op,
    /// Who asks for it.
    pub origin: Origin,
    /// When, for showing.
    pub at: Millis,
    /// The request that it is part of, where the asker named one.
    pub request: Option<RequestId>,
}

/// A new body for an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyEdit {
    /// The text that the edit was made from; the present one when absent.
    pub base: Option<String>,
    /// The text that it should become.
    pub text: String,
}

/// What was made.
#[derive(Debug)]
pub struct Composed {
    /// Raw changes, in order.
    pub changes: Vec<Vec<u8>>,
    /// The document with them.
    pub doc: ItemDoc,
}

/// Why nothing was made.
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
    /// There is no such contest.
    #[error("no unresolved conflict about the {over}; `towline conflicts` lists all")]
    NoSuchConflict {
        /// About what.
        over: String,
    },
    /// What lost by this rule cannot be what counts.
    #[error("this side cannot be kept: {0}")]
    CannotKeep(&'static str),
    /// The item has as much of something as it can have.
    #[error("the item already has {max} {what}, which is the maximum")]
    Full {
        /// Of what.
        what: &'static str,
        /// How many.
        max: usize,
    },
    /// Every replica's gate would refuse it: what is written here must be admitted everywhere.
    #[error("the change is not valid: {0}")]
    Gate(#[from] GateError),
    /// The body is not acceptable.
    #[error("invalid description: {0}")]
    Body(towline_proto::text::TextError),
}

/// The id that the act of this number gets in the entry of an author's place, so that what is written
/// beside it can name it.
pub fn act_id(author: &AuthorSeq, ordinal: u32) -> ActId {
    ActId::derive(&author.node, author.epoch, author.seq, ordinal)
}

/// Works on one item under one author's place.
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

/// Makes the changes that do all of `drafts` and `body` to an item: `base` is its document, or none
/// for a new item, whose first draft must then be its creation and whose id must be
/// `ItemId::derive(at, author, ordinal)`. `ordinal` counts the acts of the whole entry.
///
/// # Errors
/// When something is illegal or out of bounds; nothing has been changed then.
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
    /// Writes the body and gives everything out.
    fn finish(mut self, body: Option<BodyEdit>) -> Result<Composed, ComposeError> {
        if let Some(edit) = body {
            towline_proto::text::body(&edit.text).map_err(ComposeError::Body)?;
            self.write_body(edit)?;
        }
        // The bounds that depend on sizes; everything else about a change of ours holds by
        // construction, and the tests put every composed change through the whole gate.
        // Automerge makes changes anew out of the whole document, so they are asked for once.
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
        // Folding for every draft, thousands of comments would take the square of their number.
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
            Some(base) if base != current => merge(&base, &current, &edit.text)?,
            _ => edit.text,
        };
        let pieces = pieces(&current, &wanted);
        // Only where something is replaced can a finer comparison find less to write; trying it costs
        // as much as writing, and taking it back when it does not fit several times that.
        let replaces =
            pieces.iter().any(|piece| piece.delete > 0) && pieces.iter().any(|piece| piece.delete == 0);
        if replaces && self.write_difference(&body, &wanted)? {
            return Ok(());
        }
        for piece in pieces {
            self.transact(|tx| tx.splice_text(&body, piece.at, piece.delete, &piece.insert))?;
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
    if let Op::Settle { over, keep } = op {
        let open = folded
            .view
            .conflicts
            .iter()
            .find(|conflict| conflict.register == *over);
        let contends = |conflict: &&Conflict| conflict.winner == *keep || conflict.losers.contains(keep);
        if open.filter(contends).is_none() {
            return Err(ComposeError::NoSuchConflict {
                over: over.to_string(),
            });
        }
        if let Some(ActOutcome::Overridden { rule, .. }) = folded.acts.get(keep).map(|act| &act.outcome)
            && let Some(why) = why_not_keepable(*rule)
        {
            return Err(ComposeError::CannotKeep(why));
        }
    }
    Ok(())
}
